"""Shows what another policy would make of a recorded session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.policy.decide import DenyReason
from leadglass_agent.policy.model import RuleId
from leadglass_agent.policy.question import No
from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.visible import capped, printable, short_digest
from leadglass_client.replay.changes import Kind
from leadglass_client.replay.summary import Outcome
from leadglass_client.replay.words import argument_words, method_words
from leadglass_client.views.policy_words import why_words
from leadglass_client.views.replay_timeline import session_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_client.output.records import Record
    from leadglass_client.replay.changes import Change
    from leadglass_client.replay.permitted import Refused
    from leadglass_client.replay.policies import Policies
    from leadglass_client.replay.recording import Recording
    from leadglass_client.replay.redecide import Redecided
    from leadglass_client.replay.summary import Summary

_FIELDS: Final = (
    "call",
    "method",
    "arguments",
    "was",
    "becomes",
    "why",
    "role",
    "against",
    "rules",
    "grants",
    "changes",
)
_COLUMNS: Final = (
    Column("CALL", right=True),
    Column("METHOD"),
    Column("CHANGE"),
    Column("OF"),
    Column("ROWS", right=True),
    Column("WHAT"),
)
_RESULTS: Final = {
    Outcome.SAME: Cell("every call is answered as it was", Look.GOOD),
    Outcome.NARROWER: Cell("shows less, and nothing more", Look.ODD),
    Outcome.WIDER: Cell("shows more, or may", Look.BAD),
}
_WORDS: Final = {
    Kind.REFUSED: "refused",
    Kind.LOST: "not shown",
    Kind.MASKED: "masked",
    Kind.MAY_LOSE: "may be hidden",
    Kind.ANSWERED: "answered now",
    Kind.SHOWN: "newly shown",
    Kind.UNMASKED: "masked less",
    Kind.MAY_SHOW: "may show more",
}
_MAX_ITEMS: Final = 5
_MAX_ITEM: Final = 80


def redecided_sheet(recording: Recording, policies: Policies, summary: Summary) -> Sheet:
    """Makes the sheet: in the table the changes alone, in the other forms every call."""
    records = tuple(_record(one) for one in summary.calls)
    changed = [one for one in summary.calls if one.anew.changes]
    before = policies.before
    heading = (
        ("session", Cell(printable(recording.opened.session_id))),
        ("caller", Cell(printable(recording.opened.caller))),
        ("policy", Cell(f"{printable(policies.after.name)} {short_digest(policies.after.digest)}")),
        ("instead of", Cell(short_digest(recording.opened.policy_digest) if before is None else _named(policies))),
        ("result", _RESULTS[summary.outcome]),
        ("calls", Cell(f"{len(summary.calls)}, of which {summary.narrower} show less and {summary.wider} more")),
        *_grants(summary),
    )
    return Sheet(
        document={
            "session": session_record(recording),
            "policy_digest": policies.after.digest,
            "policy_digest_then": None if before is None else before.digest,
            "outcome": summary.outcome.value,
            "wider": summary.wider,
            "narrower": summary.narrower,
            "calls": list(records),
            "grants": [
                {"grant_id": printable(one.grant_id), "calls_then": one.calls_then, "calls_now": one.calls_now}
                for one in summary.grants
            ],
            "notes": [printable(line) for line in summary.notes],
        },
        records=records,
        fields=_FIELDS,
        identifiers=tuple(str(one.call.number) for one in changed),
        heading=heading,
        columns=_COLUMNS if changed else (),
        rows=tuple(_row(one, change) for one in changed for change in one.anew.changes),
    )


def _named(policies: Policies) -> str:
    before = policies.before
    return "" if before is None else f"{printable(before.name)} {short_digest(before.digest)}"


def _grants(summary: Summary) -> Iterator[tuple[str, Cell]]:
    label = "grants"
    for grant in summary.grants:
        used = f"{printable(grant.grant_id)}: counts in {grant.calls_now} calls, {grant.calls_then} then"
        yield label, Cell(used if grant.calls_now else f"{used}; unused", Look.PLAIN if grant.calls_now else Look.ODD)
        label = ""


def _row(one: Redecided, change: Change) -> tuple[Cell, ...]:
    return (
        Cell(str(one.call.number)),
        Cell(method_words(one.call)),
        Cell(_WORDS[change.kind], Look.BAD if change.kind.is_wider else Look.ODD),
        Cell(printable(change.what)),
        Cell(str(change.count) if change.count else ""),
        Cell(_what(one, change)),
    )


def _what(one: Redecided, change: Change) -> str:
    """Says which rows a change is about, and why."""
    shown = [capped(item, _MAX_ITEM) for item in change.items[:_MAX_ITEMS]]
    more = f" and {change.count - len(shown)} more" if shown and change.count > len(shown) else ""
    parts = [f"{', '.join(shown)}{more}"] if shown else []
    refused = one.anew.refused
    if change.kind is Kind.REFUSED and refused is not None:
        parts.append(f"{refused.reason}: {_why(one, refused)}")
    elif change.note:
        parts.append(printable(change.note))
    return "; ".join(parts) or argument_words(one.call)


def _why(one: Redecided, refused: Refused) -> str:
    """Says why a call is refused, in the words of the policy's own reasons, and what had permitted it."""
    if refused.why not in set(DenyReason):
        return printable(refused.why)
    words = why_words(No(DenyReason(refused.why), refused.role, tuple(map(RuleId, refused.rules))))
    then = ", ".join(printable(rule) for rule in one.call.called.rules)
    return f"{words}; then it was permitted by {then}" if then else words


def _record(one: Redecided) -> Record:
    refused = one.anew.refused
    return {
        "call": one.call.number,
        "method": printable(one.call.called.method),
        "arguments": argument_words(one.call),
        "was": printable(one.call.refusal) or "ANSWERED",
        "becomes": _becomes(one),
        "why": None if refused is None else printable(refused.why),
        "role": None if refused is None else refused.role or None,
        "against": [] if refused is None else list(refused.rules),
        "rules": list(one.rules),
        "grants": [printable(grant) for grant in one.grants],
        "changes": [
            {
                "kind": change.kind.value,
                "what": change.what,
                "count": change.count,
                "items": [printable(item) for item in change.items],
                "note": printable(change.note) or None,
            }
            for change in one.anew.changes
        ],
    }


def _becomes(one: Redecided) -> str:
    if one.anew.refused is not None:
        return one.anew.refused.reason.value
    if one.call.refusal and not any(change.kind is Kind.ANSWERED for change in one.anew.changes):
        return printable(one.call.refusal)
    return "ANSWERED"
