"""What is known of a call while it takes its steps: the event for the audit log, and the caller's own words."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from leadglass_agent.api import known_values

if TYPE_CHECKING:
    from leadglass_agent.api.methods import Method
    from leadglass_agent.api.question import Call, Reply
    from leadglass_agent.audit.record import Event
    from leadglass_agent.clock import Instant
    from leadglass_agent.policy.model import Policy
    from leadglass_agent.policy.standing import Standing

_Field: TypeAlias = str | int | tuple[str, ...] | tuple[tuple[str, str | int | bool], ...] | None


class Trail:
    """The event that grows while a call takes its steps, what was masked, how far it has come, and what it holds."""

    def __init__(self, event: Event, policy: Policy, method: Method | None, started: Instant) -> None:
        self._event = event
        self._added: dict[str, _Field] = {}
        self.policy = policy
        self.method = method
        self.started = started
        self.redactions: Counter[str] = Counter()
        self.held = ExitStack()
        self.request = b""
        self.standing: Standing | None = None
        self.replies = 0
        self.is_taped = False
        self._run_on = b""
        self.is_announced = False
        self.is_answered = False
        self.is_noted = False

    @property
    def event(self) -> Event:
        """The event as it is known now."""
        if self._added:  # made when somebody looks, and not for every step: it has forty fields
            self._event = replace(self._event, **self._added)  # type: ignore[arg-type] # the names are Event's own; mypy cannot spread them
            self._added = {}
        return self._event

    def add(self, **fields: _Field) -> None:
        """Adds what a step found out."""
        self._added |= fields

    def decide_by(self, policy: Policy) -> None:
        """Notes the policy that decides from here on, so that the record names the one that did."""
        self.policy = policy
        self.add(policy_digest=policy.digest)

    def run_on(self, reply: Reply) -> bytes:
        """Gives a message's text behind the end of the message before it, since a value may lie across both."""
        running = self._run_on + reply.running_text.encode()
        self._run_on = running[-known_values.OVERLAP :]
        return running

    def own_words(self, call: Call, reply: Reply) -> bytes:
        """Gives what the caller wrote itself: it learns nothing when that comes back."""
        session = call.session
        spoken = reply.own_words if session is None else (*reply.own_words, session.reason, session.ticket)
        # A search must not confirm a guess: in a text, what its pattern says is not the caller's own.
        asked = b"" if reply.running_text else self.request
        return b"\x01".join((asked, call.caller.spiffe_id.encode(), *(text.encode() for text in spoken)))

    def count(self, reply: Reply, size: int) -> None:
        """Adds what one message shows; a stream has many."""
        self.redactions.update(dict(reply.redactions))
        event = self.event
        self.add(
            rows=(event.rows or 0) + reply.rows,
            masked=(event.masked or 0) + reply.masked,
            reply_bytes=(event.reply_bytes or 0) + size,
            redaction=reply.redaction or event.redaction,
            redactions=tuple(sorted(self.redactions.items())),
            facts=event.facts + reply.facts,
        )
