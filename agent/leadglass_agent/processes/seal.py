"""The reader's sealers: a process for each reveal, which reads one value, seals it, and is gone.

The raw value lives in that process alone, and the reader never holds the memory or the code of cryptography.
"""

from __future__ import annotations

import os
from contextlib import suppress
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
    decode_request,
    encode_answer,
    encode_request,
)
from leadglass_agent.sandbox.confine import confine_sealer
from leadglass_agent.sandbox.floor import require
from leadglass_agent.sandbox.posture import Role
from leadglass_agent.start import StartRefused
from leadglass_agent.views.environment_block import parse_name
from leadglass_agent.views.reveal import read_breakglass_value

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from leadglass_agent.processes.spawning import Spawner
    from leadglass_agent.sandbox.posture import SandboxLevel
    from leadglass_agent.views.procfs import ProcRoot

_MAX_SEALERS: Final = 2  # each takes 25 MB while it lives; a reveal is rare
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
    number: int
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
        spawner: Spawner,
        watch: Callable[[socket.socket], None],
        unwatch: Callable[[socket.socket], None],
    ) -> None:
        self._spawner = spawner
        self._watch = watch
        self._unwatch = unwatch
        self._sealers: dict[int, _Sealer] = {}

    def submit(self, request: RevealRequest, now_ns: int) -> RefusedAnswer | None:
        """Starts the process for a request; a refusal if there is no room for it."""
        if len(self._sealers) >= _MAX_SEALERS:
            return RefusedAnswer(Reason.RATE_LIMITED, "other values are being revealed")
        number, channel = self._spawner.start_sealer()
        channel.settimeout(0)
        with suppress(OSError):  # without a process at its other end the channel ends, which is read there
            channel.send(frame(encode_request(request)))
        self._watch(channel)
        self._sealers[number] = _Sealer(number, channel, request, min(request.deadline_ns, now_ns + _DEADLINE_NS))
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
        del self._sealers[sealer.number]
        self._unwatch(sealer.connection)
        sealer.connection.close()
        self._spawner.end(sealer.number)


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


def run(connection: socket.socket, proc: ProcRoot, *, floor: SandboxLevel) -> Never:
    """Answers one request; never returns, since it runs in a forked copy of the supervisor."""
    status = 1
    try:
        become_own_process(connection.fileno(), proc.fd)
        # Imported by this process alone, which ends right after; once it is confined no library can be loaded.
        from leadglass_agent.access.sealing import seal  # noqa: PLC0415

        require(confine_sealer(), Role.SEALER, floor)
        request = _reveal_request(connection)
        answer = guarded(lambda: _sealed(proc, request, seal))
        for payload in encode_answer(request.id, answer):
            connection.sendall(frame(payload))
        status = 0
    except (ChannelError, OSError, StartRefused):
        pass  # the reader is gone, or the sandbox is not what was asked for: nothing is left to do here
    finally:
        # Not sys.exit: the copy must not run the supervisor's own clean-up.
        os._exit(status)


def _reveal_request(connection: socket.socket) -> RevealRequest:
    """Reads the one request that comes; raises ChannelError if it is another."""
    buffer = FrameBuffer()
    while data := connection.recv(_READ):
        for payload in buffer.feed(data):
            request = decode_request(payload)
            if isinstance(request, RevealRequest):
                return request
    detail = "a sealer was asked for something else than a value"
    raise ChannelError(detail)


def _sealed(proc: ProcRoot, request: RevealRequest, seal: Callable[[bytes, bytes, int, bytes], bytes]) -> RevealAnswer:
    """Reads the value and seals it: an empty one, too, while of one that is not set there is nothing to seal."""
    value = read_breakglass_value(proc, request.process, request.name, request.scope)
    if value is None:
        return RevealAnswer(is_set=False, sealed=b"")
    sealed = seal(value.raw, request.recipient_key, request.process.pid, parse_name(request.name))
    return RevealAnswer(is_set=True, sealed=sealed)
