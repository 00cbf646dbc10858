"""The log of the examples that an auditor reads: a session with a grant and a reveal, and one that was halted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.record import Event, EventKind, Ruling
from leadglass_agent.errors import Reason, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

_POLICY: Final = "sha256:" + "5e" * 32
_INSPECT: Final = "/leadglass.v1.InspectService/"
_ACCESS: Final = "/leadglass.v1.AccessService/"
_ALICE: Final = Event(
    kind=EventKind.INTENT,
    caller="spiffe://shop.example/sre/alice",
    key_digest="sha256:" + "a1" * 32,
    certificate_serial="41c2",
    peer="ipv4:10.0.3.7:51514",
    tls_version="TLSv1.3",
    tls_group="X25519",
    policy_digest=_POLICY,
    session_id="s-6f1c",
    ticket="OPS-1207",
)
_MALLORY: Final = replace(
    _ALICE,
    caller="spiffe://shop.example/sre/mallory",
    key_digest="sha256:" + "b2" * 32,
    certificate_serial="5d07",
    peer="ipv4:10.0.9.9:40022",
    session_id="s-9a2e",
    ticket="OPS-1300",
)
_BOB: Final = "spiffe://shop.example/lead/bob"
_CAROL: Final = replace(
    _ALICE, caller="spiffe://shop.example/security/carol", peer="ipv4:10.0.4.4:45000", session_id=None, ticket=None
)


def _call(intent: Event, number: int, **outcome: int) -> Iterator[Event]:
    """Gives both records of a call that was answered."""
    intent = replace(intent, call_id=f"9b1f00c2d4a8{number:04x}")
    yield intent
    yield replace(
        intent,
        kind=EventKind.OUTCOME,
        decision=Ruling.ALLOW,
        rows=outcome.get("rows", 1),
        masked=outcome.get("masked", 0),
        reply_bytes=outcome.get("reply_bytes", 64),
        duration_us=outcome.get("duration_us", 1_400),
    )


def _refused(intent: Event, number: int, reason: Reason, detail: str) -> Event:
    return replace(
        intent,
        call_id=f"9b1f00c2d4a8{number:04x}",
        kind=EventKind.REFUSED,
        decision=Ruling.DENY,
        refusal=reason,
        detail=detail,
        duration_us=266,
    )


def _session(caller: Event, kind: EventKind, state: str, reason: str, calls: int) -> Event:
    return Event(
        kind=kind,
        caller=caller.caller,
        key_digest=caller.key_digest,
        peer=caller.peer,
        session_id=caller.session_id,
        ticket=caller.ticket,
        reason_text=reason,
        policy_digest=_POLICY,
        grants=("g-77",) if caller is _ALICE else (),
        facts=(("state", state), ("calls", calls)),
    )


def _view(caller: Event, method: str, permission: str, *arguments: tuple[str, str]) -> Event:
    return replace(
        caller,
        method=f"{_INSPECT}{method}",
        permission=permission,
        rules=("sre-views",),
        target_pid=17,
        target_start_ticks=812_345,
        arguments=arguments,
    )


def _events() -> Iterator[Event]:
    checkout = "checkout answers 502 since 14:50"
    yield Event(kind=EventKind.AGENT_STARTED, policy_digest=_POLICY, facts=(("version", "0.1.0"),))
    yield Event(
        kind=EventKind.GRANT_USED,
        caller=_ALICE.caller,
        key_digest=_ALICE.key_digest,
        session_id=_ALICE.session_id,
        ticket=_ALICE.ticket,
        grants=("g-77",),
        reason_text="the password of the replica seems to be wrong",
        policy_digest=_POLICY,
        facts=(("permissions", "env.reveal text.redacted"), ("approver1", _BOB), ("approver1.serial", "77")),
    )
    yield _session(_ALICE, EventKind.SESSION_OPENED, "OPEN", checkout, 0)
    environment = _view(_ALICE, "ListEnvironment", "env.presence", ("names", "DB_PASSWORD"), ("names", "LANG"))
    yield from _call(environment, 1, rows=2)
    yield from _call(_view(_ALICE, "ListEnvironment", "env.presence"), 2, rows=31, reply_bytes=1_904)
    listing = _view(_ALICE, "ListDirectory", "files.list", ("path", "/srv/shop"))
    yield from _call(listing, 3, rows=4, reply_bytes=388)
    reading = replace(_view(_ALICE, "ReadText", "text.redacted", ("path", "/srv/shop/app.yaml")), grants=("g-77",))
    yield from _call(reading, 4, rows=40, masked=3, reply_bytes=2_210, duration_us=5_120)
    keys = _view(_ALICE, "StatFiles", "files.metadata", ("paths", "/srv/shop/keys/tls.key"))
    yield _refused(keys, 5, Reason.POLICY_DENIED, "files.metadata: forbidden by keys")
    reveal = replace(
        _view(_ALICE, "Reveal", "env.reveal", ("name", "DB_PASSWORD")), method=f"{_ACCESS}Reveal", grants=("g-77",)
    )
    intent, outcome = _call(reveal, 6)
    yield intent
    yield Event(
        kind=EventKind.REVEALED,
        call_id=intent.call_id,
        caller=_ALICE.caller,
        key_digest=_ALICE.key_digest,
        session_id=_ALICE.session_id,
        permission="env.reveal",
        policy_digest=_POLICY,
        grants=("g-77",),
        severity=Severity.CRITICAL,
        facts=(("name", "DB_PASSWORD"), ("review_owed", True), ("approver1", _BOB)),
    )
    yield outcome
    yield _session(_ALICE, EventKind.SESSION_ENDED, "CLOSED", checkout, 6)
    yield _session(_MALLORY, EventKind.SESSION_OPENED, "OPEN", "looking around for the deployment", 0)
    for number, name in enumerate(("id_rsa", "tls.key"), start=7):
        secret = _view(_MALLORY, "StatFiles", "files.metadata", ("paths", f"/srv/shop/keys/{name}"))
        yield _refused(secret, number, Reason.POLICY_DENIED, "files.metadata: forbidden by keys")
    yield Event(
        kind=EventKind.HALTED,
        call_id="9b1f00c2d4a80008",
        caller=_MALLORY.caller,
        key_digest=_MALLORY.key_digest,
        peer=_MALLORY.peer,
        session_id=_MALLORY.session_id,
        permission="files.metadata",
        policy_digest=_POLICY,
        severity=Severity.CRITICAL,
        facts=(("cause", "SENSITIVE_PATHS"), ("seen", 2), ("allowed", 1), ("seconds", 3600)),
    )
    yield _session(_MALLORY, EventKind.SESSION_ENDED, "HALTED", "looking around for the deployment", 2)
    yield Event(
        kind=EventKind.REVIEW_CLOSED,
        caller=_CAROL.caller,
        key_digest=_CAROL.key_digest,
        policy_digest=_POLICY,
        reason_text="the password was changed at 16:10, the replica uses the new one",
        facts=(("review_id", "r-51"), ("revealed_by", str(_ALICE.caller)), ("name", "DB_PASSWORD")),
    )


REVIEW_EXAMPLE: Final = tuple(_events())
