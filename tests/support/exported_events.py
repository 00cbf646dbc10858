"""Events of every kind with every field, as records and as lines, for the tests of exports."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

from audit_logs import any_text, events, lines_of
from leadglass_agent.audit.canonical import parse
from leadglass_agent.audit.record import Event, EventKind, Ruling
from leadglass_agent.errors import Reason, Severity
from review_example import REVIEW_EXAMPLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from leadglass_agent.audit.canonical import Json

_HASH: Final = "ab" * 32
_CALLER: Final = "spiffe://shop.example/sre/alice"
_FULL: Final = Event(
    kind=EventKind.OUTCOME,
    call_id="c-1",
    caller=_CALLER,
    key_digest=f"sha256:{_HASH}",
    certificate_serial="41c2",
    peer="ipv6:[2001:db8::7]:51514",
    tls_version="TLSv1.3",
    tls_group="X25519MLKEM768",
    session_id="s-1",
    ticket="OPS-1207",
    grants=("g-1", "g-2"),
    reason_text="=checkout answers 502",
    method="/leadglass.v1.InspectService/StatFiles",
    permission="files.metadata",
    policy_digest=f"sha256:{_HASH}",
    rules=("sre-files", "sre-more"),
    target_pid=17,
    target_start_ticks=2**64 - 1,
    arguments=(("paths", "/srv/shop/app.yaml"), ("paths", '/srv/"a",b'), ("follow_symlinks", "true")),
    decision=Ruling.ALLOW,
    refusal=Reason.POLICY_DENIED,
    severity=Severity.CRITICAL,
    detail="files.metadata: NO_RULE",
    rows=2,
    masked=3,
    reply_bytes=512,
    redaction="balanced",
    redactions=(("aws-key", 4), ("jwt", 1)),
    duration_us=1_234,
    recording=_HASH,
    origin="shop.example/agent/log/00",
    tree_size=40,
    root_hash=_HASH,
    signature="c2lnbmF0dXJl",
    frontier=(_HASH, _HASH),
    verifier_key="shop.example/agent/log/00+aabbccdd+AQ==",
    certificate="MIIB",
    key_signature="c2ln",
    facts=(("approver1", "spiffe://shop.example/lead/bob"), ("approver1.serial", "77"), ("cause", "CALLS"), ("n", 3)),
)

# Each kind with all fields, and with none: an export must do with both.
EVERY_KIND: Final = tuple(
    event for kind in EventKind for event in (replace(_FULL, kind=kind), Event(kind=kind, facts=(("calls", 3),)))
) + tuple(replace(_FULL, kind=EventKind.REFUSED, refusal=reason) for reason in Reason)

full_events: Final = st.builds(
    lambda event, severity, group, names, hashes: replace(
        event, severity=severity, tls_group=group, grants=names, frontier=hashes, peer=group
    ),
    events,
    st.none() | st.sampled_from(Severity),
    st.none() | any_text | st.ip_addresses().map(lambda ip: f"ipv{ip.version}:{ip}:443"),
    st.lists(any_text, max_size=3).map(tuple),
    st.lists(any_text, max_size=3).map(tuple),
)


def records_of(some: Iterable[Event]) -> list[dict[str, Json]]:
    """Returns the records of a log that holds the events."""
    return [parse(line[:-1]) for line in lines_of(some)]


def leaves_of(value: Json) -> Iterator[str]:
    """Yields every name and every value within a record as text."""
    match value:
        case dict():
            for name, member in value.items():
                yield name
                yield from leaves_of(member)
        case list():
            for item in value:
                yield from leaves_of(item)
        case _:
            yield str(value)


EXAMPLES: Final = (*REVIEW_EXAMPLE, *EVERY_KIND)
