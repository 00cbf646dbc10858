"""The file of the log is the agent's own, and its end is found without reading the rest."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from audit_logs import INTENT, OUTCOME, lines_of
from leadglass_agent.audit.chain import GENESIS
from leadglass_agent.audit.file import AuditLogRefused, LogFile, is_in_place, open_file, read_tail
from leadglass_agent.audit.record import RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def file(path: Path) -> Iterator[LogFile]:
    opened = open_file(path)
    yield opened
    os.close(opened.fd)


def _open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)


@pytest.mark.parametrize("umask", [0, 0o022, 0o777])
def test_a_new_log_is_readable_and_writable_by_its_owner_alone_whatever_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        os.close(open_file(path).fd)
    finally:
        os.umask(before)

    assert path.stat().st_mode & 0o7777 == 0o600


def test_a_symbolic_link_is_refused(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(AuditLogRefused, match="symbolic link"):
        open_file(path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_named_pipe_is_refused_at_once(path: Path) -> None:
    os.mkfifo(path, 0o600)

    with pytest.raises(AuditLogRefused, match="not a regular file"):
        open_file(path)


def test_a_directory_and_a_socket_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's address has room for 108 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        for name in ("socket", "."):
            with pytest.raises((OSError, AuditLogRefused)):
                open_file(tmp_path / name)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o601])
def test_a_log_that_others_can_use_is_refused(path: Path, mode: int) -> None:
    path.touch()
    path.chmod(mode)

    with pytest.raises(AuditLogRefused, match=f"mode {mode:04o}, open to others"):
        open_file(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_log_of_another_user_is_refused(path: Path) -> None:
    path.touch(0o600)
    os.chown(path, 12_345, 12_345)

    with pytest.raises(AuditLogRefused, match="belongs to user 12345"):
        open_file(path)


def test_a_second_agent_cannot_open_the_same_log(file: LogFile) -> None:
    with pytest.raises(AuditLogRefused, match="another agent"):
        open_file(file.path)


def test_a_refusal_closes_what_it_opened(path: Path) -> None:
    path.touch()
    path.chmod(0o644)
    before = _open_descriptors()

    for _ in range(5):
        with pytest.raises(AuditLogRefused):
            open_file(path)

    assert _open_descriptors() == before


def test_an_empty_log_begins_a_chain(file: LogFile) -> None:
    tail = read_tail(file)

    assert (tail.head, tail.end, tail.torn) == (GENESIS, 0, b"")


def test_the_end_of_a_log_of_ten_gigabytes_is_found_without_reading_it(path: Path) -> None:
    line = lines_of([INTENT])[0]
    size = 10 * 2**30
    with path.open("wb") as stream:
        stream.truncate(size)  # sparse: what is before the last line is a hole of zeros without a line break
        stream.seek(size)
        stream.write(b"\n" + line)
    path.chmod(0o600)
    opened = open_file(path)
    try:
        assert read_tail(opened).end == size + 1 + len(line)
    finally:
        os.close(opened.fd)


def test_a_torn_end_is_told_from_the_last_complete_line(path: Path) -> None:
    first, second = lines_of([INTENT, OUTCOME])
    _write(path, first + second[:-1])
    opened = open_file(path)
    try:
        tail = read_tail(opened)
    finally:
        os.close(opened.fd)

    assert tail.head.seq == 1
    assert tail.end == len(first)
    assert tail.torn == second[:-1]


@pytest.mark.parametrize(
    "end",
    [b"not a record\n", b"\n", b"{}\n", b"not a record\n{torn", b"x" * RECORD_BYTES, b"\0" * 40_000],
    ids=["text", "blank", "object", "text then torn", "long", "zeros"],
)
def test_an_end_that_no_agent_wrote_is_refused_and_left_alone(path: Path, end: bytes) -> None:
    data = b"".join(lines_of([INTENT, OUTCOME])) + end
    _write(path, data)
    opened = open_file(path)
    try:
        with pytest.raises(AuditLogRefused, match="leadglass audit verify"):
            read_tail(opened)
    finally:
        os.close(opened.fd)
    assert path.read_bytes() == data


def test_a_removed_replaced_or_moved_file_is_not_in_place(file: LogFile, tmp_path: Path) -> None:
    assert is_in_place(file)

    file.path.rename(tmp_path / "moved")
    assert not is_in_place(file)
    file.path.touch()
    assert not is_in_place(file)
    (tmp_path / "moved").rename(file.path)
    assert is_in_place(file)
    file.path.unlink()
    assert not is_in_place(file)
