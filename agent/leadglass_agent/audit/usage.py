"""Gathers from an audit log which permissions were used: by whom, through which rules, and over which time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from leadglass_agent.audit.canonical import NotCanonical, NotJson, parse
from leadglass_agent.audit.record import RECORD_BYTES, EventKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from leadglass_agent.audit.canonical import Json

_APPROVE: Final = "grants.approve"
_LISTING: Final = "/leadglass.v1.InspectService/ListEnvironment"


@dataclass(frozen=True, slots=True)
class Use:
    """A permission that somebody used; the rules that permitted it, none where the log does not name them."""

    caller: str
    permission: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """What logs show: every use once, the times of the first and the last record, and the policies in force.

    `unread` counts lines that are no records; whether nothing is missing `verify` alone can say.
    """

    uses: frozenset[Use]
    calls: int
    first_time: str
    last_time: str
    policies: frozenset[str]
    unread: int


def usage_of(streams: Iterable[BinaryIO], widens: Mapping[str, tuple[str, ...]]) -> Usage:
    """Reads logs; `widens` says which further permissions the answers of a method hold as far as they are permitted.

    A call counts as a use of those as well, as its record does not name them, but listing variables by name.
    """
    uses: set[Use] = set()
    times: list[str] = []
    policies: set[str] = set()
    calls = unread = 0
    for stream in streams:
        while line := stream.readline(RECORD_BYTES + 1):
            try:
                record = parse(line.removesuffix(b"\n"))
            except (NotJson, NotCanonical):
                unread += 1
                continue
            time = _text(record, "time")
            times = [min([time, *times[:1]]), max([time, *times[1:]])] if time else times
            policies |= {digest for digest in [_text(record, "policy_digest")] if digest}
            found = _uses(record, widens)
            calls += record.get("kind") == EventKind.OUTCOME
            uses.update(found)
    first, last = times or ("", "")
    return Usage(frozenset(uses), calls, first, last, frozenset(policies), unread)


def _uses(record: dict[str, Json], widens: Mapping[str, tuple[str, ...]]) -> list[Use]:
    if record.get("kind") == EventKind.GRANT_USED:
        facts = record.get("facts")
        approvers = facts.items() if isinstance(facts, dict) else ()
        return [Use(str(who), _APPROVE, ()) for key, who in approvers if key.startswith("approver") and "." not in key]
    if record.get("kind") != EventKind.OUTCOME:
        return []
    caller, method = _text(record, "caller"), _text(record, "method")
    rules = record.get("rules")
    named = tuple(str(rule) for rule in rules) if isinstance(rules, list) else ()
    arguments = record.get("arguments")
    further = widens.get(method, ())
    if method == _LISTING and isinstance(arguments, dict) and "names" in arguments:
        further = ()
    return [Use(caller, _text(record, "permission"), named), *(Use(caller, one, ()) for one in further)]


def _text(record: dict[str, Json], key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else ""
