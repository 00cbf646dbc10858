"""Names, arguments and variables that are made to fool a terminal, a parser or the redactor."""

from __future__ import annotations

import os
import subprocess
import unicodedata
from typing import TYPE_CHECKING

import msgspec
import pytest

from leadglass_agent.views import procfs
from leadglass_agent.views.environment import list_environment
from leadglass_agent.views.files import list_directory, stat_files
from leadglass_agent.views.paths import TargetRoot
from leadglass_agent.views.process_tree import ProcessQuery, list_processes
from leadglass_agent.views.redactors import build_redactors
from leadglass_agent.views.remembered import ShownNames
from leadglass_agent.views.rows import FileRow, ProcessRef, ProcessRow, Unavailable
from planted_secrets import plant
from sample_processes import (
    EVERY_NAME,
    EVERY_PATH,
    EVERYTHING,
    PR_SET_NAME,
    OnDisk,
    lay_out,
    names_scope,
    processes_named,
    running,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from leadglass_agent.views.procfs import ProcRoot

REDACTORS = build_redactors()
REDACTOR = REDACTORS.balanced
NAMES = ShownNames(REDACTOR, 256)

HOSTILE = [
    b"\x1b[2J\x1b]0;owned\x07",
    b"\x9b31m",
    b"\xff\xfe\x80 not utf-8 \xc3\x28",
    "\u202egnp.exe".encode(),
    "\u2066hidden\u2069\u200b\u200f\ufeff".encode(),
    "line\u2028and\u2029paragraph".encode(),
    b"two\nlines\rand\ttabs\x7f",
    b"back\\slash\\x41",
    "\U000e0041\U000e0042 tags".encode(),
    "e\u0301\u0301\u0301".encode(),
]


@pytest.fixture
def proc() -> Iterator[ProcRoot]:
    opened = procfs.open_proc()
    yield opened
    opened.close()


def _assert_plain(texts: list[str]) -> None:
    """Holds text to what cannot move a cursor, reorder or hide other text, or stand for a byte that it is not."""
    for text in texts:
        text.encode("utf-8")
        assert text.isprintable(), ascii(text)
        assert not {unicodedata.bidirectional(one) for one in text} & {
            "RLO",
            "LRO",
            "RLE",
            "LRE",
            "RLI",
            "LRI",
            "FSI",
            "PDF",
            "PDI",
        }
        assert not any(unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for one in text)


def _row(proc: ProcRoot, pid: int) -> ProcessRow:
    (row,) = list_processes(proc, REDACTORS, EVERYTHING, EVERYTHING, EVERYTHING, ProcessQuery(pids=(pid,))).rows
    return row


def _texts(row: ProcessRow) -> list[str]:
    assert not isinstance(row.arguments, Unavailable)
    return [argument.text for argument in row.arguments]


def test_hostile_arguments_of_a_real_process_come_out_plain_and_apart(proc: ProcRoot) -> None:
    with running(*HOSTILE) as pid:
        texts = _texts(_row(proc, pid))
    _assert_plain(texts)
    assert len(texts[5:]) == len(HOSTILE)
    assert len(set(texts[5:])) == len(HOSTILE)
    assert "\\xff\\xfe\\x80 not utf-8 \\xc3(" in texts
    assert "back\\\\slash\\\\x41" in texts


def test_arguments_of_two_megabytes_are_cut_and_marked(proc: ProcRoot) -> None:
    planted = plant("behind the bound")
    # The kernel takes at most 128 KiB an argument, and a quarter of the stack in all.
    huge = [b"a" * 130_000] * 14 + [planted["behind the bound"].encode()]
    with running("first", *huge) as pid:
        row = _row(proc, pid)
    assert row.arguments_truncated
    texts = _texts(row)
    assert texts[5:] == ["first"]
    assert sum(map(len, texts)) <= 4_096
    assert planted.leaks(msgspec.msgpack.encode(row)) == ()


def test_sixty_thousand_empty_arguments_are_cut_and_marked(proc: ProcRoot) -> None:
    with running(*[b""] * 60_000) as pid:
        row = _row(proc, pid)
    assert row.arguments_truncated
    assert len(_texts(row)) == 256


@pytest.mark.parametrize(
    "name", [b"a) R 1 (b", b"x) S 0 0 0", b"\n\nUid:\t0\n", b"\x1b[31m\xff", b")", b"((((", "\u202eevil".encode()]
)
def test_a_name_that_imitates_the_kernels_format_changes_no_other_field(proc: ProcRoot, name: bytes) -> None:
    script = f"import ctypes; ctypes.CDLL(None).prctl({PR_SET_NAME}, {name!r}, 0, 0, 0)"
    with running(script=script) as pid:
        row = _row(proc, pid)
        page = list_environment(proc, NAMES, ProcessRef(pid, 0), ("LANG",), EVERY_NAME, None, 0, 10)
    _assert_plain([row.name.text])
    assert (row.ref.pid, row.parent_pid, row.owner_uid, row.threads) == (pid, os.getpid(), os.geteuid(), 1)
    assert page.process == row.ref


def test_a_process_cannot_hide_from_a_forbidding_name_by_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    proc = procfs.open_proc(lay_out(tmp_path, OnDisk(1, name=b"app\xff"), OnDisk(2, name=b"app")))
    page = list_processes(proc, REDACTORS, processes_named("app?"), None, None, ProcessQuery())
    assert [row.ref.pid for row in page.rows] == [1]
    proc.close()


def test_a_title_that_runs_over_into_the_environment_shows_nothing_of_it(proc: ProcRoot) -> None:
    """Overwrites the arguments up to their last NUL, which makes the kernel read on into the first variable."""
    planted = plant("first variable")
    script = """
fields = open('/proc/self/stat').read().rsplit(')', 1)[1].split()
start, end = int(fields[45]), int(fields[46])
import ctypes
ctypes.memset(start, ord('#'), end - start)
"""
    with running("last", script=script, environment={b"AAA": planted["first variable"].encode()}) as pid:
        with procfs.open_process(proc, pid) as process:
            raw = procfs.read_command_line(process, 65_536).data
        row = _row(proc, pid)
    assert planted["first variable"].encode() in raw, "the kernel no longer reads on: this test proves nothing"
    assert row.arguments_truncated
    assert planted.leaks(msgspec.msgpack.encode(row)) == ()


def test_hostile_names_of_variables_come_out_plain(proc: ProcRoot) -> None:
    environment = {name.replace(b"=", b""): b"v" for name in HOSTILE}
    with running(environment=environment) as pid:
        page = list_environment(proc, NAMES, ProcessRef(pid, 0), (), EVERY_NAME, EVERY_NAME, 0, 100)
    texts = [row.name.text for row in page.rows]
    _assert_plain(texts)
    assert len(set(texts)) >= len(HOSTILE)


def test_hostile_names_of_files_come_out_plain_in_listings_targets_and_answers(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    for name in HOSTILE:
        os.symlink(name, folder + b"/" + name)  # noqa: PTH211 - names of any bytes
    root = TargetRoot(os.open(tmp_path, os.O_PATH))
    page = list_directory(root, REDACTOR, EVERY_PATH, EVERY_PATH, "/", 0, 100)
    asked = ["/" + name.decode("utf-8", "surrogateescape") for name in HOSTILE]
    stated = stat_files(root, REDACTOR, EVERY_PATH, asked, follow_symlinks=False)
    os.close(root.fd)
    rows = [*page.rows, *stated]
    targets = [row.link_target.text for row in rows if isinstance(row, FileRow) and row.link_target]
    _assert_plain([row.name.text for row in rows] + targets)
    assert len(targets) == 2 * len(HOSTILE)


def test_nothing_that_is_planted_in_values_and_masked_arguments_leaves(proc: ProcRoot, tmp_path: Path) -> None:
    planted = plant("value", "flag", "assignment", "connection")
    (tmp_path / "file").write_text(planted["value"])
    arguments = [
        "--password",
        planted["flag"],
        f"--api-key={planted['assignment']}",
        f"postgres://app:{planted['connection']}@db:5432/app",
    ]
    root = TargetRoot(os.open(tmp_path, os.O_PATH))
    with running(*arguments, environment={"API_TOKEN": planted["value"], "LANG": "C.UTF-8"}) as pid:
        ref = ProcessRef(pid, 0)
        reply = (
            _row(proc, pid),
            list_environment(proc, NAMES, ref, ("API_TOKEN",), EVERY_NAME, None, 0, 10),
            list_environment(proc, NAMES, ref, (), EVERY_NAME, names_scope("*"), 0, 100),
            list_directory(root, REDACTOR, EVERY_PATH, EVERY_PATH, "/", 0, 100),
            stat_files(root, REDACTOR, EVERY_PATH, ["/file"], follow_symlinks=True),
        )
    os.close(root.fd)
    for wire in (msgspec.msgpack.encode(reply), msgspec.json.encode(reply), repr(reply).encode()):
        assert planted.leaks(wire) == ()
    assert b"API_TOKEN" in msgspec.msgpack.encode(reply)


def test_a_shell_with_a_secret_in_its_script_is_masked_like_any_other(proc: ProcRoot) -> None:
    planted = plant("script")
    script = f"export DB_PASSWORD={planted['script']}; read line"
    process = subprocess.Popen(["/bin/sh", "-c", script], stdin=subprocess.PIPE)
    try:
        assert planted.leaks(msgspec.msgpack.encode(_row(proc, process.pid))) == ()
    finally:
        process.kill()
        process.communicate()
