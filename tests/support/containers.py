"""Runs podman on a storage of the tests' own, so that nobody's images and containers are touched."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TOOLS = ("podman", "runc", "conmon", "debootstrap", "nsenter", "tar")
_STORAGE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "leadglass-tests" / "containers"
_RUN = Path("/run/leadglass-tests")  # podman takes at most 50 characters here
_OWNER = "leadglass.test.owner"
# The default limits of podman are above what some machines allow even root.
_LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096")


class EngineError(Exception):
    """A podman command that failed, with what it said."""


def why_not() -> str | None:
    """Says what this machine lacks for real containers; None if nothing."""
    if os.geteuid() != 0:
        return "containers: not root"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    return f"containers: not installed: {', '.join(missing)}" if missing else None


@dataclass(frozen=True, slots=True)
class Engine:
    """One test session's podman: its containers carry the session's name and end with it."""

    session: str
    driver: str

    @property
    def command(self) -> tuple[str, ...]:
        """The command with the options that choose storage and runtime."""
        run = _RUN / self.driver
        storage = (f"--root={_STORAGE / self.driver}", f"--runroot={run / 'run'}", f"--tmpdir={run / 'libpod'}")
        return ("podman", *storage, f"--storage-driver={self.driver}", "--runtime=runc", "--cgroup-manager=cgroupfs")

    def call(self, *arguments: str, seconds: float = 60) -> str:
        """Runs a podman command and gives its standard output; raises EngineError if it fails."""
        command = [*self.command, *arguments]
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )
        if done.returncode != 0:
            message = f"podman {' '.join(arguments)} exited {done.returncode}:\n{done.stdout}{done.stderr}"
            raise EngineError(message)
        return done.stdout

    def options(self) -> tuple[str, ...]:
        """The options of `podman run` that mark a container as this session's and fit the machine's limits."""
        return (f"--label={_OWNER}={os.getpid()}", *_LIMITS)

    def start(
        self, name: str, image: str, *command: str, options: tuple[str, ...], env: Mapping[str, str] | None = None
    ) -> str:
        """Starts a container in the background and gives its full name."""
        full = f"{self.session}-{name}"
        variables = [f"--env={key}={value}" for key, value in (env or {}).items()]
        self.call("run", "--detach", f"--name={full}", *self.options(), *variables, *options, image, *command)
        return full

    def host_pid(self, name: str) -> int:
        """The number on the host of the container's first process."""
        return int(self.call("inspect", "--format={{.State.Pid}}", name))

    def wait(self, name: str, seconds: float) -> int:
        """Waits until a container has ended and gives its exit code."""
        return int(self.call("wait", name, seconds=seconds).split()[-1])

    def logs(self, name: str) -> bytes:
        """Everything that the container wrote to standard output and standard error."""
        command = [*self.command, "logs", name]
        done = subprocess.run(command, check=True, timeout=60, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout

    def has_image(self, tag: str) -> bool:
        """Whether an image of this name is stored."""
        return bool(self.call("images", "--quiet", tag).strip())

    def remove(self, *names: str) -> None:
        """Ends containers at once and removes them."""
        if names:
            # --depend: some hold the namespaces that others joined, and in which order they go does not matter.
            self.call("rm", "--force", "--ignore", "--depend", "--time=0", *names, seconds=240)

    def keep_only(self, prefix: str, tag: str) -> None:
        """Removes the images of earlier sessions whose names begin alike; one that is in use stays."""
        for name in self.call("images", "--format={{.Repository}}:{{.Tag}}").split():
            if name.startswith(prefix) and name != tag:
                subprocess.run([*self.command, "rmi", name], check=False, capture_output=True, timeout=60)


@contextmanager
def engine() -> Iterator[Engine]:
    """Gives an engine; removes its containers at the end, and those of sessions that died."""
    _STORAGE.mkdir(mode=0o700, parents=True, exist_ok=True)
    one = _engine_that_works(f"lg{secrets.token_hex(3)}")
    _remove_owned(one, dead_only=True)
    try:
        yield one
    finally:
        _remove_owned(one, dead_only=False)


@contextmanager
def alone() -> Iterator[None]:
    """Keeps other test sessions from making the same images at the same time."""
    with (_STORAGE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _engine_that_works(session: str) -> Engine:
    """Takes overlay, or vfs where the file system below bears none, which copies the image for each container."""
    overlay = Engine(session, "overlay")
    try:
        overlay.call("info")
    except EngineError:
        return Engine(session, "vfs")
    return overlay


def _remove_owned(one: Engine, *, dead_only: bool) -> None:
    """Removes the session's containers, or those of sessions whose process is gone."""
    form = '{{.Names}} {{index .Labels "' + _OWNER + '"}}'
    rows = (line.split() for line in one.call("ps", "--all", f"--format={form}").splitlines())
    owned = [(row[0], int(row[1])) for row in rows if len(row) > 1]
    if dead_only:
        one.remove(*(name for name, owner in owned if not Path(f"/proc/{owner}").exists()))
    else:
        one.remove(*(name for name, _ in owned if name.startswith(f"{one.session}-")))
