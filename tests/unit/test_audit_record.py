"""An event becomes exactly the fields that are set, within their caps."""

from __future__ import annotations

from dataclasses import fields

from hypothesis import given

from audit_logs import INTENT, events
from leadglass_agent.audit.canonical import canonical
from leadglass_agent.audit.chain import GENESIS, MAX_SEQ, Head, append
from leadglass_agent.audit.record import RECORD_BYTES, Event, EventKind, Ruling, body
from leadglass_agent.clock import Instant
from leadglass_agent.errors import Reason, Severity

_LATEST = Instant(unix_ns=2**63 - 1, boot_ns=2**63 - 1, boot_id="00000000-0000-0000-0000-000000000000")
_WORST = "🙂"  # twelve bytes of JSON, the most that one character takes


def test_only_what_is_set_is_written() -> None:
    assert body(Event(kind=EventKind.AGENT_STOPPED)) == {"kind": "AGENT_STOPPED"}


def test_an_intent_says_who_asks_for_what() -> None:
    assert body(INTENT) == {
        "kind": "INTENT",
        "call_id": "7f3c1f0e-0001",
        "caller": "spiffe://demo.leadglass/sre/alice",
        "session_id": "s-1",
        "method": "/leadglass.v1.InspectService/ListEnvironment",
        "permission": "env.presence",
        "rules": ["look-at-env"],
        "target_pid": 42,
        "target_start_ticks": 1234,
        "arguments": {"names": ["HOME", "LANG"]},
        "decision": "ALLOW",
    }


def test_every_field_of_an_event_reaches_the_record() -> None:
    event = Event(
        kind=EventKind.REFUSED,
        call_id="a",
        caller="b",
        key_digest="c",
        certificate_serial="d",
        peer="e",
        session_id="f",
        ticket="g",
        reason_text="h",
        method="i",
        permission="j",
        policy_digest="k",
        rules=("l",),
        grants=("v",),
        target_pid=1,
        target_start_ticks=2,
        arguments=(("m", "n"),),
        decision=Ruling.DENY,
        refusal=Reason.POLICY_DENIED,
        severity=Severity.CRITICAL,
        detail="o",
        rows=0,
        masked=0,
        reply_bytes=0,
        redaction="t",
        redactions=(("u", 1),),
        duration_us=0,
        tls_version="w",
        tls_group="x",
        recording="y",
        origin="z",
        tree_size=0,
        root_hash="a",
        signature="b",
        frontier=("c",),
        verifier_key="d",
        certificate="e",
        key_signature="f",
        facts=(("p", True), ("q", 3), ("r", "s")),
    )

    written = body(event)

    assert set(written) == {field.name for field in fields(Event)}
    assert (written["refusal"], written["decision"]) == ("POLICY_DENIED", "DENY")
    assert written["facts"] == {"p": True, "q": 3, "r": "s"}


def test_text_of_a_caller_is_escaped_wherever_it_stands() -> None:
    hostile = '\x1b[2J\u202e"},{"kind":"OUTCOME"\n'
    event = Event(
        kind=EventKind.SESSION_OPENED,
        reason_text=hostile,
        ticket=hostile,
        detail=hostile,
        arguments=(("paths", hostile), (hostile, "x")),
        facts=((hostile, hostile),),
        rules=(hostile,),
    )

    text = canonical(body(event)).decode()

    assert text.count("\\\\x1b[2J\\\\u202e") == 8
    assert '"kind":"OUTCOME"' not in text


def test_a_field_that_lost_text_is_named() -> None:
    written = body(Event(kind=EventKind.SESSION_OPENED, reason_text="x" * 3_001, ticket="T-1", detail="d" * 2_000))

    assert written["reason_text"] == "x" * 3_000
    assert written["cut"] == ["reason_text", "detail"]


def test_a_caller_cannot_write_the_name_of_a_field_that_lost_text() -> None:
    assert "cut" not in body(Event(kind=EventKind.INTENT, arguments=(("cut", "detail"),), facts=(("cut", True),)))


def test_arguments_that_have_no_room_are_counted_and_the_first_are_kept() -> None:
    names = tuple(("names", f"{number:04}" + "N" * 252) for number in range(200))

    written = body(Event(kind=EventKind.INTENT, arguments=names))

    kept = written["arguments"]
    assert isinstance(kept, dict)
    values = kept["names"]
    assert isinstance(values, list)
    assert values == [value for _, value in names[: len(values)]]
    assert len(values) >= 60
    assert written["arguments_omitted"] == 200 - len(values)


def test_a_record_with_every_field_at_its_longest_fits_and_keeps_some_arguments() -> None:
    long = _WORST * 5_000
    event = Event(
        kind=EventKind.SESSION_OPENED,
        call_id=long,
        caller=long,
        key_digest=long,
        certificate_serial=long,
        peer=long,
        session_id=long,
        ticket=long,
        reason_text=long,
        method=long,
        permission=long,
        policy_digest=long,
        rules=("r" * 60,) * 200,
        target_pid=2**64 - 1,
        target_start_ticks=2**64 - 1,
        arguments=(("paths", long),) * 500,
        decision=Ruling.ALLOW,
        refusal=Reason.AUDIT_UNAVAILABLE,
        detail=long,
        rows=2**64 - 1,
        masked=2**64 - 1,
        reply_bytes=2**64 - 1,
        redaction=long,
        redactions=tuple((f"rule-{number}", 2**64 - 1) for number in range(300)),
        duration_us=2**64 - 1,
        grants=("g" * 60,) * 200,
        severity=Severity.CRITICAL,
        certificate=long,
        frontier=("f" * 64,) * 63,
        key_signature=long,
        origin=long,
        recording=long,
        root_hash=long,
        signature=long,
        tls_group=long,
        tls_version=long,
        tree_size=2**64 - 1,
        verifier_key=long,
        facts=tuple((f"fact-{number}", long) for number in range(100)),
    )

    assert all(getattr(event, field.name) not in {None, ()} for field in fields(Event))

    line, _ = append(Head(MAX_SEQ - 1, GENESIS.digest), event, _LATEST)

    assert len(line) <= RECORD_BYTES
    kept = body(event)["arguments"]
    assert isinstance(kept, dict)
    assert len(canonical(kept)) >= 3_000


@given(events)
def test_any_event_makes_a_record_within_the_limit(event: Event) -> None:
    line, _ = append(GENESIS, event, _LATEST)

    assert len(line) <= RECORD_BYTES
    assert line.isascii()
    assert line.count(b"\n") == 1
