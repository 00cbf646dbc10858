"""Shows how the tests of a policy went: all of them as data, those that failed for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.policy.question import Yes
from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.visible import printable
from leadglass_client.views.policy_words import target_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from leadglass_agent.policy.table import Outcome
    from leadglass_client.output.records import Record

_FIELDS: Final = ("file", "line", "passed", "caller", "permission", "about", "expected", "answer", "rules", "fault")


def outcomes_sheet(ran: Sequence[tuple[Path, Outcome]]) -> Sheet:
    """Makes the sheet of all tests; the identifiers are the places of those that failed."""
    failed = [(path, outcome) for path, outcome in ran if outcome.fault]
    records = tuple(_record(path, outcome) for path, outcome in ran)
    verdict = Cell(f"{len(ran)} passed", Look.GOOD)
    if failed:
        verdict = Cell(f"{len(failed)} failed, {len(ran) - len(failed)} passed", Look.BAD)
    titles = ("TEST", "EXPECTED", "CALLER", "PERMISSION", "BUT")
    return Sheet(
        document={"passed": len(ran) - len(failed), "failed": len(failed), "tests": list(records)},
        records=records,
        fields=_FIELDS,
        identifiers=tuple(_place(path, outcome) for path, outcome in failed),
        heading=(("tests", verdict),),
        columns=tuple(map(Column, titles)) if failed else (),
        rows=tuple(_row(path, outcome) for path, outcome in failed),
    )


def _row(path: Path, outcome: Outcome) -> tuple[Cell, ...]:
    question = outcome.case.question
    return (
        Cell(_place(path, outcome)),
        Cell(_word(is_allowed=outcome.case.is_allowed)),
        Cell(printable(question.caller)),
        Cell(question.permission.value),
        Cell(outcome.fault, Look.BAD),
    )


def _record(path: Path, outcome: Outcome) -> Record:
    question = outcome.case.question
    return {
        "file": printable(str(path)),
        "line": outcome.case.line,
        "passed": not outcome.fault,
        "caller": printable(question.caller),
        "permission": question.permission.value,
        "about": target_words(question.target),
        "expected": _word(is_allowed=outcome.case.is_allowed),
        "answer": _word(is_allowed=isinstance(outcome.answer, Yes)),
        "rules": list(outcome.answer.rules),
        "fault": outcome.fault,
    }


def _place(path: Path, outcome: Outcome) -> str:
    return f"{printable(str(path))}:{outcome.case.line}"


def _word(*, is_allowed: bool) -> str:
    return "allow" if is_allowed else "deny"
