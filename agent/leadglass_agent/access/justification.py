"""Judges the reason and the ticket that a caller gives for a session."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from leadglass_agent.errors import ReasonRefused, TicketRefused
from leadglass_agent.policy.ticket import MAX_TICKET

if TYPE_CHECKING:
    from leadglass_agent.policy.model import SessionLimits

MAX_REASON: Final = 500
MIN_FINDING: Final = 20
MIN_WORDS: Final = 3
MIN_DISTINCT_CHARACTERS: Final = 6

# From here on (CJK radicals and what follows) scripts write words without spaces between them.
_UNSPACED: Final = "\u2e80"


def judge_reason(reason: str, limits: SessionLimits) -> str:
    """Returns the reason with its white space collapsed; raises ReasonRefused if it is no reason in words."""
    fault = _reason_fault(reason, limits.min_reason_characters)
    if fault:
        raise ReasonRefused(fault)
    return _collapsed(reason)


def judge_finding(finding: str) -> str:
    """Returns what a review found, with its white space collapsed; raises ReasonRefused if it says nothing."""
    fault = _reason_fault(finding, MIN_FINDING)
    if fault:
        raise ReasonRefused(fault)
    return _collapsed(finding)


def judge_ticket(ticket: str, limits: SessionLimits) -> str:
    """Returns the ticket without surrounding spaces; raises TicketRefused if it is missing or of another form."""
    stripped = ticket.strip(" ")
    fault = _ticket_fault(stripped, limits)
    if fault:
        raise TicketRefused(fault)
    return stripped


def _reason_fault(reason: str, least: int) -> str:
    if len(reason) > MAX_REASON:
        return f"longer than {MAX_REASON} characters"
    collapsed = _collapsed(reason)
    if any(unicodedata.category(character) == "Cc" for character in reason) or not collapsed.isprintable():
        return "holds a control or an invisible character"
    if len(collapsed) < least:
        return f"shorter than {least} characters"
    folded = collapsed.casefold()
    if len(_words(folded)) < MIN_WORDS:
        return f"has fewer than {MIN_WORDS} different words"
    if len({character for character in folded if character.isalnum()}) < MIN_DISTINCT_CHARACTERS:
        return f"has fewer than {MIN_DISTINCT_CHARACTERS} different letters and digits"
    return ""


def _ticket_fault(ticket: str, limits: SessionLimits) -> str:
    if not ticket or len(ticket) > MAX_TICKET:
        return f"not 1 to {MAX_TICKET} characters long"
    if not ticket.isprintable() or not any(character.isalnum() for character in ticket):
        return "holds an invisible character, or no letter or digit"
    if not all(pattern.fits(ticket) for pattern in limits.ticket_patterns):
        return "not of the form that policy asks for"
    return ""


def _collapsed(text: str) -> str:
    return " ".join(text.split())


def _words(text: str) -> set[str]:
    spaced = {word for word in text.split(" ") if any(character.isalnum() for character in word)}
    return spaced | {character for character in text if character >= _UNSPACED and character.isalpha()}
