"""Runs the `leadglass` command with folders of its own, as a process or in the test's."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from fake_agent import SERVER_NAME
from leadglass_client.main import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from leadglass_client.authority import Issued

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60
_KEPT = frozenset({"PATH", "LANG", "HOME", "COVERAGE_PROCESS_START"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left: its exit code and both streams."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Home:
    """The folders of one person, and the environment that names them."""

    folder: Path

    @property
    def config(self) -> Path:
        """The contexts."""
        return self.folder / "config" / "leadglass" / "config.yaml"

    @property
    def sessions(self) -> Path:
        """The current sessions."""
        return self.folder / "state" / "leadglass" / "sessions.json"

    @property
    def receipts(self) -> Path:
        """What agents proved of their logs."""
        return self.folder / "state" / "leadglass" / "receipts"

    def environment(self, **more: str) -> dict[str, str]:
        """Gives the environment of a command."""
        kept = {name: value for name, value in os.environ.items() if name in _KEPT}
        roots = (ROOT / "agent", ROOT / "client", ROOT / "protos" / "gen")
        return {
            **kept,
            "PYTHONPATH": os.pathsep.join(str(root) for root in roots),
            "PYTHONWARNINGS": "error",
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            **more,
        }

    def run(self, *arguments: str, **environment: str) -> Outcome:
        """Runs a command to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "leadglass_client.main", *arguments],
            check=False,
            capture_output=True,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
        )
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    def run_on_terminal(self, *arguments: str, columns: int = 80, **environment: str) -> str:
        """Runs a command on a terminal of 24 lines and gives what it wrote there."""
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, columns))
        command = [sys.executable, "-m", "leadglass_client.main", *arguments]
        env = self.environment(TERM="xterm", **environment)
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE, env=env):
            os.close(theirs)
            written = b""
            while chunk := _read_terminal(ours):
                written += chunk
        os.close(ours)
        return written.decode().replace("\r\n", "\n")

    def converse(self, *arguments: str, replies: Sequence[tuple[str, str | Callable[[], str]]]) -> Outcome:
        """Runs a command whose every stream is a terminal; types each reply once the text before it has appeared.

        `out` is all that appeared, as it was written. A reply may be a function, which is called at its moment.
        """
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 100))
        # The shell opens the terminal by name, as the first of its session: so keys can interrupt and suspend.
        terminal = ["sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1', os.ttyname(theirs)]
        command = [*terminal, sys.executable, "-m", "leadglass_client.main", *arguments]
        env = self.environment(TERM="xterm", NO_COLOR="1")
        written, waiting = b"", list(replies)
        with subprocess.Popen(command, stdin=theirs, env=env, start_new_session=True) as process:
            os.close(theirs)
            while chunk := _read_terminal(ours):
                written += chunk
                while waiting and waiting[0][0].encode() in written:
                    reply = waiting.pop(0)[1]
                    os.write(ours, (reply if isinstance(reply, str) else reply()).encode())
        os.close(ours)
        assert not waiting, f"never appeared: {waiting[0][0]!r} in {written!r}"
        return Outcome(process.returncode, written.decode().replace("\r\n", "\n"), "")

    def run_here(self, *arguments: str, **environment: str) -> Outcome:
        """Runs a command in this process, ten times as quick; the same but for the interpreter's start."""
        sink, err = io.BytesIO(), io.StringIO()
        out = io.TextIOWrapper(sink, "utf-8", newline="")
        changed = patch.dict(os.environ, self.environment(**environment))
        with changed, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(arguments)
        out.flush()
        return Outcome(code, sink.getvalue().decode(), err.getvalue())


def flags(address: str, client: Issued, server_name: str = SERVER_NAME) -> tuple[str, ...]:
    """Gives the global options that lead to an agent."""
    return (
        *("--address", address, "--server-name", server_name, "--ca", str(client.authority)),
        *("--cert", str(client.certificate), "--key", str(client.key)),
    )


def _read_terminal(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # EIO: the other side is closed
        return b""
