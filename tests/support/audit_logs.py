"""Clocks, events and finished logs for the tests of the audit log."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

from leadglass_agent.audit.chain import GENESIS, Head, append
from leadglass_agent.audit.record import Event, EventKind, Ruling
from leadglass_agent.audit.verify import verify
from leadglass_agent.clock import Instant
from leadglass_agent.errors import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from leadglass_agent.audit.verdict import Verdict

START: Final = Instant(unix_ns=1_750_000_000_123_456_789, boot_ns=5_000_000_000)

INTENT: Final = Event(
    kind=EventKind.INTENT,
    call_id="7f3c1f0e-0001",
    caller="spiffe://demo.leadglass/sre/alice",
    session_id="s-1",
    method="/leadglass.v1.InspectService/ListEnvironment",
    permission="env.presence",
    rules=("look-at-env",),
    target_pid=42,
    target_start_ticks=1_234,
    arguments=(("names", "HOME"), ("names", "LANG")),
    decision=Ruling.ALLOW,
)
OUTCOME: Final = Event(kind=EventKind.OUTCOME, call_id="7f3c1f0e-0001", rows=2, masked=0, reply_bytes=77, duration_us=9)


@dataclass
class SteppingClock:
    """A clock that a test reads and that moves a second at each reading."""

    now: Instant = field(default=START)

    def __call__(self) -> Instant:
        """Moves the clock and reads it."""
        self.now = Instant(unix_ns=self.now.unix_ns + 1_000_000_000, boot_ns=self.now.boot_ns + 1_000_000_000)
        return self.now


def lines_of(events: Iterable[Event], head: Head = GENESIS) -> list[bytes]:
    """Returns the lines of a log that holds the events."""
    clock = SteppingClock()
    lines: list[bytes] = []
    for event in events:
        line, head = append(head, event, clock())
        lines.append(line)
    return lines


def verify_bytes(data: bytes, *, expect_head: str | None = None) -> Verdict:
    """Verifies a log that is in memory."""
    return verify(io.BytesIO(data), expect_head=expect_head)


def verify_file(path: Path) -> Verdict:
    """Verifies a log that is on disk."""
    with path.open("rb") as stream:
        return verify(stream)


any_text: Final = st.text(st.characters(exclude_categories=()), max_size=200)  # lone surrogates too
_number: Final = st.integers(0, 2**64 - 1)

events: Final = st.builds(
    Event,
    kind=st.sampled_from(EventKind),
    call_id=st.none() | any_text,
    caller=st.none() | any_text,
    key_digest=st.none() | any_text,
    certificate_serial=st.none() | any_text,
    peer=st.none() | any_text,
    session_id=st.none() | any_text,
    ticket=st.none() | any_text,
    reason_text=st.none() | any_text,
    method=st.none() | any_text,
    permission=st.none() | any_text,
    policy_digest=st.none() | any_text,
    rules=st.lists(any_text, max_size=5).map(tuple),
    target_pid=st.none() | _number,
    target_start_ticks=st.none() | _number,
    arguments=st.lists(st.tuples(any_text, any_text), max_size=5).map(tuple),
    decision=st.none() | st.sampled_from(Ruling),
    refusal=st.none() | st.sampled_from(Reason),
    detail=st.none() | any_text,
    rows=st.none() | _number,
    masked=st.none() | _number,
    reply_bytes=st.none() | _number,
    duration_us=st.none() | _number,
    facts=st.lists(st.tuples(any_text, any_text | _number | st.booleans()), max_size=5).map(tuple),
)

instants: Final = st.builds(Instant, unix_ns=st.integers(0, 2**63 - 1), boot_ns=st.integers(0, 2**63 - 1))
