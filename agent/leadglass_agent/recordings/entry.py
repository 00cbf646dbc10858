"""One recording as it is known: how far it has come, when, how large; and the stone that stays of a destroyed one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

NUMBER_BYTES: Final = 8
STONE_BYTES: Final = 4 * NUMBER_BYTES


class RecordingState(StrEnum):
    """How far a recording has come; the names are those of leadglass.v1.RecordingState."""

    OPEN = "OPEN"
    COMPLETE = "COMPLETE"
    INTERRUPTED = "INTERRUPTED"
    SHREDDED = "SHREDDED"


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording: times in nanoseconds since 1970, `end_unix_ns` 0 if nobody knows, `kept_from` for the retention.

    Caller and ticket are known while the agent runs that wrote it, and else where the agent can open its first frame.
    """

    session_id: str
    open_unix_ns: int
    state: RecordingState
    size_bytes: int
    end_unix_ns: int = 0
    kept_from_unix_ns: int = 0
    is_held: bool = False
    caller: str = ""
    ticket: str = ""

    @property
    def place(self) -> tuple[int, str]:
        """Its place in a list: the newest first."""
        return -self.open_unix_ns, self.session_id

    def shredded(self, now_unix_ns: int) -> Entry:
        """Gives it as it is once its key was destroyed."""
        return replace(self, state=RecordingState.SHREDDED, kept_from_unix_ns=now_unix_ns, caller="", ticket="")

    def stone(self) -> bytes:
        """Gives the content of the stone of a destroyed one."""
        numbers = (self.open_unix_ns, self.end_unix_ns, self.size_bytes, self.kept_from_unix_ns)
        return b"".join(number.to_bytes(NUMBER_BYTES) for number in numbers)


def read_stone(session_id: str, content: bytes) -> Entry | None:
    """Reads a stone; None for what is none."""
    if len(content) != STONE_BYTES:
        return None
    opened, ended, size, gone = (
        int.from_bytes(content[at : at + NUMBER_BYTES]) for at in range(0, STONE_BYTES, NUMBER_BYTES)
    )
    return Entry(session_id, opened, RecordingState.SHREDDED, size, ended, gone)


def end_mark(state: RecordingState, unix_ns: int) -> bytes:
    """Gives the content of the file that says how and when a recording ended."""
    return (b"C" if state is RecordingState.COMPLETE else b"I") + unix_ns.to_bytes(NUMBER_BYTES)


def ended(entry: Entry, state: RecordingState, unix_ns: int) -> Entry:
    """Gives it as it is once it ended; of an interrupted one the time is when it was last written."""
    end_unix_ns = unix_ns if state is RecordingState.COMPLETE else 0
    return replace(entry, state=state, end_unix_ns=end_unix_ns, kept_from_unix_ns=unix_ns)


def ended_as_marked(entry: Entry, mark: bytes) -> Entry:
    """Gives it as its mark says that it ended; what of the mark is missing counts as 0."""
    unix_ns = int.from_bytes(mark[1 : 1 + NUMBER_BYTES].ljust(NUMBER_BYTES, b"\0"))
    return ended(entry, RecordingState.COMPLETE if mark[:1] == b"C" else RecordingState.INTERRUPTED, unix_ns)
