"""Promise: the demo shows what it says, finds no planted secret, and leaves no process and no file behind."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT: Final = Path(__file__).resolve().parents[2]
_SECONDS: Final = 240


@dataclass(frozen=True, slots=True)
class Played:
    """What the demo left: its exit status, what it printed, files, and numbers of processes."""

    status: int
    printed: str
    files: tuple[str, ...]
    changed: frozenset[str]
    processes: tuple[int, ...]


def _tree(folder: Path) -> frozenset[str]:
    """Names the files of the repository that a run could touch, each with its last change."""
    skipped = {".git", ".venv", ".hypothesis", ".mypy_cache", ".ruff_cache", ".pytest_cache", "__pycache__"}
    parts = ("agent", "client", "demo", "protos", "deploy")
    return frozenset(
        f"{path} {path.stat().st_mtime_ns}"
        for part in parts
        for path in (folder / part).rglob("*")
        if path.is_file() and not skipped & set(path.parts)
    )


def _marked(mark: str) -> Iterator[int]:
    """Gives the processes whose environment holds the mark, which every child inherits unless it is given another."""
    for entry in Path("/proc").iterdir():
        try:
            if (
                entry.name.isdigit()
                and mark.encode() in (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            ):
                yield int(entry.name)
        except OSError:
            continue  # it ended, or is another user's


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    home, temporary = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("temporary")
    before = _tree(_ROOT)
    done = subprocess.run(
        [sys.executable, "-B", "demo/tour.py"],
        cwd=_ROOT,
        # Its folder, named in the arguments and environments of all that it starts, lies below this one.
        env={"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(temporary), "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_SECONDS,
        text=True,
        check=False,
    )
    files = tuple(str(path) for folder in (home, temporary) for path in folder.rglob("*"))
    return Played(done.returncode, done.stdout, files, _tree(_ROOT) - before, tuple(_marked(str(temporary))))


def test_it_plays_to_its_end(played: Played) -> None:
    assert played.status == 0, played.printed


def test_it_finds_no_planted_secret(played: Played) -> None:
    assert " 0 found" in played.printed
    assert "[redacted:" in played.printed


@pytest.mark.parametrize(
    "command",
    [
        *(
            "ca init",
            "ca issue",
            "context set",
            "session open",
            "session open --grant",
            "session show",
            "request",
            "approve",
            "--context carol approve",
            "ps",
            "env",
            "ls",
            "stat",
            "why",
            "tail",
            "grep",
            "cat",
            "self",
        ),
        *("session close", "audit verify"),
    ],
)
def test_it_prints_each_command_that_it_runs(played: Played, command: str) -> None:
    lines = [line for line in played.printed.splitlines() if line.startswith("$ leadglass")]

    assert any(f" {command}" in line for line in lines)


def test_it_shows_the_rule_of_the_kernel_that_says_no(played: Played) -> None:
    assert "answer   no: process " in played.printed
    assert "rights   needs --x, has rw-" in played.printed or "NO_EXECUTE_BIT" in played.printed


def test_it_shows_a_denial_with_its_reason(played: Played) -> None:
    assert "the policy does not permit this" in played.printed
    assert "(exit code 3)" in played.printed


def test_it_shows_that_a_log_needs_the_yes_of_somebody_else(played: Played) -> None:
    told = played.printed
    steps = (
        "this needs a grant that others have approved",
        "nobody approves what they asked for",
        "you sign as  spiffe://demo.leadglass/user/carol",
        "all sessions with grant",
        "checkout 502 2013 ms",
    )
    places = [told.find(step) for step in steps]
    assert places == sorted(places), told
    assert places[0] > 0


def test_it_leaves_no_file(played: Played) -> None:
    assert played.files == ()
    assert played.changed == frozenset()


def test_it_leaves_no_process(played: Played) -> None:
    assert played.processes == ()
