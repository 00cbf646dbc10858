"""`leadglass redact` on a terminal: usage, escapes, progress."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import pytest

from leadglass_cli import Home

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "Tr0ub" + "4dor-horse-7x"
LINE = f"2026-03-14 connecting with password={SECRET} to db-1\n"
SECONDS = 60


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def _on_terminal(home: Home, *arguments: str, stdin_too: bool) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    command = [sys.executable, "-m", "leadglass_client.main", "redact", *arguments]
    with subprocess.Popen(
        command,
        stdin=theirs if stdin_too else subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=home.environment(TERM="xterm"),
    ) as process:
        os.close(theirs)
        written = b""
        try:
            while chunk := os.read(ours, 65_536):
                written += chunk
        except OSError:  # EIO: the other side is closed
            pass
        code = process.wait(SECONDS)
    os.close(ours)
    return code, written.decode().replace("\r\n", "\n")


def test_a_person_with_nothing_to_read_gets_the_usage(home: Home) -> None:
    code, shown = _on_terminal(home, stdin_too=True)
    assert code == 2
    assert "nothing to read: give a FILE, or pipe something in" in shown


def test_a_terminal_obeys_nothing_that_stands_in_a_file(home: Home) -> None:
    log = home.folder / "app.log"
    log.write_bytes(b"\x1b]0;title\x07 caf\xc3\xa9\tcell \xff\r\n" + LINE.encode())
    code, shown = _on_terminal(home, str(log), stdin_too=True)
    assert code == 0
    assert "\x1b" not in shown
    assert shown.startswith("\\x1b]0;title\\x07 café\tcell \\xff\n")
    assert "password=[redacted:password] to db-1" in shown


def test_a_long_input_shows_its_progress_on_a_terminal_and_leaves_the_output_alone(home: Home) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    command = [sys.executable, "-m", "leadglass_client.main", "redact"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=home.environment(TERM="xterm"),
    ) as process:
        os.close(theirs)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"one\n")
        process.stdin.flush()
        shown = b""
        # A pipe that stays open is a long input: each further line may be the one that comes late enough.
        while b"bytes" not in shown:
            process.stdin.write(b"more\n" * 100)
            process.stdin.flush()
            shown += _read_soon(ours)
        process.stdin.close()
        out = process.stdout.read()
        assert process.wait(SECONDS) == 0
    os.close(ours)
    assert out.startswith(b"one\nmore\n")
    assert set(out.splitlines()) == {b"one", b"more"}


def _read_soon(descriptor: int) -> bytes:
    ready, _, _ = select.select([descriptor], [], [], 0.1)
    return os.read(descriptor, 4096) if ready else b""
