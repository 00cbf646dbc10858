"""Maps a record to an event of the Open Cybersecurity Schema Framework, version 1.8.0 (schema.ocsf.io/1.8.0)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from leadglass_agent.audit.origin_address import origin_address
from leadglass_agent.audit.reading import members_of, number_of, text_of, texts_of
from leadglass_agent.audit.record import EventKind, Ruling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from leadglass_agent.audit.canonical import Json

Event: TypeAlias = "dict[str, Json]"

VERSION: Final = "1.8.0"
_AGENT: Final = "leadglass-agent"
_UNKNOWN: Final = "unknown"
_OTHER: Final = 99
_SECOND_MS: Final = 1_000
_MS_US: Final = 1_000
# Refusals that say that a secret nearly left, or that nobody can tell: errors.KnownValue and KnownValuesUnread.
_WITHHELD: Final = frozenset({"KNOWN_VALUE", "KNOWN_VALUES_UNREAD"})


@dataclass(frozen=True, slots=True)
class _Class:
    """One class of the schema, and the names of its activities."""

    uid: int
    name: str
    category_uid: int
    category_name: str
    activities: tuple[tuple[int, str], ...]


_FINDING: Final = _Class(2004, "Detection Finding", 2, "Findings", ((1, "Create"), (3, "Close")))
_SESSION: Final = _Class(3003, "Authorize Session", 3, "Identity & Access Management", ((1, "Assign Privileges"),))
_LIFECYCLE: Final = _Class(
    6002, "Application Lifecycle", 6, "Application Activity", ((3, "Start"), (4, "Stop"), (8, "Update"))
)
_API: Final = _Class(
    6003, "API Activity", 6, "Application Activity", ((1, "Create"), (2, "Read"), (3, "Update"), (4, "Delete"))
)

# Kinds that are no answer to one call; those of a call are API Activity, and so is every kind that is not here.
_BY_KIND: Final[Mapping[str, tuple[_Class, int]]] = {
    EventKind.AGENT_STARTED: (_LIFECYCLE, 3),
    EventKind.AGENT_STOPPED: (_LIFECYCLE, 4),
    EventKind.RELOADED: (_LIFECYCLE, 8),
    EventKind.RELOAD_FAILED: (_LIFECYCLE, 8),
    EventKind.TAIL_REPAIRED: (_LIFECYCLE, _OTHER),
    EventKind.AUDIT_RECOVERED: (_LIFECYCLE, _OTHER),
    EventKind.CHECKPOINT: (_LIFECYCLE, _OTHER),
    EventKind.SEGMENT_STARTED: (_LIFECYCLE, _OTHER),
    EventKind.SEGMENT_DELETED: (_LIFECYCLE, _OTHER),
    EventKind.SINK_DOWN: (_LIFECYCLE, _OTHER),
    EventKind.SINK_RECOVERED: (_LIFECYCLE, _OTHER),
    EventKind.SESSION_OPENED: (_SESSION, 1),
    EventKind.GRANT_USED: (_SESSION, 1),
    EventKind.SESSION_ENDED: (_SESSION, _OTHER),
    EventKind.HALTED: (_FINDING, 1),
    EventKind.AUDIT_HALT: (_FINDING, 1),
    EventKind.CLOCK_JUMPED: (_FINDING, 1),
    EventKind.FIRST_SEEN: (_FINDING, 1),
    EventKind.TRANSPORT_ABUSE: (_FINDING, 1),
    EventKind.REVEALED: (_FINDING, 1),
    EventKind.INTERFERENCE: (_FINDING, 1),
    EventKind.FOREIGN_PROCESS: (_FINDING, 1),
    EventKind.REVIEW_CLOSED: (_FINDING, 3),
}
_FAILURES: Final = frozenset(
    {EventKind.REFUSED, EventKind.RELOAD_FAILED, EventKind.HANDSHAKES_FAILED, EventKind.SINK_DOWN}
)
# Of a record that sums up handshakes: since when, and how many of them came in a flood, whatever became of those.
_NO_FAULTS: Final = frozenset({"since_boot_ns", "FREQUENT"})
# What a method does, by the first word of its name; any other reads.
_VERBS: Final = (("Open", 1), ("Close", 3), ("End", 3), ("Hold", 3), ("Shred", 4), ("Delete", 4))
# Fields that stand elsewhere in the event as they are; every other one is kept in `unmapped`.
_MAPPED: Final = frozenset(
    {
        *("v", "seq", "time", "kind", "hash", "call_id", "caller", "session_id", "policy_digest", "refusal", "detail"),
        *("target_pid", "target_start_ticks", "decision", "rules"),
    }
)
_OF_CALL: Final = frozenset({"method", "arguments", "rows", "masked", "reply_bytes"})


def ocsf(record: Mapping[str, Json]) -> Event:
    """Returns the event; nothing of the record is lost, what the schema has no place for is in `unmapped`."""
    kind = text_of(record, "kind")
    cls, activity = _class_of(record, kind)
    with_call = cls in {_API, _FINDING}
    mapped = _MAPPED | (_OF_CALL if with_call else frozenset())
    severity, severity_name = _severity(record, kind)
    failed = kind in _FAILURES
    status = (2, "Failure") if failed else (1, "Success")
    event: Event = {
        "activity_id": activity,
        "activity_name": dict(cls.activities).get(activity, kind),
        "category_uid": cls.category_uid,
        "category_name": cls.category_name,
        "class_uid": cls.uid,
        "class_name": cls.name,
        "type_uid": cls.uid * 100 + activity,
        "time": _milliseconds(text_of(record, "time")),
        "timezone_offset": 0,
        "severity_id": severity,
        "severity": severity_name,
        "metadata": _metadata(record, kind),
        "message": _message(record, kind),
    }
    if cls is not _FINDING:  # there a status is where the work on the finding stands
        event |= {"status_id": status[0], "status": status[1]}
    refusal, detail = text_of(record, "refusal"), text_of(record, "detail")
    event |= {key: text for key, text in (("status_code", refusal), ("status_detail", detail)) if text}
    event |= _of_class(record, kind, cls)
    rest: Event = {name: value for name, value in record.items() if name not in mapped}
    if cls is _LIFECYCLE or not text_of(record, "caller"):
        rest |= {name: record[name] for name in ("rules", "decision", "policy_digest") if name in record}
    if cls is _LIFECYCLE:
        rest |= {name: record[name] for name in ("caller", "session_id") if name in record}
    if cls in {_LIFECYCLE, _SESSION}:
        rest |= {name: record[name] for name in ("target_pid", "target_start_ticks") if name in record}
    event["unmapped"] = rest
    return event


def _class_of(record: Mapping[str, Json], kind: str) -> tuple[_Class, int]:
    if kind == EventKind.REFUSED and text_of(record, "refusal") in _WITHHELD:
        return _FINDING, 1
    known = _BY_KIND.get(kind)
    if known is not None:
        return known
    operation = text_of(record, "method").rpartition("/")[2]
    if not operation:
        return _API, _OTHER
    return _API, next((activity for verb, activity in _VERBS if operation.startswith(verb)), 2)


def _of_class(record: Mapping[str, Json], kind: str, cls: _Class) -> Event:
    """Returns what the class asks for besides what all have."""
    resources: list[Json] = [*_resources(record)]
    if cls is _LIFECYCLE:
        return {"app": {"name": _AGENT, "vendor_name": "Leadglass"}}
    if cls is _SESSION:
        granted = text_of(members_of(record, "facts"), "permissions").split()
        return {
            "user": {"uid": text_of(record, "caller") or _UNKNOWN},
            "session": {"uid": text_of(record, "session_id")},
            "actor": _actor(record),
            "src_endpoint": _endpoint(record),
            "privileges": list(granted) or ["session.open"],
        }
    call: Event = {"actor": _actor(record), "src_endpoint": _endpoint(record), "api": _api(record, kind)}
    if cls is _API:
        count = _count(members_of(record, "facts"), kind)
        took = number_of(record, "duration_us")
        return (
            call
            | ({"resources": resources} if resources else {})
            | ({} if took is None else {"duration": took // _MS_US})
            | ({} if count is None else {"count": count})
        )
    uid = text_of(members_of(record, "facts"), "review_id") or text_of(record, "hash")
    info: Event = {"uid": uid, "title": _message(record, kind), "types": [kind]}
    return {
        "finding_info": info,
        "is_alert": text_of(record, "severity") != "",
        "evidences": [call],
        **({"resources": resources} if resources else {}),
        "status_id": 4 if kind == EventKind.REVIEW_CLOSED else 1,
        "status": "Resolved" if kind == EventKind.REVIEW_CLOSED else "New",
    }


def _count(facts: Mapping[str, Json], kind: str) -> int | None:
    """Returns for how many calls or handshakes a record stands that sums them up; None for any other."""
    if kind == EventKind.REFUSED:
        return number_of(facts, "calls")
    if kind != EventKind.HANDSHAKES_FAILED:
        return None
    return sum(number_of(facts, cause) or 0 for cause in facts if cause not in _NO_FAULTS)


def _metadata(record: Mapping[str, Json], kind: str) -> Event:
    correlation = text_of(record, "call_id")
    return {
        "version": VERSION,
        "product": {"name": "Leadglass", "vendor_name": "Leadglass", "uid": "leadglass.dev"},
        "log_name": "audit",
        "log_provider": _AGENT,
        "log_version": str(record.get("v", "")),
        "event_code": kind,
        "uid": text_of(record, "hash"),
        "sequence": number_of(record, "seq") or 0,
        "original_time": text_of(record, "time"),
        **({"correlation_uid": correlation} if correlation else {}),
        **({"is_truncated": True} if "cut" in record or "arguments_omitted" in record else {}),
    }


def _actor(record: Mapping[str, Json]) -> Event:
    caller, session = text_of(record, "caller"), text_of(record, "session_id")
    within: Event = {"session": {"uid": session}} if session else {}
    if not caller:
        return within | {"app_name": _UNKNOWN if "method" in record else _AGENT}
    digest, ruling = text_of(record, "policy_digest"), text_of(record, "decision")
    policies: list[Event] = [{"uid": digest, "name": rule} for rule in texts_of(record, "rules")]
    policies = policies or ([{"uid": digest}] if digest else [])
    if ruling in set(Ruling) or policies:
        decision: Event = {"decision": ruling} if ruling else {}
        allowed: list[Json] = [decision | {"policy": policy} for policy in policies] or [decision]
        within |= {"authorizations": allowed}
    return within | {"user": {"uid": caller}}


def _endpoint(record: Mapping[str, Json]) -> Event:
    peer = origin_address(text_of(record, "peer"))
    if not peer.text:
        return {"name": _UNKNOWN if "method" in record or "caller" in record else _AGENT}
    found: Event = {"name": peer.text}
    return found | ({"ip": peer.ip} if peer.ip else {}) | ({} if peer.port is None else {"port": peer.port})


def _api(record: Mapping[str, Json], kind: str) -> Event:
    method = text_of(record, "method")
    api: Event = {"operation": method or kind, "service": {"name": method.strip("/").partition("/")[0] or _AGENT}}
    call_id = text_of(record, "call_id")
    if "arguments" in record or call_id:
        data = members_of(record, "arguments")
        api["request"] = {"uid": call_id, **({"data": data} if data else {})}
    data = {name: record[name] for name in ("rows", "masked", "reply_bytes") if name in record}
    refusal, detail = text_of(record, "refusal"), text_of(record, "detail")
    if data or refusal:
        errors = {key: text for key, text in (("error", refusal), ("error_message", detail)) if text}
        api["response"] = {**errors, **({"data": data} if data else {})}
    return api


def _resources(record: Mapping[str, Json]) -> list[Event]:
    """Returns what was looked at: the process, the paths and the names of variables."""
    found: list[Event] = []
    pid, ticks = number_of(record, "target_pid"), number_of(record, "target_start_ticks")
    if pid is not None or ticks is not None:
        found.append({"type": "process", "uid": f"{'' if pid is None else pid}" + (f"@{ticks}" if ticks else "")})
    arguments = members_of(record, "arguments")
    for key, what in (("paths", "file"), ("path", "file"), ("names", "variable"), ("name", "variable")):
        found += [{"type": what, "name": text} for text in texts_of(arguments, key)]
    shown = text_of(members_of(record, "facts"), "name") if record.get("kind") == EventKind.REVEALED else ""
    return [*found, {"type": "variable", "name": shown}] if shown else found


def _severity(record: Mapping[str, Json], kind: str) -> tuple[int, str]:
    if "severity" in record:
        return 5, "Critical"
    if kind in {EventKind.CLOCK_JUMPED, EventKind.SINK_DOWN, EventKind.TAIL_REPAIRED, EventKind.AUDIT_RECOVERED}:
        return 3, "Medium"
    return (2, "Low") if kind in _FAILURES or kind == EventKind.FOREIGN_PROCESS else (1, "Informational")


def _message(record: Mapping[str, Json], kind: str) -> str:
    operation = text_of(record, "method").rpartition("/")[2]
    words = (kind, operation, text_of(record, "refusal"), text_of(members_of(record, "facts"), "cause"))
    return " ".join(word for word in words if word)


def _milliseconds(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * _SECOND_MS)
