"""Shows the answer of a policy to one question, and the ways to the other answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.policy.question import Yes
from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.visible import printable
from leadglass_client.views.policy_words import change_words, standing_words, target_words, why_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.policy.explain import Explanation, Way
    from leadglass_agent.policy.model import Policy
    from leadglass_agent.policy.question import Question
    from leadglass_client.output.records import JsonValue, Record

_FIELDS: Final = ("answer", "why", "role", "rules", "caller", "permission", "about", "standing", "ways")
_SHOWN: Final = 5


def explanation_sheet(policy: Policy, question: Question, explanation: Explanation) -> Sheet:
    """Makes the sheet of one explanation; its identifiers are the rules that decide."""
    whole = _record(policy, question, explanation)
    given = explanation.answer
    is_yes = isinstance(given, Yes)
    parts = (policy, question, explanation)
    rows = tuple(row for number in range(len(explanation.ways[:_SHOWN])) for row in _rows(number, *parts))
    return Sheet(
        document=whole,
        records=(whole,),
        fields=_FIELDS,
        identifiers=given.rules,
        heading=tuple(_heading(question, explanation)),
        columns=(Column("TO HAVE IT DENIED" if is_yes else "TO HAVE IT ALLOWED"), Column("")) if rows else (),
        rows=rows,
    )


def _heading(question: Question, explanation: Explanation) -> Iterator[tuple[str, Cell]]:
    given = explanation.answer
    if isinstance(given, Yes):
        yield "answer", Cell("allowed", Look.GOOD)
        yield "by rule", Cell(", ".join(given.rules))
    else:
        yield "answer", Cell("denied", Look.BAD)
        yield "because", Cell(why_words(given))
    yield "caller", Cell(printable(question.caller))
    yield "asks for", Cell(question.permission.value)
    about = target_words(question.target)
    if isinstance(given, Yes) and given.target != question.target:
        yield "about", Cell(about or "anything", Look.PLAIN if about else Look.ODD)
        yield "such as", Cell(target_words(given.target))
    elif about:
        yield "about", Cell(about)
    yield "comes", Cell(standing_words(question.standing))


def _rows(number: int, policy: Policy, question: Question, explanation: Explanation) -> Iterator[tuple[Cell, Cell]]:
    """Gives a line for each change, and what the way is about, where that was left open and is not said yet."""
    way = explanation.ways[number]
    label = "or" if number else "smallest change"
    for change in way.changes:
        yield Cell(label), Cell(change_words(policy, question, change))
        label = "and"
    told = explanation.ways[number - 1].target if number else question.target
    if way.target != told and not isinstance(explanation.answer, Yes):
        yield Cell(""), Cell(f"(such as: {target_words(way.target)})", Look.FAINT)


def _record(policy: Policy, question: Question, explanation: Explanation) -> Record:
    given = explanation.answer
    is_yes = isinstance(given, Yes)
    return {
        "answer": "allow" if is_yes else "deny",
        "why": None if isinstance(given, Yes) else given.why.value,
        "role": None if isinstance(given, Yes) else given.role or None,
        "rules": list(given.rules),
        "caller": printable(question.caller),
        "permission": question.permission.value,
        "about": target_words(given.target if isinstance(given, Yes) else question.target),
        "standing": standing_words(question.standing),
        "ways": [_way(policy, question, way) for way in explanation.ways],
    }


def _way(policy: Policy, question: Question, way: Way) -> JsonValue:
    return {
        "about": target_words(way.target),
        "changes": [
            {
                "kind": change.kind.value,
                "role": change.role,
                "rule": change.rule or None,
                "text": change_words(policy, question, change),
            }
            for change in way.changes
        ],
    }
