"""What becomes of a recorded call under another policy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from leadglass_client.replay.permitted import Refused

_MAX_ITEMS: Final = 100


class Kind(StrEnum):
    """What changes; the MAY ones are what the recording alone cannot settle."""

    REFUSED = "REFUSED"
    LOST = "LOST"
    MASKED = "MASKED"
    MAY_LOSE = "MAY_LOSE"
    ANSWERED = "ANSWERED"
    SHOWN = "SHOWN"
    UNMASKED = "UNMASKED"
    MAY_SHOW = "MAY_SHOW"

    @property
    def is_wider(self) -> bool:
        """Says whether it gives more than the caller had; what may give more counts as if it did."""
        return self in _WIDER


_WIDER: Final = frozenset({Kind.ANSWERED, Kind.SHOWN, Kind.UNMASKED, Kind.MAY_SHOW})


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changes: for the permission or profile `what`, in `count` rows, of which `items` are the first."""

    kind: Kind
    what: str
    count: int = 0
    items: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Anew:
    """A call as it would be answered: with these messages, or with this refusal, and how that differs.

    The messages hold what was recorded, without what is lost and masked; what may be shown besides is not known.
    """

    replies: tuple[Message, ...] = ()
    refused: Refused | None = None
    changes: tuple[Change, ...] = ()


class Tally:
    """Collects items by kind and permission while the rows of a reply are looked at one by one."""

    def __init__(self) -> None:
        self._items: dict[tuple[Kind, str, str], list[str]] = {}

    def add(self, kind: Kind, what: str, item: str, note: str = "") -> None:
        """Adds one row."""
        self._items.setdefault((kind, what, note), []).append(item)

    def changes(self) -> tuple[Change, ...]:
        """Gives what was added, one change for each kind and permission."""
        return tuple(
            Change(kind, what, len(items), tuple(items[:_MAX_ITEMS]), note)
            for (kind, what, note), items in self._items.items()
        )
