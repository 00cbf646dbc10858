"""Runs server programs that are not ours, as they are installed, with a secret in their arguments and environment."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_START_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class RealServer:
    """A server that runs: its program, and the number of its first process."""

    program: str
    pid: int


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How one program starts: its command line, given a folder and a secret, and what is there once it serves."""

    command: Callable[[Path, str], tuple[str, ...]]
    ready: str


def _redis(folder: Path, secret: str) -> tuple[str, ...]:
    listens = ("--port", "0", "--unixsocket", f"{folder}/redis.sock")
    return ("redis-server", *listens, "--save", "", "--set-proc-title", "no", "--requirepass", secret)


def _titled_redis(folder: Path, secret: str) -> tuple[str, ...]:
    # With its own title it overwrites its arguments, and the kernel reads on into what was its environment.
    title = ("--proc-title-template", "{title} {unixsocket} {server-mode}" + "x" * 200)
    listens = ("--port", "0", "--unixsocket", f"{folder}/redis.sock")
    return ("redis-server", *listens, "--save", "", *title, "--requirepass", secret)


def _nginx(folder: Path, secret: str) -> tuple[str, ...]:
    (folder / "nginx.conf").write_text(
        f"pid {folder}/nginx.pid;\nerror_log {folder}/error.log;\nworker_processes 1;\nevents {{}}\n"
        f"http {{ access_log off; server {{ listen unix:{folder}/nginx.sock; }} }}\n",
        encoding="utf-8",
    )
    # Its title is longer than its arguments: the end, with settings in it, lies where its environment was.
    settings = f"daemon off; env API_TOKEN={secret}; env MODE=x;"
    return ("nginx", "-p", str(folder), "-c", f"{folder}/nginx.conf", "-g", settings)


def _http_server(folder: Path, secret: str) -> tuple[str, ...]:
    # Its log says when it listens; the option is one that it does not know and keeps in its arguments.
    program = "import sys, runpy; sys.argv[1:] = ['0']; runpy.run_module('http.server', run_name='__main__')"
    return (sys.executable, "-u", "-c", program, f"--directory={folder}", f"--auth-token={secret}")


_RECIPES: Final = {
    "redis-server": _Recipe(_redis, "redis.sock"),
    "redis-server with a title": _Recipe(_titled_redis, "redis.sock"),
    "nginx": _Recipe(_nginx, "nginx.pid"),
    "http.server": _Recipe(_http_server, "out"),
}
SERVERS: Final = tuple(_RECIPES)


def why_not_here(name: str) -> str | None:
    """Says why a server cannot run on this machine; None if it can."""
    program = name.partition(" ")[0]
    if program == "http.server" or shutil.which(program, path=_path()):
        return None
    return f"{program} is not installed"


@contextmanager
def real_server(name: str, folder: Path, secret: str, environment: Mapping[str, str]) -> Iterator[RealServer]:
    """Runs a server in a folder of its own for a with-block, in a process group that ends with it."""
    folder.mkdir()
    recipe = _RECIPES[name]
    with (folder / "out").open("wb") as out:
        server = subprocess.Popen(
            recipe.command(folder, secret),
            env={"PATH": _path(), "LANG": "C.UTF-8", **environment},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        _wait(server, folder / recipe.ready)
        yield RealServer(name, server.pid)
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # the group is its own: start_new_session
        server.wait()


def _path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def _wait(server: subprocess.Popen[bytes], ready: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        if ready.exists() and (ready.name != "out" or ready.stat().st_size):
            return
        time.sleep(0.02)
    message = f"the server did not start (exit {server.poll()}): {(ready.parent / 'out').read_text('utf-8', 'replace')}"
    raise AssertionError(message)
