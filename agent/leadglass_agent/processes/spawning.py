"""The reader's way to processes of its own: orders to the supervisor, which alone may fork and kill.

A process that reads what the app wrote is so never a copy of the reader: it holds neither its keys nor what it read.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from itertools import count
from typing import Final, Literal

import msgspec

MAX_ORDER: Final = 1_024
MAX_DESCRIPTORS: Final = 2
_SEND_SECONDS: Final = 1.0  # a supervisor that takes no order for this long was stopped by somebody


Task = Literal["files", "secrets"]


class SpawnWorker(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Asks for a file worker; with it come its end of the channel and the target's root. `group` names that root."""

    number: int
    group: str
    task: Task = "files"


class SpawnSealer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Asks for a process that seals one value; with it comes its end of the channel."""

    number: int


class End(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Asks for the end of a process that is late or no longer needed."""

    number: int


Order = SpawnWorker | SpawnSealer | End

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final[msgspec.msgpack.Decoder[Order]] = msgspec.msgpack.Decoder(Order)


def decode_order(packet: bytes) -> Order | None:
    """Decodes a packet; None if it is no order."""
    try:
        return _decoder.decode(packet)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


class Spawner:
    """Gives orders; whether one was followed shows at the channel's end, which is at its end if it was not."""

    def __init__(self, supervisor: socket.socket) -> None:
        self._supervisor = supervisor
        self._numbers = count(1)
        supervisor.settimeout(_SEND_SECONDS)

    def start_worker(self, group: str, root: int, task: Task = "files") -> tuple[int, socket.socket]:
        """Orders a file worker for a root, or one for the secrets below it; gives its number and the channel to it."""
        number = next(self._numbers)
        return number, self._start(SpawnWorker(number, group, task), root)

    def start_sealer(self) -> tuple[int, socket.socket]:
        """Orders a process that seals; gives its number and the channel to it."""
        number = next(self._numbers)
        return number, self._start(SpawnSealer(number))

    def end(self, number: int) -> None:
        """Orders the end of a process."""
        with suppress(OSError):  # the supervisor is gone, and so is every process of it
            self._supervisor.send(_encoder.encode(End(number)))

    def _start(self, order: Order, *descriptors: int) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs, suppress(OSError):
            socket.send_fds(self._supervisor, [_encoder.encode(order)], [theirs.fileno(), *descriptors])
        return ours
