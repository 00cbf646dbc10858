"""Shows what a grant or a request says, in words, with what it leaves open."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from leadglass_client.offline.grant_check import GrantState
from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.units import span, unix_moment
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from leadglass_agent.access.grant import Grant, PodSelector, ProcessBound
    from leadglass_client.offline.grant_check import Approval, CheckedGrant
    from leadglass_client.output.records import JsonValue, Record

_LINE: Final = 64  # with its label it fits a screen of 80 columns
_ANY: Final = "any that the policy permits"
_COUNTED: Final = ("calls", "rows", "names", "paths", "reply_bytes", "answers")
_UNITS: Final = {"reply_bytes": "bytes", "answers": "yes-or-no answers"}
_LOOKS: Final = {
    GrantState.REQUESTED: Look.ODD,
    GrantState.APPROVED: Look.GOOD,
    GrantState.NOT_YET: Look.ODD,
    GrantState.ENDED: Look.BAD,
    GrantState.BROKEN: Look.BAD,
}
_FIELDS: Final = (
    *("file", "state", "grant_id", "requester", "requester_key", "permissions", "reveals", "pods", "tier"),
    *("processes", "names", "paths", "not_before", "not_after", "seconds_left", "reason", "ticket"),
    *(f"budget.{name}" for name in _COUNTED),
    *("policy_digest", "needs_evidence", "approvals"),
)


def grant_sheet(path: Path, checked: CheckedGrant, now_unix: int) -> Sheet:
    """Makes the sheet of one grant; its identifier is the file."""
    whole = _record(path, checked, now_unix)
    heading = (("file", Cell(printable(str(path)))), *grant_words(checked, now_unix))
    return Sheet(whole, (whole,), _FIELDS, (printable(str(path)),), heading)


def grants_sheet(checked: Sequence[tuple[Path, CheckedGrant]], now_unix: int) -> Sheet:
    """Makes the sheet of the grants of a folder; the identifiers are their files."""
    records = tuple(_record(path, one, now_unix) for path, one in checked)
    titles = ("STATE", "UNTIL", "LEFT", "REQUESTER", "APPROVALS", "TICKET", "PERMISSIONS", "FILE")
    wide = frozenset({"UNTIL", "PERMISSIONS"})
    return Sheet(
        document={"grants": list(records)},
        records=records,
        fields=_FIELDS,
        identifiers=tuple(printable(str(path)) for path, _ in checked),
        columns=tuple(Column(title, right=title in {"LEFT", "APPROVALS"}, wide=title in wide) for title in titles),
        rows=tuple(_row(path, one, now_unix) for path, one in checked),
    )


def grant_words(checked: CheckedGrant, now_unix: int) -> tuple[tuple[str, Cell], ...]:
    """Says everything that signatures of the grant cover, and who has signed."""
    return tuple(_words(checked, now_unix))


def state_words(checked: CheckedGrant, now_unix: int) -> str:
    """Says in a few words what the grant is good for."""
    grant, count = checked.grant, len(checked.approvals)
    by = f"approved by {count}"
    match checked.state:
        case GrantState.REQUESTED:
            return "a request: nobody has approved it"
        case GrantState.APPROVED:
            return f"{by}; the policy says who and how many it needs"
        case GrantState.NOT_YET:
            return f"{by}, begins in {span(grant.not_before_unix - now_unix)}"
        case GrantState.ENDED:
            return f"ended {span(now_unix - grant.not_after_unix)} ago"
        case GrantState.BROKEN:
            return f"broken: {checked.fault}"


def _words(checked: CheckedGrant, now_unix: int) -> Iterator[tuple[str, Cell]]:
    grant = checked.grant
    yield "grant", Cell(grant.grant_id)
    yield from _lines("state", [state_words(checked, now_unix)], _LOOKS[checked.state])
    yield "requester", Cell(printable(grant.requester))
    yield "with key", Cell(grant.requester_key)
    yield from _lines("may use", [", ".join(grant.permissions)])
    if grant.reveals:
        yield from _lines("REVEALS", [f"the value of {grant.names[0]}, once, to the requester"], Look.BAD)
    yield from _lines("in pods", [_pod(selector) for selector in grant.pods])
    yield "of tier", Cell(grant.tier)
    yield from _selectors("processes", [_process(bound) for bound in grant.processes], matters=True)
    yield from _selectors("variables", grant.names, matters=_matters(grant, frozenset({"processes", "files", "text"})))
    yield from _selectors("paths", grant.paths, matters=_matters(grant, frozenset({"processes", "env"})))
    yield "from", Cell(_moment(grant.not_before_unix))
    left = f", {span(grant.not_after_unix - now_unix)} from now" if now_unix < grant.not_after_unix else ""
    lasts = span(grant.not_after_unix - grant.not_before_unix)
    yield "until", Cell(f"{_moment(grant.not_after_unix)} ({lasts} in all{left})")
    yield from _budget(grant)
    yield from _lines("reason", [grant.reason])
    yield from _lines("ticket", [grant.ticket or "-"])
    policy = grant.policy_digest or "any that is in force"
    yield "policy", Cell(policy, Look.PLAIN if grant.policy_digest else Look.ODD)
    yield "ID token", Cell("needed" if grant.needs_evidence else "not needed, unless the policy says so")
    for approval in checked.approvals:
        yield from _approval(approval)


def _lines(label: str, values: Sequence[str], look: Look = Look.PLAIN) -> Iterator[tuple[str, Cell]]:
    """Gives each value at full length; a continuation has no label, so that no value looks like a line of its own."""
    for value in values:
        for line in textwrap.wrap(printable(value), _LINE, break_on_hyphens=False) or [""]:
            yield label, Cell(line, look)
            label = ""


def _selectors(label: str, values: Sequence[str], *, matters: bool) -> Iterator[tuple[str, Cell]]:
    if values:
        yield from _lines(label, values)
    elif matters:
        yield label, Cell(_ANY, Look.ODD)


def _matters(grant: Grant, without: frozenset[str]) -> bool:
    """Says whether a dimension that the grant leaves open opens anything: whether some permission may look at it."""
    return any(permission.partition(".")[0] not in without for permission in grant.permissions)


def _budget(grant: Grant) -> Iterator[tuple[str, Cell]]:
    bounds = {name: _amount(grant, name) for name in _COUNTED}
    bounded = [f"{amount} {_UNITS.get(name, name)}" for name, amount in bounds.items() if amount is not None]
    unbounded = [_UNITS.get(name, name) for name, amount in bounds.items() if amount is None]
    if bounded:
        yield from _lines("at most", [", ".join(bounded)])
    if unbounded:
        yield from _lines("no limit on", [", ".join(unbounded)], Look.ODD)


def _amount(grant: Grant, name: str) -> int | None:
    amount: int | None = getattr(grant.budget, name)
    return amount


def _approval(approval: Approval) -> Iterator[tuple[str, Cell]]:
    who = approval.spiffe_id or "somebody unknown"
    if approval.fault:
        yield from _lines("NOT VALID", [f"a signature in the name of {who}: {approval.fault}"], Look.BAD)
    else:
        yield "approved by", Cell(printable(who), Look.GOOD)
    if approval.key_digest:
        yield "", Cell(f"key {approval.key_digest}")
        yield "", Cell(f"certificate {approval.serial}, until {_moment(approval.certificate_end_unix)}")


def _pod(selector: PodSelector) -> str:
    parts = (
        ("namespace", selector.namespace),
        ("workload", selector.workload),
        ("the one pod", selector.uid),
        ("agents called", selector.spiffe_id),
    )
    return ", ".join(f"{word} {value}" for word, value in parts if value)


def _process(bound: ProcessBound) -> str:
    parts = (
        ("called", bound.names),
        ("running", bound.executables),
        ("of user", tuple(str(uid) for uid in bound.uids)),
    )
    return ", ".join(f"{word} {' or '.join(values)}" for word, values in parts if values)


def _moment(unix: int) -> str:
    text = unix_moment(unix)
    return f"{unix} seconds after 1970" if text == "?" else text


def _row(path: Path, checked: CheckedGrant, now_unix: int) -> tuple[Cell, ...]:
    grant = checked.grant
    left = grant.not_after_unix - now_unix
    return (
        Cell(checked.state, _LOOKS[checked.state]),
        Cell(_moment(grant.not_after_unix)),
        Cell(span(left) if left > 0 else "-"),
        Cell(printable(grant.requester)),
        Cell(str(sum(not approval.fault for approval in checked.approvals))),
        Cell(printable(grant.ticket) or "-"),
        Cell(",".join(grant.permissions)),
        Cell(printable(str(path))),
    )


def _record(path: Path, checked: CheckedGrant, now_unix: int) -> Record:
    grant = checked.grant
    return {
        "file": printable(str(path)),
        "state": checked.state.value,
        "grant_id": grant.grant_id,
        "requester": printable(grant.requester),
        "requester_key": grant.requester_key,
        "permissions": list(grant.permissions),
        "reveals": grant.reveals,
        "pods": [
            {"namespace": pod.namespace, "workload": pod.workload, "uid": pod.uid, "agent_id": printable(pod.spiffe_id)}
            for pod in grant.pods
        ],
        "tier": grant.tier,
        "processes": [
            {"names": _texts(bound.names), "executables": _texts(bound.executables), "uids": list(bound.uids)}
            for bound in grant.processes
        ],
        "names": _texts(grant.names),
        "paths": _texts(grant.paths),
        "not_before": _time(grant.not_before_unix),
        "not_after": _time(grant.not_after_unix),
        "seconds_left": max(0, grant.not_after_unix - now_unix),
        "reason": printable(grant.reason),
        "ticket": printable(grant.ticket),
        "budget": {name: _amount(grant, name) for name in _COUNTED},
        "policy_digest": grant.policy_digest,
        "needs_evidence": grant.needs_evidence,
        "approvals": [_approval_record(approval) for approval in checked.approvals],
    }


def _approval_record(approval: Approval) -> JsonValue:
    return {
        "spiffe_id": printable(approval.spiffe_id),
        "key_digest": approval.key_digest,
        "serial": approval.serial,
        "certificate_end": _time(approval.certificate_end_unix),
        "fault": approval.fault,
    }


def _texts(values: Sequence[str]) -> list[JsonValue]:
    return [printable(value) for value in values]


def _time(unix: int) -> str:
    """Writes a time as RFC 3339; one outside of the years 1 to 9999 as seconds since 1970, as in an agent's replies."""
    text = unix_moment(unix)
    return str(unix) if text == "?" else text.replace(" ", "T")
