"""What the supervisor tells the front: that it shall stop, or that somebody interfered with the agent's processes."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from leadglass_agent.sandbox.posture import Posture, Role

MAX_NOTICE: Final = 4_096


class InterferenceCause(StrEnum):
    """What was done to a process of the agent that nobody but the container's runtime may do."""

    SIGNAL = "SIGNAL"
    STOPPED = "STOPPED"
    KILLED = "KILLED"
    PRIORITY = "PRIORITY"
    LIMITS = "LIMITS"
    SCHEDULING = "SCHEDULING"


class Stop(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """The container's runtime asked for the agent's end."""


class Interfered(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """Somebody did this to the process of that role; by_pid is who, in the agent's PID namespace, or 0 if unknown."""

    cause: InterferenceCause
    role: Role
    by_pid: int = 0


class Introduced(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """What the kernel says of the supervisor itself, once it is confined."""

    posture: Posture


Notice = Stop | Interfered | Introduced

_encoder: Final = msgspec.json.Encoder()
_decoder: Final[msgspec.json.Decoder[Notice]] = msgspec.json.Decoder(Notice)


def encode_notice(notice: Notice) -> bytes:
    """Encodes a notice as one packet."""
    return _encoder.encode(notice)


def decode_notice(packet: bytes) -> Notice | None:
    """Decodes a packet; None if it is no notice."""
    try:
        return _decoder.decode(packet)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
