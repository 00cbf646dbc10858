"""What the frames of a recording say: who opened the session, each call, each of its replies, how all of it ended.

A frame holds the length of a JSON object in four bytes, the object (UTF-8, sorted keys, no spaces), and the bytes of
the request or reply. Whoever replays needs the standard library alone for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Final, TypeAlias

from leadglass_agent.recordings.format import RecordingError

REVEALED_VALUE: Final = "REVEALED_VALUE"  # stands in Replied.withheld where a reply held what is shown once

_LENGTH: Final = 4
_MAX_JSON: Final = 4 * 1024 * 1024  # eight grants of 64 KiB, and escapes
_INTEGERS: Final = range(2**63)  # what an agent counts in: times, sizes, numbers of processes

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Opened:
    """Who opened the session, why, until when, and under what; times in nanoseconds since 1970. Always the first."""

    time_unix_ns: int
    session_id: str
    caller: str
    key_digest: str
    reason: str
    ticket: str
    expires_unix_ns: int
    grants: tuple[str, ...]
    target: tuple[int, ...] | None
    peer: str
    evidence_subject: str
    policy_digest: str
    agent_id: str
    version: str


@dataclass(frozen=True, slots=True)
class Called:
    """A call as it came, and what its decision depended on; `request` is the payload.

    `standing` is None if the call was refused before policy was asked.
    """

    call_id: str
    method: str
    permission: str
    widens: tuple[str, ...]
    time_unix_ns: int
    policy_digest: str
    rules: tuple[str, ...]
    grants: tuple[str, ...]
    standing: dict[str, Json] | None
    request: bytes = b""


@dataclass(frozen=True, slots=True)
class Replied:
    """One message that was shown, numbered from 0; `message` is the payload, empty if it is `withheld` from here."""

    call_id: str
    number: int
    time_unix_ns: int
    withheld: str = ""
    message: bytes = b""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended: with the reason and the public text of a refusal, or with neither."""

    call_id: str
    time_unix_ns: int
    duration_us: int
    refusal: str
    public: str
    replies: int
    rows: int
    masked: int


@dataclass(frozen=True, slots=True)
class Closed:
    """How the session ended, and how many calls it had. Always the last."""

    time_unix_ns: int
    state: str
    calls: int


Record: TypeAlias = Opened | Called | Replied | Ended | Closed

_KINDS: Final[dict[str, type[Record]]] = {
    "OPENED": Opened,
    "CALL": Called,
    "REPLY": Replied,
    "END": Ended,
    "CLOSED": Closed,
}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}
_PAYLOADS: Final = {Called: "request", Replied: "message"}


def encode(record: Record) -> bytes:
    """Gives what the record's frame holds."""
    kind = type(record)
    payload = _PAYLOADS.get(kind)
    members = {field.name: getattr(record, field.name) for field in fields(record) if field.name != payload}
    text = json.dumps(
        members | {"kind": _NAMES[kind]}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode("utf-8", "backslashreplace")
    return b"".join((len(text).to_bytes(_LENGTH), text, getattr(record, payload) if payload else b""))


def decode(plain: bytes) -> Record:
    """Reads what a frame holds; raises RecordingError unless it is exactly a record."""
    size = int.from_bytes(plain[:_LENGTH])
    end = _LENGTH + size
    if len(plain) < end or size > _MAX_JSON:
        message = "a frame is shorter than what it says, or its description is too large"
        raise RecordingError(message)
    try:
        members = json.loads(plain[_LENGTH:end])
    except (ValueError, RecursionError):
        members = None
    kind = _KINDS.get(str(members.pop("kind", ""))) if isinstance(members, dict) else None
    if kind is None:
        message = "a frame holds no known record"
        raise RecordingError(message)
    return _record(kind, members, plain[end:])


def _record(kind: type[Record], members: dict[str, object], payload: bytes) -> Record:
    name = _PAYLOADS.get(kind)
    expected = {field.name: str(field.type) for field in fields(kind) if field.name != name}
    if members.keys() != expected.keys() or (payload and name is None):
        message = f"a record {_NAMES[kind]} has not exactly its members"
        raise RecordingError(message)
    taken: dict[str, object] = {member: _taken(members[member], form) for member, form in expected.items()}
    if name is not None:
        taken[name] = payload
    return kind(**taken)  # type: ignore[arg-type] # each was taken by the annotation of its own field


def _taken(value: object, form: str) -> object:
    """Takes a member as the field's annotation says."""
    match form, value:
        case "str", str():
            return value
        case "int", int() if _is_integer(value):
            return value
        case "tuple[str, ...]", list() if all(isinstance(one, str) for one in value):
            return tuple(value)
        case "tuple[int, ...] | None", list() if all(map(_is_integer, value)):
            return tuple(value)
        case (("tuple[int, ...] | None" | "dict[str, Json] | None"), None):
            return None
        case "dict[str, Json] | None", dict():
            return value
        case _:
            message = "a member of a record is of another type than it must be"
            raise RecordingError(message)


def _is_integer(value: object) -> bool:
    return type(value) is int and value in _INTEGERS
