"""Reads the lines of a log as records, strictly and as a stream; whether nothing is missing `verify` alone can say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, Final

from leadglass_agent.audit.canonical import NotCanonical, NotJson, parse
from leadglass_agent.audit.record import RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from leadglass_agent.audit.canonical import Json

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_NUMBER_END: Final = 2**64
_KIND: Final = re.compile(r"[A-Z_]{1,32}")


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it is on disk, with its newline; `record` is None if it is no record of an agent's log.

    Of a line that is too long only the first RECORD_BYTES + 1 bytes are kept.
    """

    text: bytes
    record: dict[str, Json] | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records are wanted; what is empty asks for nothing. Times are as in the log; `until` is not included."""

    since: str = ""
    until: str = ""
    session_id: str = ""
    caller: str = ""
    kinds: frozenset[str] = frozenset()

    def wants(self, record: Mapping[str, Json]) -> bool:
        """Says whether a record is one of those asked for."""
        time = text_of(record, "time")
        return (
            (not self.since or time >= self.since)
            and (not self.until or time < self.until)
            and (not self.session_id or record.get("session_id") == self.session_id)
            and (not self.caller or record.get("caller") == self.caller)
            and (not self.kinds or record.get("kind") in self.kinds)
        )


def lines_of(stream: BinaryIO) -> Iterator[Line]:
    """Yields every line in bounded memory; raises only what reading raises."""
    while text := stream.readline(RECORD_BYTES + 1):
        whole = text.endswith(b"\n") and len(text) <= RECORD_BYTES
        if not text.endswith(b"\n"):
            _skip_line(stream)
        yield Line(text, _record(text[:-1]) if whole else None)


def _skip_line(stream: BinaryIO) -> None:
    """Reads on to the end of a line that is too long to be a record, so that it counts as one."""
    while text := stream.readline(RECORD_BYTES):
        if text.endswith(b"\n"):
            return


def _record(text: bytes) -> dict[str, Json] | None:
    try:
        fields = parse(text)
    except (NotJson, NotCanonical):
        return None
    match fields:
        case {"v": int(), "seq": int(), "boot_ns": int(), "time": str(time), "kind": str(kind), "hash": str()}:
            return fields if _is_time(time) and _KIND.fullmatch(kind) and _in_bounds(fields) else None
        case _:
            return None


def _is_time(text: str) -> bool:
    if _TIME.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:  # the 31st of June
        return False
    return True


def _in_bounds(record: dict[str, Json]) -> bool:
    """Says whether all numbers are ones that an agent writes; others do not fit what exports and lists make of them."""
    left: list[Json] = [record]
    while left:
        match left.pop():
            case int(number) if abs(number) >= _NUMBER_END:
                return False
            case list(items):
                left.extend(items)
            case dict(members):
                left.extend(members.values())
            case _:
                pass
    return True


def text_of(record: Mapping[str, Json], name: str) -> str:
    """Returns the text of a field, and no text for one that is not set or of another type."""
    value = record.get(name)
    return value if isinstance(value, str) else ""


def number_of(record: Mapping[str, Json], name: str) -> int | None:
    """Returns the number of a field, None for one that is not set or of another type."""
    value = record.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def texts_of(record: Mapping[str, Json], name: str) -> tuple[str, ...]:
    """Returns the texts of a list, none for a field that is not set or of another type."""
    value = record.get(name)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def members_of(record: Mapping[str, Json], name: str) -> dict[str, Json]:
    """Returns the members of an object, none for a field that is not set or of another type."""
    value = record.get(name)
    return value if isinstance(value, dict) else {}
