"""What was found where: rule ids, positions, never a value."""

from __future__ import annotations

from typing import NewType

import msgspec

RuleId = NewType("RuleId", str)


class RedactionError(Exception):
    """The redactor failed, so there is no text; the message is fixed and holds nothing of the input."""

    def __init__(self) -> None:
        super().__init__("redaction failed; nothing is shown")


class Finding(msgspec.Struct, frozen=True, gc=False):
    """One masked span of the input: bytes start to end (exclusive), and the rule that asked for it."""

    rule_id: RuleId
    start: int
    end: int
