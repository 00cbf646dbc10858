"""Turns a process' command line into masked arguments within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.escape import UNREADABLE, Visible, visible
from leadglass_agent.redaction.findings import RedactionError

if TYPE_CHECKING:
    from leadglass_agent.redaction.findings import RuleId
    from leadglass_agent.redaction.redactor import Redactor
    from leadglass_agent.views.procfs import Block
    from leadglass_agent.views.remembered import Remembered

MAX_BYTES: Final = 64 * 1024
_MAX_ARGUMENTS: Final = 256
_MAX_CHARACTERS: Final = 1_024
_MAX_ROW_CHARACTERS: Final = 4_096


@dataclass(frozen=True, slots=True)
class Arguments:
    """Masked arguments; truncated if some are missing at the end; masked names the rule of each mask."""

    shown: tuple[Visible, ...]
    truncated: bool
    masked: tuple[RuleId, ...]


def remembered_arguments(
    block: Block, argument_bytes: int | None, redactor: Redactor, remembered: Remembered[Arguments]
) -> Arguments:
    """Gives what mask_arguments gives, from memory if the same was asked before."""
    digest = remembered.digest(block.data, f"{block.cut} {argument_bytes} {redactor.profile}".encode())
    found = remembered.find(digest)
    if found is not None:
        return found
    made = mask_arguments(block, argument_bytes, redactor)
    return remembered.keep(digest, made, sum(len(one.text) for one in made.shown))


def mask_arguments(block: Block, argument_bytes: int | None, redactor: Redactor) -> Arguments:
    """Splits the block at its NULs, masks the arguments together and then escapes and cuts each.

    A program that writes its title over its arguments makes the kernel read on into the environment. So what lies
    beyond `argument_bytes`, the size of the arguments at exec, is not shown where the kernel tells that size.
    Arguments that cannot be looked through are not shown, and hide no other process.
    """
    try:
        return _masked(block, argument_bytes, redactor)
    except RedactionError:
        return Arguments((UNREADABLE,), truncated=True, masked=())


def _masked(block: Block, argument_bytes: int | None, redactor: Redactor) -> Arguments:
    data, truncated = block.data, block.cut
    if argument_bytes is not None and len(data) > argument_bytes:
        data, truncated = data[: _end_of_title(data, argument_bytes, redactor)], True
    raw = data.split(b"\0")
    # Behind the last NUL there is nothing, or an argument whose end is missing: half a secret no longer looks like one.
    if raw[-1] == b"" or block.cut:
        raw.pop()
    if len(raw) > _MAX_ARGUMENTS:
        raw, truncated = raw[:_MAX_ARGUMENTS], True
    shown: list[Visible] = []
    room = _MAX_ROW_CHARACTERS
    masked: list[RuleId] = []
    for redaction in redactor.redact_arguments(raw):
        masked.extend(finding.rule_id for finding in redaction.findings)
        if room <= 0:
            truncated = True
            continue
        text = visible(redaction.text, min(_MAX_CHARACTERS, room))
        room -= len(text.text)
        shown.append(text)
    return Arguments(tuple(shown), truncated, tuple(masked))


def _end_of_title(data: bytes, argument_bytes: int, redactor: Redactor) -> int:
    """Gives where to cut a title, so that no secret is cut in two and stays unrecognised."""
    across = (one.start for one in redactor.redact(data).findings if one.start < argument_bytes < one.end)
    return min(across, default=argument_bytes)
