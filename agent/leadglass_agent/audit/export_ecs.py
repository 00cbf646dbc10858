"""Maps a record to a document of the Elastic Common Schema, whose fields are the same in versions 8 and 9."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeAlias

from leadglass_agent.audit.origin_address import origin_address
from leadglass_agent.audit.reading import members_of, number_of, text_of, texts_of
from leadglass_agent.audit.record import EventKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from leadglass_agent.audit.canonical import Json

Document: TypeAlias = "dict[str, Json]"

VERSION: Final = "9.0.0"
_US_NS: Final = 1_000
_LONG_END: Final = 2**63  # the type `long` of an index holds no more
_ALERTS: Final = frozenset(
    {EventKind.HALTED, EventKind.AUDIT_HALT, EventKind.CLOCK_JUMPED, EventKind.REVEALED, EventKind.INTERFERENCE}
)
_WITHHELD: Final = frozenset({"KNOWN_VALUE", "KNOWN_VALUES_UNREAD"})
_FAILURES: Final = frozenset(
    {EventKind.REFUSED, EventKind.RELOAD_FAILED, EventKind.HANDSHAKES_FAILED, EventKind.SINK_DOWN}
)
# event.category and event.type by kind; what is not here is configuration of the agent, as far as it is no call.
_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    EventKind.AGENT_STARTED: ("process", "start"),
    EventKind.AGENT_STOPPED: ("process", "end"),
    EventKind.SESSION_OPENED: ("session", "start"),
    EventKind.SESSION_ENDED: ("session", "end"),
    EventKind.GRANT_USED: ("iam", "change"),
    EventKind.HALTED: ("intrusion_detection", "denied"),
    EventKind.AUDIT_HALT: ("intrusion_detection", "denied"),
    EventKind.CLOCK_JUMPED: ("intrusion_detection", "info"),
    EventKind.FIRST_SEEN: ("intrusion_detection", "info"),
    EventKind.TRANSPORT_ABUSE: ("intrusion_detection", "denied"),
    EventKind.REVEALED: ("intrusion_detection", "access"),
    EventKind.INTERFERENCE: ("intrusion_detection", "info"),
    EventKind.FOREIGN_PROCESS: ("intrusion_detection", "info"),
    EventKind.HANDSHAKES_FAILED: ("authentication", "denied"),
    EventKind.RELOADED: ("configuration", "change"),
    EventKind.RELOAD_FAILED: ("configuration", "error"),
    EventKind.INTENT: ("api", "start"),
    EventKind.OUTCOME: ("api", "access"),
    EventKind.REFUSED: ("api", "denied"),
}
# Fields that stand elsewhere in the document as they are; every other one is kept below `leadglass`.
_MAPPED: Final = frozenset(
    {
        *("time", "seq", "hash", "kind", "caller", "peer", "tls_group", "certificate_serial"),
        *("target_pid", "target_start_ticks", "refusal", "detail", "rules", "policy_digest"),
    }
)
# Objects whose names are the policy's or the caller's: as members they would each become a field of the index.
_OPEN: Final = ("arguments", "redactions", "facts")


def ecs(record: Mapping[str, Json]) -> Document:
    """Returns the document; nothing of the record is lost, what ECS has no place for is below `leadglass`."""
    kind = text_of(record, "kind")
    peer = origin_address(text_of(record, "peer"))
    caller = text_of(record, "caller")
    document: Document = {
        "@timestamp": text_of(record, "time"),
        "ecs": {"version": VERSION},
        "event": _event(record, kind),
        "message": " ".join(word for word in (kind, text_of(record, "method"), text_of(record, "refusal")) if word),
    }
    rules = texts_of(record, "rules")
    parts: Document = {
        "user": {"id": caller} if caller else {},
        "source": _set({"address": peer.text, "ip": peer.ip, "port": peer.port}),
        "tls": _tls(record),
        "process": _process(record),
        "rule": _set({"id": [*rules] if rules else None, "ruleset": text_of(record, "policy_digest")}),
        "error": _set({"code": text_of(record, "refusal"), "message": text_of(record, "detail")}),
        "related": _set({"user": _people(record), "ip": [peer.ip] if peer.ip else None}),
    }
    document |= {name: part for name, part in parts.items() if part}
    document["leadglass"] = _own(record)
    return document


def _event(record: Mapping[str, Json], kind: str) -> Document:
    withheld = text_of(record, "refusal") in _WITHHELD
    is_alert = kind in _ALERTS or withheld or (kind == EventKind.FOREIGN_PROCESS and "severity" in record)
    category, what = _KINDS.get(kind, ("configuration", "info"))
    took = number_of(record, "duration_us")
    outcome = "failure" if kind in _FAILURES else "unknown" if kind == EventKind.INTENT else "success"
    return {
        "kind": "alert" if is_alert else "event",
        "category": ["intrusion_detection", "api"] if withheld else [category],
        "type": [what],
        "action": kind.lower(),
        "outcome": outcome,
        "id": text_of(record, "hash"),
        "sequence": number_of(record, "seq") or 0,
        "severity": 1 if "severity" in record else 5,
        "module": "leadglass",
        "dataset": "leadglass.audit",
        "provider": "leadglass-agent",
        **({} if took is None or took * _US_NS >= _LONG_END else {"duration": took * _US_NS}),
    }


def _tls(record: Mapping[str, Json]) -> Document:
    protocol, _, number = text_of(record, "tls_version").rpartition("v")
    serial = text_of(record, "certificate_serial")
    client: Document = {"x509": {"serial_number": serial}} if serial else {}
    named: Document = {
        "version": number,
        "version_protocol": protocol.lower() or ("tls" if number else ""),
        "curve": text_of(record, "tls_group"),
    }
    return _set(named) | ({"client": client} if client else {})


def _process(record: Mapping[str, Json]) -> Document:
    pid, ticks = number_of(record, "target_pid"), number_of(record, "target_start_ticks")
    entity = None if pid is None and ticks is None else f"{'' if pid is None else pid}@{ticks or 0}"
    return _set({"pid": None if pid is None or pid >= _LONG_END else pid, "entity_id": entity})


def _people(record: Mapping[str, Json]) -> list[Json] | None:
    """Returns everybody whom the record names: the caller, approvers, who revealed what is reviewed."""
    facts = members_of(record, "facts")
    named = [text_of(record, "caller")]
    named += [str(who) for key, who in facts.items() if key.startswith("approver") and "." not in key]
    named += [text_of(facts, "revealed_by"), text_of(facts, "halted")]
    people: list[Json] = [*dict.fromkeys(who for who in named if who)]
    return people or None


def _own(record: Mapping[str, Json]) -> Document:
    """Returns the other fields; open objects become lists of NAME=VALUE, so that no name becomes a field."""
    own: Document = {"kind": text_of(record, "kind")}
    rest = {name: value for name, value in record.items() if name not in _MAPPED and name not in _OPEN}
    own |= {
        name: str(value) if isinstance(value, int) and value >= _LONG_END else value for name, value in rest.items()
    }
    for name in _OPEN:
        pairs = [f"{key}={_text(one)}" for key, value in members_of(record, name).items() for one in _each(value)]
        own |= {name: [*pairs]} if pairs else {}
    return own


def _each(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _set(fields: Mapping[str, Json | None]) -> Document:
    return {name: value for name, value in fields.items() if value is not None and value != ""}
