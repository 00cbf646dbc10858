"""Reads what bounds a session: the policy's own limits, a role's, which can only be tighter, and a role's budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import UnsetType

from leadglass_agent.policy.document import BudgetPart
from leadglass_agent.policy.model import Budget, SessionLimits
from leadglass_agent.policy.ticket import TicketPatternError, parse_ticket_pattern

if TYPE_CHECKING:
    from leadglass_agent.policy.document import PolicyFile, SessionPart
    from leadglass_agent.policy.ticket import TicketPattern
    from leadglass_agent.strict_yaml import Document, Path

DEFAULTS: Final = SessionLimits(
    max_minutes=60,
    idle_minutes=15,
    max_open=3,
    calls_per_minute=120,
    min_reason_characters=20,
)


def policy_limits(document: Document[PolicyFile]) -> SessionLimits:
    """Reads the policy's own limits; what the file leaves out is DEFAULTS."""
    return _filled(document, ("spec", "session"), document.value.spec.session, DEFAULTS)


def role_limits(document: Document[PolicyFile], path: Path, part: SessionPart, policy: SessionLimits) -> SessionLimits:
    """Reads a role's limits; what it leaves out is the policy's, and a looser value raises DocumentError."""
    limits = _filled(document, path, part, policy)
    for key, given, own in (
        ("maxMinutes", limits.max_minutes, policy.max_minutes),
        ("idleMinutes", limits.idle_minutes, policy.idle_minutes),
        ("maxOpen", limits.max_open, policy.max_open),
        ("callsPerMinute", limits.calls_per_minute, policy.calls_per_minute),
        # Here more is tighter.
        ("minReasonCharacters", -limits.min_reason_characters, -policy.min_reason_characters),
    ):
        if given > own:
            # It would have no effect, because the strictest value holds; better to say so than to let it look granted.
            raise document.error((*path, key), f"a role can only tighten a limit: the policy's own is {abs(own)}")
    return limits


def role_budget(document: Document[PolicyFile], path: Path, part: BudgetPart | UnsetType) -> Budget:
    """Reads a role's budget; what it leaves out is not bounded."""
    if isinstance(part, UnsetType):
        return Budget()
    if part == BudgetPart():
        raise document.error(path, "a budget needs at least one of its numbers")
    return Budget(
        calls=_or_none(part.calls),
        rows=_or_none(part.rows),
        names=_or_none(part.names),
        paths=_or_none(part.paths),
        reply_bytes=_or_none(part.reply_bytes),
        answers=_or_none(part.answers),
    )


def _filled(document: Document[PolicyFile], path: Path, part: SessionPart, outer: SessionLimits) -> SessionLimits:
    return SessionLimits(
        max_minutes=_or(part.max_minutes, outer.max_minutes),
        idle_minutes=_or(part.idle_minutes, outer.idle_minutes),
        max_open=_or(part.max_open, outer.max_open),
        calls_per_minute=_or(part.calls_per_minute, outer.calls_per_minute),
        min_reason_characters=_or(part.min_reason_characters, outer.min_reason_characters),
        ticket_patterns=_tickets(document, path, part.ticket_pattern, outer.ticket_patterns),
    )


def _or(given: int | UnsetType, otherwise: int) -> int:
    return otherwise if isinstance(given, UnsetType) else given


def _or_none(given: int | UnsetType) -> int | None:
    return None if isinstance(given, UnsetType) else given


def _tickets(
    document: Document[PolicyFile], path: Path, text: str | UnsetType, outer: tuple[TicketPattern, ...]
) -> tuple[TicketPattern, ...]:
    if isinstance(text, UnsetType):
        return outer
    try:
        pattern = parse_ticket_pattern(text)
    except TicketPatternError as fault:
        raise document.error((*path, "ticketPattern"), str(fault)) from None
    return outer if pattern in outer else (*outer, pattern)
