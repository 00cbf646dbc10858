"""The front's end of the channel to the reader: many questions at once, each with a deadline."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
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
_MAX_UNSENT = 4 * 1024 * 1024
_MAX_WAITING = 256  # above the calls that the server lets run at once


@dataclass(slots=True)
class _Waiting:
    """A question that has no whole answer yet."""

    answer: asyncio.Future[Answer]
    pieces: bytearray = field(default_factory=bytearray)


class ReaderClient:
    """Asks the reader; when the channel ends for any reason, every question is refused and `lost` is set for good.

    The socket is read by the loop itself and not by a task: a turn of the loop less for each answer, of two a call.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = FrameBuffer()
        self._unsent = bytearray()
        self._waiting: dict[int, _Waiting] = {}
        self._number = 0
        self.lost = asyncio.Event()

    @classmethod
    async def connect(cls, connection: socket.socket) -> ReaderClient:
        """Takes over one end of a socketpair."""
        connection.settimeout(0)
        return cls(connection)

    async def ask(self, build: Callable[[int, int], Request], seconds: float) -> Answer:
        """Sends the request that `build` makes of a number and a deadline; raises ReaderUnavailable or TimedOut."""
        if self.lost.is_set() or len(self._waiting) >= _MAX_WAITING or len(self._unsent) > _MAX_UNSENT:
            detail = "the channel to the reader is closed or full"
            raise ReaderUnavailable(detail)
        self._number += 1
        number = self._number
        waiting = _Waiting(asyncio.get_running_loop().create_future())
        self._waiting[number] = waiting
        try:
            deadline = time.monotonic_ns() + int(seconds * 1e9)
            self._send(frame(encode_request(build(number, deadline))))
            async with asyncio.timeout(seconds):
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
        """Takes answers until the channel ends."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._connection, self._readable)
        try:
            await self.lost.wait()
        finally:
            loop.remove_reader(self._connection)
            loop.remove_writer(self._connection)
            self._connection.close()
            self._lose()

    def _readable(self) -> None:
        try:
            data = self._connection.recv(_READ)
            for payload in self._buffer.feed(data):
                self._take(decode_part(payload))
        except BlockingIOError:
            return
        except (ChannelError, OSError):
            data = b""  # the channel is unusable: the same end as its orderly close
        if not data:
            asyncio.get_running_loop().remove_reader(self._connection)
            self._lose()

    def _send(self, data: bytes) -> None:
        """Sends at once what the channel takes, and the rest when it takes more; raises OSError."""
        sent = 0
        if not self._unsent:
            with suppress(BlockingIOError):
                sent = self._connection.send(data)
        if sent < len(data):
            self._unsent += data[sent:]
            asyncio.get_running_loop().add_writer(self._connection, self._writable)

    def _writable(self) -> None:
        try:
            del self._unsent[: self._connection.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self._unsent.clear()  # the end is noticed where answers are read
        if not self._unsent:
            asyncio.get_running_loop().remove_writer(self._connection)

    def _lose(self) -> None:
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
