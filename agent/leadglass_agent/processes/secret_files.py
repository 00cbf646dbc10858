"""Reads the files of secret mounts for the barrier, in a process of its own that is killed when a file system hangs."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Final, Never

import msgspec

from leadglass_agent.barrier.fingerprints import Fingerprints, Print
from leadglass_agent.barrier.mounts import Wanted
from leadglass_agent.processes.forked import become_own_process
from leadglass_agent.sandbox.confine import confine_file_worker
from leadglass_agent.sandbox.floor import require
from leadglass_agent.sandbox.posture import Role
from leadglass_agent.start import StartRefused
from leadglass_agent.views.procfs import identity

if TYPE_CHECKING:
    from leadglass_agent.processes.spawning import Spawner
    from leadglass_agent.sandbox.posture import SandboxLevel

_SECONDS: Final = 2.0  # a tmpfs takes milliseconds
_MAX_JOB: Final = 4 * 1024 * 1024
_MAX_RESULT: Final = 16 * 1024 * 1024
_READ: Final = 64 * 1024

_File = tuple[str, tuple[Print, ...]]


class _Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the process is told: what it reads, and the key of the fingerprints that its prints shall fit."""

    folders: tuple[bytes, ...]
    program_names: tuple[bytes, ...]
    key: bytes
    is_large: bool


_files: Final = msgspec.msgpack.Decoder(tuple[_File, ...])
_jobs: Final = msgspec.msgpack.Decoder(_Job)


class SecretFiles:
    """Has files read below a root; the reader waits for it, since without them no reply may leave."""

    def __init__(self, spawner: Spawner) -> None:
        self._spawner = spawner

    def gather(self, root: int, wanted: Wanted) -> tuple[_File, ...] | None:
        """Gives names and prints of the files; None if they could not be read in time."""
        # Together with the file workers of that root: one that hangs takes no room from the others.
        number, channel = self._spawner.start_worker(" ".join(identity(root)), root, "secrets")
        fingerprints = wanted.fingerprints
        job = _Job(wanted.folders, tuple(wanted.program_names), fingerprints.key, fingerprints.is_large)
        until = time.monotonic() + _SECONDS
        with channel:
            try:
                channel.settimeout(_SECONDS)
                channel.sendall(msgspec.msgpack.encode(job))
                channel.shutdown(socket.SHUT_WR)
                return _files.decode(_received(channel, _MAX_RESULT, until))
            except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
                return None
            finally:
                self._spawner.end(number)


def run(channel: socket.socket, root: int, *, floor: SandboxLevel) -> Never:
    """Does one job; never returns, since it runs in a forked copy of the supervisor."""
    status = 1
    try:
        become_own_process(channel.fileno(), root)
        require(confine_file_worker(root), Role.FILE_WORKER, floor)
        job = _jobs.decode(_received(channel, _MAX_JOB))
        fingerprints = Fingerprints(large=job.is_large, key=job.key)
        wanted = Wanted(job.folders, frozenset(job.program_names), fingerprints)
        channel.sendall(msgspec.msgpack.encode(tuple(wanted.prints(root))))
        status = 0
    except (OSError, msgspec.MsgspecError, StartRefused):
        pass  # the reader is gone, or the sandbox is not what was asked for
    finally:
        # Not sys.exit, nor a traceback: the copy must not run the supervisor's own clean-up, nor tell what it read.
        os._exit(status)


def _received(channel: socket.socket, most: int, until: float | None = None) -> bytes:
    """Reads all that comes until the other side has said everything; raises TimeoutError, or OSError if it is long."""
    data = bytearray()
    while len(data) <= most:
        if until is not None:
            channel.settimeout(max(0.001, until - time.monotonic()))
        piece = channel.recv(_READ)
        if not piece:
            return bytes(data)
        data += piece
    message = "more than was agreed on"
    raise OSError(message)
