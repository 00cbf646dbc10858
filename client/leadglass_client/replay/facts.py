"""What a recording tells of the processes that its calls were about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from leadglass.v1.common_pb2 import UNAVAILABLE_REASON_NOT_PERMITTED, VisibleText
from leadglass.v1.inspect_pb2 import ListProcessesResponse
from leadglass_agent.policy.scope import ProcessFacts
from leadglass_client.replay.admitting import UNKNOWN_PROCESS, KnownProcess, Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.protobuf.message import Message

    from leadglass.v1.common_pb2 import ProcessRef
    from leadglass.v1.inspect_pb2 import Process

_MASK: Final = "[redacted:"
_ESCAPE: Final = re.compile(r"\\(?:\\|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
_STRAY: Final = 0xDC00  # where surrogateescape puts a byte that is not UTF-8


class Facts:
    """The processes that a recording shows somewhere, by number, and by the call that showed them."""

    def __init__(self, replies: Iterable[tuple[int, Sequence[Message]]]) -> None:
        self._seen: dict[int, dict[int, Process]] = {}
        for call, messages in replies:
            for message in messages:
                if isinstance(message, ListProcessesResponse):
                    for row in message.processes:
                        self._seen.setdefault(row.ref.pid, {})[call] = row

    def process(self, ref: ProcessRef, call: int) -> KnownProcess:
        """Gives what is known of a process at a call: as it was listed last before it, else first after it.

        A start of 0 means whichever process had the number then.
        """
        seen = {
            at: row for at, row in self._seen.get(ref.pid, {}).items() if ref.start_ticks in (0, row.ref.start_ticks)
        }
        if not seen:
            return UNKNOWN_PROCESS
        before = [at for at in seen if at <= call]
        return known_process(seen[max(before) if before else min(seen)])

    def parent(self, row: Process, call: int) -> KnownProcess:
        """Gives what is known of the parent of a process that is listed at a call."""
        found = self.parent_row(row, call)
        return UNKNOWN_PROCESS if found is None else known_process(found)

    def parent_row(self, row: Process, call: int) -> Process | None:
        """Gives the row of the parent, from the same answer if it is there; a younger process is not the parent."""
        seen = self._seen.get(row.parent_pid, {})
        here = seen.get(call)
        if here is not None and here.ref.start_ticks <= row.ref.start_ticks:
            return here
        older = [at for at, one in seen.items() if one.ref.start_ticks <= row.ref.start_ticks]
        return seen[min(older, key=lambda at: abs(at - call))] if older else None


def known_process(row: Process) -> KnownProcess:
    """Gives what a row tells of its process; its number is left out, as no selector asks for it."""
    unknown: set[Part] = set()
    name = raw_text(row.name)
    if name is None:
        unknown.add(Part.NAMES)
    executable = raw_text(row.executable) if row.HasField("executable") else None
    # Where the kernel shows none, policy knew none either; where policy hid it, or masking did, nobody can tell.
    if executable is None and (
        row.HasField("executable") or row.executable_unavailable == UNAVAILABLE_REASON_NOT_PERMITTED
    ):
        unknown.add(Part.EXECUTABLES)
    return KnownProcess(
        ProcessFacts(pid=1, uid=row.owner_uid, name=name or "", executable=executable), frozenset(unknown)
    )


def raw_text(shown: VisibleText) -> str | None:
    """Gives text as policy sees it; None if it was masked or cut, so that nobody can tell what it was."""
    if shown.truncated or _MASK in shown.text:
        return None
    return _ESCAPE.sub(_unescaped, shown.text)


def _unescaped(match: re.Match[str]) -> str:
    escape = match[0]
    if escape == "\\\\":
        return "\\"
    kind, digits = escape[1], escape[2:]
    code = int(digits, base=16)
    return chr(_STRAY + code if kind == "x" else code)
