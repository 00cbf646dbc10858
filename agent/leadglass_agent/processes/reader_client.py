"""The front's end of the channel to the reader: many questions at once, each with a deadline."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from leadglass_agent.errors import InvalidRequest, ReaderUnavailable, TimedOut
from leadglass_agent.processes.frames import ChannelError, FrameBuffer, frame
from leadglass_agent.processes.messages import (
    MAX_ANSWER,
    Answer,
    Part,
    Request,
    decode_answer,
    decode_part,
    encode_request,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_READ = 64 * 1024
_MAX_WAITING = 256  # above the calls that the server lets run at once


@dataclass(slots=True)
class _Waiting:
    """A question that has no whole answer yet."""

    answer: asyncio.Future[Answer]
    pieces: bytearray = field(default_factory=bytearray)


class ReaderClient:
    """Asks the reader; when the channel ends for any reason, every question is refused and `lost` is set for good."""

    def __init__(self, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._waiting: dict[int, _Waiting] = {}
        self._number = 0
        self.lost = asyncio.Event()

    @classmethod
    async def connect(cls, connection: socket.socket) -> ReaderClient:
        """Takes over one end of a socketpair."""
        return cls(*await asyncio.open_unix_connection(sock=connection))

    async def ask(self, build: Callable[[int, int], Request], seconds: float) -> Answer:
        """Sends the request that `build` makes of a number and a deadline; raises ReaderUnavailable or TimedOut."""
        if self.lost.is_set() or len(self._waiting) >= _MAX_WAITING:
            detail = "the channel to the reader is closed or full"
            raise ReaderUnavailable(detail)
        self._number += 1
        number = self._number
        waiting = _Waiting(asyncio.get_running_loop().create_future())
        self._waiting[number] = waiting
        try:
            async with asyncio.timeout(seconds):
                deadline = time.monotonic_ns() + int(seconds * 1e9)
                self._outgoing.write(frame(encode_request(build(number, deadline))))
                await self._outgoing.drain()
                return await waiting.answer
        except TimeoutError:
            detail = "the reader did not answer in time"
            raise TimedOut(detail) from None
        except ChannelError:
            detail = "the request and its scope do not fit into one frame"
            raise InvalidRequest(detail) from None
        except OSError:
            detail = "the reader is gone"
            raise ReaderUnavailable(detail) from None
        finally:
            # A late answer finds no one waiting and is dropped.
            del self._waiting[number]

    async def run(self) -> None:
        """Takes answers until the channel ends; the caller ends the program then."""
        buffer = FrameBuffer()
        try:
            while data := await self._incoming.read(_READ):
                for payload in buffer.feed(data):
                    self._take(decode_part(payload))
        except (ChannelError, OSError):
            pass  # the channel is unusable: the same end as its orderly close
        finally:
            self.lost.set()
            for waiting in self._waiting.values():
                if not waiting.answer.done():
                    waiting.answer.set_exception(ReaderUnavailable("the reader is gone"))

    def _take(self, part: Part) -> None:
        waiting = self._waiting.get(part.id)
        if waiting is None:
            return
        waiting.pieces += part.piece
        if len(waiting.pieces) > MAX_ANSWER:
            message = "an answer is out of bounds"
            raise ChannelError(message)
        if part.last and not waiting.answer.done():
            waiting.answer.set_result(decode_answer(bytes(waiting.pieces)))
