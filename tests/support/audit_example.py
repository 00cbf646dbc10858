"""The log of the documentation's examples: one caller's five minutes, from the agent's start on."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from leadglass_agent.audit.record import Event, EventKind, Ruling
from leadglass_agent.errors import Reason

_POLICY: Final = "sha256:" + "5e" * 32
_ALICE: Final = Event(
    kind=EventKind.INTENT,
    caller="spiffe://shop.example/sre/alice",
    key_digest="sha256:" + "a1" * 32,
    certificate_serial="41c2",
    peer="ipv4:10.0.3.7:51514",
    policy_digest=_POLICY,
)
_OPEN: Final = replace(
    _ALICE,
    call_id="9b1f00c2d4a86e01",
    method="/leadglass.v1.AccessService/OpenSession",
    permission="session.open",
    rules=("sre-session",),
)
_IN_SESSION: Final = replace(_ALICE, session_id="s-6f1c", ticket="OPS-1207")
_READ: Final = replace(
    _IN_SESSION,
    call_id="9b1f00c2d4a86e02",
    method="/leadglass.v1.InspectService/ListEnvironment",
    permission="env.presence",
    rules=("sre-environment",),
    target_pid=17,
    target_start_ticks=812_345,
    arguments=(("names", "DB_PASSWORD"), ("names", "LANG")),
)
_STAT: Final = replace(
    _IN_SESSION,
    call_id="9b1f00c2d4a86e03",
    method="/leadglass.v1.InspectService/StatFiles",
    permission="files.metadata",
    target_pid=17,
    target_start_ticks=812_345,
    arguments=(("paths", "/app/\u202egpj.yek"),),
)


def _done(intent: Event, rows: int, masked: int, reply_bytes: int, duration_us: int) -> Event:
    return replace(
        intent,
        kind=EventKind.OUTCOME,
        decision=Ruling.ALLOW,
        rows=rows,
        masked=masked,
        reply_bytes=reply_bytes,
        duration_us=duration_us,
    )


EXAMPLE: Final = (
    Event(
        kind=EventKind.AGENT_STARTED,
        policy_digest=_POLICY,
        facts=(("version", "0.1.0"), ("reader.uid", 1000), ("reader.no_new_privs", True)),
    ),
    Event(
        kind=EventKind.REFUSED,
        call_id="9b1f00c2d4a86e00",
        peer="ipv4:10.0.9.9:40022",
        method="/leadglass.v1.InspectService/ListProcesses",
        decision=Ruling.DENY,
        refusal=Reason.IDENTITY_REFUSED,
        detail="the certificate holds 2 URIs",
        duration_us=41,
    ),
    _OPEN,
    replace(
        _IN_SESSION,
        kind=EventKind.SESSION_OPENED,
        call_id=_OPEN.call_id,
        reason_text="checkout answers 502 since 14:50",
        facts=(("state", "OPEN"), ("calls", 0)),
    ),
    _done(_OPEN, 1, 0, 212, 1_904),
    _READ,
    _done(_READ, 2, 0, 64, 1_377),
    replace(
        _STAT,
        kind=EventKind.REFUSED,
        decision=Ruling.DENY,
        refusal=Reason.POLICY_DENIED,
        detail="files.metadata: NO_RULE",
        duration_us=266,
    ),
    Event(
        kind=EventKind.AUDIT_RECOVERED,
        facts=(("cause", "ENOSPC"), ("records_refused", 3), ("broken_ms", 61_002)),
    ),
)
