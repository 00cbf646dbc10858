"""Shows in what one policy is wider than another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.policy.compare import AccessWidening
from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.visible import printable
from leadglass_client.views.policy_words import standing_words, target_words, why_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass_agent.policy.compare import Widening
    from leadglass_agent.policy.compare_terms import TermWidening
    from leadglass_client.output.records import Record

_FIELDS: Final = ("what", "role", "rule", "before", "after", "callers", "caller", "about", "standing")


def widenings_sheet(found: Sequence[Widening]) -> Sheet:
    """Makes the sheet of all widenings; the identifiers are permissions and terms."""
    records = tuple(_record(one) for one in found)
    titles = ("WIDER IN", "NOW", "BEFORE", "FOR EXAMPLE")
    return Sheet(
        document={"widenings": list(records)},
        records=records,
        fields=_FIELDS,
        identifiers=tuple(dict.fromkeys(_what(one) for one in found)),
        heading=() if found else (("result", Cell("not wider in anything", Look.GOOD)),),
        columns=tuple(map(Column, titles)) if found else (),
        rows=tuple(_access_row(one) if isinstance(one, AccessWidening) else _term_row(one) for one in found),
    )


def _what(one: Widening) -> str:
    return one.permission.value if isinstance(one, AccessWidening) else one.term


def _access_row(one: AccessWidening) -> tuple[Cell, ...]:
    about = target_words(one.target)
    example = ": ".join([printable(one.caller), *([about] if about else [])])
    return (
        Cell(one.permission.value, Look.BAD),
        Cell(f"permitted by {one.role}/{one.rule}"),
        Cell(why_words(one.before)),
        Cell(f"{example}; {standing_words(one.standing)}" if one.standing.grants else example),
    )


def _term_row(one: TermWidening) -> tuple[Cell, ...]:
    whom = "everybody" if one.caller is None else printable(one.caller)
    return (Cell(one.term, Look.BAD), Cell(printable(one.after)), Cell(printable(one.before)), Cell(whom))


def _record(one: Widening) -> Record:
    if isinstance(one, AccessWidening):
        return {
            "what": one.permission.value,
            "role": one.role,
            "rule": one.rule,
            "before": why_words(one.before),
            "after": "permitted",
            "callers": [printable(glob) for glob in one.callers],
            "caller": printable(one.caller),
            "about": target_words(one.target),
            "standing": standing_words(one.standing),
        }
    return {
        "what": one.term,
        "role": None,
        "rule": None,
        "before": printable(one.before),
        "after": printable(one.after),
        "callers": [],
        "caller": None if one.caller is None else printable(one.caller),
        "about": "",
        "standing": "",
    }
