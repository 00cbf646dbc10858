"""Writes and reads the lines of a file of receipts, one JSON object each."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_AGENT_END: Final = "/log/"  # of an origin: before it stands the agent, behind it which of its logs
_STATE: Final = re.compile(r"(?P<origin>[^\n]{1,512})\n(?P<size>[1-9][0-9]{0,18})\n.*", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """What is kept of one call, in the words of the file; `time` is when the receipt came, RFC 3339 in UTC."""

    seq: int
    leaf: str
    hashes: tuple[str, ...]
    checkpoint: str
    key: str
    method: str
    time: str

    @property
    def origin(self) -> str:
        """The log, as the checkpoint names it."""
        return self.checkpoint.split("\n")[0]

    @property
    def size(self) -> int:
        """The number of records in the checkpoint; 0 if it names none."""
        found = _STATE.fullmatch(self.checkpoint)
        return int(found["size"]) if found else 0

    @property
    def root(self) -> str:
        """The root in the checkpoint, base64."""
        return [*self.checkpoint.split("\n"), "", ""][2]


def agent_of(origin: str) -> str:
    """Gives the agent of a log: its SPIFFE id without the scheme."""
    return origin.partition(_AGENT_END)[0]


def line_of(receipt: StoredReceipt, contradicts: str = "") -> bytes:
    """Gives the line of a receipt, with what it contradicts if it does."""
    document = asdict(receipt) | ({"contradicts": contradicts} if contradicts else {})
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def receipts_in(lines: Iterable[bytes]) -> Iterator[StoredReceipt]:
    """Yields the receipts among the lines; what is none is passed over, as the end of a write that failed is."""
    for text in lines:
        try:
            document: object = json.loads(text)  # a number of more than 4,300 digits is a ValueError, too
        except (ValueError, RecursionError):
            continue
        match document:
            case {
                "seq": int(seq),
                "leaf": str(leaf),
                "hashes": list(hashes),
                "checkpoint": str(checkpoint),
                "key": str(key),
                "method": str(method),
                "time": str(time),
            } if _STATE.fullmatch(checkpoint) and _is_text(checkpoint, key, leaf, method, time):
                yield StoredReceipt(seq, leaf, tuple(str(one) for one in hashes), checkpoint, key, method, time)
            case _:
                pass


def _is_text(*texts: str) -> bool:
    """Whether the texts can be written: JSON may name half of a character."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True
