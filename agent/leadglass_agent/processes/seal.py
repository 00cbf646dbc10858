"""The reader's sealers: a process for each reveal, which reads one value, seals it, and is gone.

The raw value lives in that process alone, and the reader never holds the memory or the code of cryptography.
"""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Never

from leadglass_agent.errors import Reason
from leadglass_agent.processes.forked import become_own_process
from leadglass_agent.processes.frames import ChannelError, FrameBuffer, frame
from leadglass_agent.processes.guard import guarded
from leadglass_agent.processes.messages import (
    Part,
    RefusedAnswer,
    RevealAnswer,
    RevealRequest,
    decode_part,
    encode_answer,
)
from leadglass_agent.views.environment_block import parse_name
from leadglass_agent.views.reveal import read_breakglass_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from leadglass_agent.views.procfs import ProcRoot

_MAX_SEALERS: Final = 2  # each takes 25 MB while it lives; a reveal is rare
_MAX_UNREAPED: Final = 16  # killed, and not let go of by the kernel yet
_DEADLINE_NS: Final = 10_000_000_000  # the caller's own deadline is what counts; it takes 0.2 s
_MAX_SENT: Final = 64 * 1024  # a value of 32 KiB, its padding and its tag fit into half of that
_READ: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Unsealed:
    """A request that its process did not answer, and what is answered for it."""

    request: RevealRequest
    answer: RefusedAnswer


@dataclass(slots=True)
class _Sealer:
    pid: int
    connection: socket.socket
    request: RevealRequest
    deadline_ns: int
    buffer: FrameBuffer = field(default_factory=FrameBuffer)
    sent_bytes: int = 0
    has_answered: bool = False


class Sealers:
    """Runs reveal requests; gives the parts of answers, and refusals for processes that are late or broke."""

    def __init__(
        self,
        proc: ProcRoot,
        watch: Callable[[socket.socket], None],
        unwatch: Callable[[socket.socket], None],
    ) -> None:
        self._proc = proc
        self._watch = watch
        self._unwatch = unwatch
        self._sealers: dict[int, _Sealer] = {}
        self._unreaped: set[int] = set()

    def submit(self, request: RevealRequest, now_ns: int) -> RefusedAnswer | None:
        """Starts the process for a request; a refusal if there is no room for it."""
        self._reap()
        if len(self._sealers) >= _MAX_SEALERS or len(self._unreaped) >= _MAX_UNREAPED:
            return RefusedAnswer(Reason.RATE_LIMITED, "other values are being revealed")
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            _run(theirs, self._proc, request)
        theirs.close()
        ours.settimeout(0)
        self._watch(ours)
        self._sealers[pid] = _Sealer(pid, ours, request, min(request.deadline_ns, now_ns + _DEADLINE_NS))
        return None

    def receive(self, connection: socket.socket) -> Iterator[Part | Unsealed]:
        """Reads what a sealer sent and gives the parts of its answer, or a refusal if it broke or died."""
        sealer = next((one for one in self._sealers.values() if one.connection is connection), None)
        if sealer is None:
            return
        try:
            data = connection.recv(_READ)
            for payload in sealer.buffer.feed(data):
                yield _accepted(sealer, decode_part(payload))
        except (ChannelError, OSError):
            data = b""
        if sealer.has_answered or not data:
            yield from self._end(sealer, RefusedAnswer(Reason.INTERNAL, "the process that seals broke off"))

    def expire(self, now_ns: int) -> Iterator[Unsealed]:
        """Kills sealers that are late, and gives the refusals of their requests."""
        for sealer in tuple(self._sealers.values()):
            if now_ns >= sealer.deadline_ns:
                yield from self._end(sealer, RefusedAnswer(Reason.TIMED_OUT, "the value was not sealed in time"))
        self._reap()

    def next_deadline_ns(self) -> int | None:
        """Gives when expire has something to do next."""
        return min((sealer.deadline_ns for sealer in self._sealers.values()), default=None)

    def close(self) -> None:
        """Kills every sealer."""
        for sealer in tuple(self._sealers.values()):
            self._kill(sealer)

    def _end(self, sealer: _Sealer, answer: RefusedAnswer) -> Iterator[Unsealed]:
        self._kill(sealer)
        if not sealer.has_answered:
            yield Unsealed(sealer.request, answer)

    def _kill(self, sealer: _Sealer) -> None:
        del self._sealers[sealer.pid]
        self._unwatch(sealer.connection)
        sealer.connection.close()
        os.kill(sealer.pid, signal.SIGKILL)  # not reaped yet, so the number is still its own
        self._unreaped.add(sealer.pid)
        self._reap()

    def _reap(self) -> None:
        for pid in tuple(self._unreaped):
            if os.waitpid(pid, os.WNOHANG)[0]:
                self._unreaped.discard(pid)


def _accepted(sealer: _Sealer, part: Part) -> Part:
    if part.id != sealer.request.id or sealer.has_answered:
        message = "a sealer answered what it was not asked"
        raise ChannelError(message)
    sealer.sent_bytes += len(part.piece)
    if sealer.sent_bytes > _MAX_SENT:
        message = "a sealer's answer is out of bounds"
        raise ChannelError(message)
    sealer.has_answered = part.last
    return part


def _run(connection: socket.socket, proc: ProcRoot, request: RevealRequest) -> Never:
    """Answers the one request; never returns, since it runs in a forked copy of the reader."""
    status = 1
    try:
        become_own_process(connection.fileno(), proc.fd)
        answer = guarded(lambda: _sealed(proc, request))
        for payload in encode_answer(request.id, answer):
            connection.sendall(frame(payload))
        status = 0
    except (ChannelError, OSError):
        pass  # the reader is gone: nothing is left to do here
    finally:
        # Not sys.exit: the copy must not run the reader's own clean-up.
        os._exit(status)


def _sealed(proc: ProcRoot, request: RevealRequest) -> RevealAnswer:
    """Reads the value and seals it: an empty one, too, while of one that is not set there is nothing to seal."""
    value = read_breakglass_value(proc, request.process, request.name, request.scope)
    if value is None:
        return RevealAnswer(is_set=False, sealed=b"")
    # Imported by this process alone, which ends right after.
    from leadglass_agent.access.sealing import seal  # noqa: PLC0415

    sealed = seal(value.raw, request.recipient_key, request.process.pid, parse_name(request.name))
    return RevealAnswer(is_set=True, sealed=sealed)
