"""Turns an event into the fields of one audit record: typed, capped, escaped, only what is set."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from leadglass_agent.audit.canonical import canonical
from leadglass_agent.audit.text import json_bytes, shown

if TYPE_CHECKING:
    from leadglass_agent.audit.canonical import Json
    from leadglass_agent.errors import Reason, Severity

Fact: TypeAlias = tuple[str, str | int | bool]


class EventKind(StrEnum):
    """What happened."""

    AGENT_STARTED = "AGENT_STARTED"
    AGENT_STOPPED = "AGENT_STOPPED"
    TAIL_REPAIRED = "TAIL_REPAIRED"
    AUDIT_RECOVERED = "AUDIT_RECOVERED"
    INTENT = "INTENT"
    OUTCOME = "OUTCOME"
    REFUSED = "REFUSED"
    SESSION_OPENED = "SESSION_OPENED"
    SESSION_ENDED = "SESSION_ENDED"
    GRANT_USED = "GRANT_USED"
    HALTED = "HALTED"
    FIRST_SEEN = "FIRST_SEEN"
    RELOADED = "RELOADED"
    RELOAD_FAILED = "RELOAD_FAILED"
    REVEALED = "REVEALED"
    REVIEW_CLOSED = "REVIEW_CLOSED"
    CHECKPOINT = "CHECKPOINT"
    SEGMENT_STARTED = "SEGMENT_STARTED"
    SEGMENT_DELETED = "SEGMENT_DELETED"
    AUDIT_HALT = "AUDIT_HALT"
    HANDSHAKES_FAILED = "HANDSHAKES_FAILED"
    CLOCK_JUMPED = "CLOCK_JUMPED"
    RECORDING_HELD = "RECORDING_HELD"
    RECORDING_RELEASED = "RECORDING_RELEASED"
    RECORDING_SHREDDED = "RECORDING_SHREDDED"
    RECORDING_DELETED = "RECORDING_DELETED"
    SINK_DOWN = "SINK_DOWN"
    SINK_RECOVERED = "SINK_RECOVERED"
    INTERFERENCE = "INTERFERENCE"
    FOREIGN_PROCESS = "FOREIGN_PROCESS"
    TRANSPORT_ABUSE = "TRANSPORT_ABUSE"


class Ruling(StrEnum):
    """What policy decided."""

    ALLOW = "ALLOW"
    DENY = "DENY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing to record; a field that is None or empty is not written."""

    kind: EventKind
    call_id: str | None = None
    caller: str | None = None
    key_digest: str | None = None
    certificate_serial: str | None = None
    peer: str | None = None
    tls_version: str | None = None
    tls_group: str | None = None
    session_id: str | None = None
    ticket: str | None = None
    grants: tuple[str, ...] = ()
    reason_text: str | None = None
    method: str | None = None
    permission: str | None = None
    policy_digest: str | None = None
    rules: tuple[str, ...] = ()
    target_pid: int | None = None
    target_start_ticks: int | None = None
    arguments: tuple[tuple[str, str], ...] = ()
    decision: Ruling | None = None
    refusal: Reason | None = None
    severity: Severity | None = None
    detail: str | None = None
    rows: int | None = None
    masked: int | None = None
    reply_bytes: int | None = None
    redaction: str | None = None
    redactions: tuple[tuple[str, int], ...] = ()
    duration_us: int | None = None
    recording: str | None = None
    origin: str | None = None
    tree_size: int | None = None
    root_hash: str | None = None
    signature: str | None = None
    frontier: tuple[str, ...] = ()
    verifier_key: str | None = None
    certificate: str | None = None
    key_signature: str | None = None
    facts: tuple[Fact, ...] = ()


# A record with its newline: small enough that the end of any log is found in two, large enough for all caps below.
RECORD_BYTES: Final = 24_576

# seq, time, boot_ns, boot_id, prev, hash, v with their names, commas and the braces: 350 bytes with 19-digit numbers.
_ENVELOPE_BYTES: Final = 384

# Caps in bytes of ASCII JSON, so that no choice of characters makes a record longer than RECORD_BYTES.
_TEXT_CAPS: Final = {
    "call_id": 64,  # a UUID is 36
    "caller": 2_048,  # the longest SPIFFE id (SPIFFE-ID, section 2.3)
    "key_digest": 128,  # sha256: and 64 digits
    "certificate_serial": 64,  # RFC 5280: 20 octets, 40 digits
    "peer": 128,  # ipv6:[...%zone]:port
    "tls_version": 16,
    "tls_group": 32,
    "session_id": 64,
    "ticket": 600,  # 100 characters that take six bytes each
    "reason_text": 3_000,  # 500 characters that take six bytes each
    "method": 128,  # /leadglass.v1.InspectService/ListEnvironment is 45
    "permission": 64,
    "policy_digest": 128,
    "decision": 16,
    "refusal": 64,
    "severity": 16,
    "redaction": 16,
    "detail": 1_024,
    "recording": 64,  # SHA-256
    "origin": 512,
    "root_hash": 64,
    "signature": 128,  # four bytes of the key's id and an Ed25519 signature, as base64
    "verifier_key": 640,  # the origin, eight digits and a key
    "certificate": 2_800,  # base64 of DER; one with a key of RSA 4096 takes 2,100
    "key_signature": 700,  # RSA 4096
}
# What the arguments do not take is there for who vouches for the log: certificates with many names, RSA 8192.
_CAPS_WITHOUT_ARGUMENTS: Final = _TEXT_CAPS | {"certificate": 5_000, "key_signature": 1_400}
_NUMBERS: Final = ("target_pid", "target_start_ticks", "rows", "masked", "reply_bytes", "duration_us", "tree_size")
_NAME_CAP: Final = 64  # ids of rules and grants, names of arguments and facts; all our own or the policy's
_NAMES_CAP: Final = 1_024
_FRONTIER_CAP: Final = 2_800  # forty hashes: a log of a million million records
_FACTS_CAP: Final = 2_048  # some forty facts of the boot posture
_FACT_CAP: Final = 512
_REDACTIONS_CAP: Final = 1_024  # some thirty rules; a text that holds more is no text to look at
_ARGUMENT_CAP: Final = 1_024  # most paths; a longer one is cut, and `cut` says so
_ALWAYS_ROOM: Final = 3_000  # however long the other fields are; a test holds it to that
_LONGEST_CHARACTER: Final = 12  # bytes of ASCII JSON: two surrogates; and more than the quotes and commas of a text
_OMITTED_BYTES: Final = 64  # "cut":["arguments"] and "arguments_omitted":NNNNN when they come last


def body(event: Event) -> dict[str, Json]:
    """Returns the fields of a record for the event.

    `cut` names the fields that lost text, `arguments_omitted` counts the arguments that had no room.
    """
    fields: dict[str, Json] = {"kind": event.kind.value}
    cut: list[str] = []
    for name, cap in (_TEXT_CAPS if event.arguments else _CAPS_WITHOUT_ARGUMENTS).items():
        value: object = getattr(event, name)
        if value is not None:
            fields[name], was_cut = shown(str(value), cap)
            if was_cut:
                cut.append(name)
    for name in _NUMBERS:
        number: object = getattr(event, name)
        if isinstance(number, int):
            fields[name] = number
    lists: dict[str, Json] = {
        "rules": _names("rules", event.rules, cut, _NAMES_CAP),
        "grants": _names("grants", event.grants, cut, _NAMES_CAP),
        "frontier": _names("frontier", event.frontier, cut, _FRONTIER_CAP),
        "redactions": _redactions(event.redactions, cut),
        "facts": _facts(event.facts, cut),
    }
    fields |= {name: made for name, made in lists.items() if made}
    if event.arguments:
        room = _ALWAYS_ROOM
        if sum(len(name) + len(text) + 1 for name, text in event.arguments) * _LONGEST_CHARACTER > room:
            room = RECORD_BYTES - _ENVELOPE_BYTES - _OMITTED_BYTES - len(canonical(fields | {"cut": list(cut)}))
        _add_arguments(fields, event.arguments, room, cut)
    if cut:
        fields["cut"] = list(cut)
    return fields


def _names(field: str, names: tuple[str, ...], cut: list[str], left: int) -> list[Json]:
    kept: list[Json] = []
    for name in names:
        text, was_cut = shown(name, _NAME_CAP)
        left -= json_bytes(text) + 3
        if was_cut or left < 0:
            cut.append(field)
            break
        kept.append(text)
    return kept


def _redactions(redactions: tuple[tuple[str, int], ...], cut: list[str]) -> dict[str, Json]:
    """Returns counts by rule, the most frequent first if not all have room."""
    kept: dict[str, Json] = {}
    left = _REDACTIONS_CAP
    for rule, count in sorted(redactions, key=lambda item: (-item[1], item[0])):
        key, was_cut = shown(rule, _NAME_CAP)
        left -= json_bytes(key) + len(str(count)) + 2
        if was_cut or left < 0:
            cut.append("redactions")
            break
        kept[key] = count
    return kept


def _facts(facts: tuple[Fact, ...], cut: list[str]) -> dict[str, Json]:
    kept: dict[str, Json] = {}
    left = _FACTS_CAP
    whole = True
    for name, value in facts:
        key, key_cut = shown(name, _NAME_CAP)
        text, text_cut = shown(str(value), _FACT_CAP)
        left -= json_bytes(key) + json_bytes(text) + 6
        if left < 0:
            whole = False
            break
        kept[key] = text if isinstance(value, str) else value
        whole = whole and not key_cut and not text_cut
    if not whole:
        cut.append("facts")
    return kept


def _add_arguments(fields: dict[str, Json], arguments: tuple[tuple[str, str], ...], room: int, cut: list[str]) -> None:
    """Adds the arguments grouped by name, as many as fit from the first on; what is missing is always the end."""
    grouped: dict[str, list[Json]] = {}
    any_cut = False
    taken = 0
    for name, value in arguments:
        key, _ = shown(name, _NAME_CAP)
        text, was_cut = shown(value, _ARGUMENT_CAP)
        room -= json_bytes(text) + 3 + (0 if key in grouped else json_bytes(key) + 6)
        if room < 0:
            break
        grouped.setdefault(key, []).append(text)
        any_cut = any_cut or was_cut
        taken += 1
    fields["arguments"] = {key: list(values) for key, values in grouped.items()}
    if any_cut:
        cut.append("arguments")
    if taken < len(arguments):
        fields["arguments_omitted"] = len(arguments) - taken
