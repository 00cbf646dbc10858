"""Finds the secrets of an argument list: one scan over all arguments, one walk, their scripts, and the echoes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction import echo, engine
from leadglass_agent.redaction.argv.found import Found
from leadglass_agent.redaction.argv.scripts import Budget, read_from
from leadglass_agent.redaction.argv.walk import walk
from leadglass_agent.redaction.engine import _STEP_BITS
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.strict import strict_argument_spans

if TYPE_CHECKING:
    import hyperscan

    from leadglass_agent.redaction.findings import RuleId

_SCRIPT_DEPTH: Final = 1
_NO_LIMIT: Final = 1 << 62


def find(
    arguments: list[bytes],
    compiled: hyperscan.Database,
    steps: engine.Steps,
    is_strict: bool,  # noqa: FBT001 - compiled code is called fastest by position
) -> dict[int, list[Span]]:
    """Finds every secret by the number of its argument; spans are not ordered, may overlap, and never leave theirs."""
    spans: dict[int, list[Span]] = {}
    joined = b"\0".join(arguments)
    _scan(arguments, joined, compiled, steps, spans)
    found = Found(literal=True)
    walk(arguments, found)
    for number in range(len(found.spans)):
        spans.setdefault(found.indexes[number], []).append(found.spans[number])
    if found.script_indexes:
        budget = Budget()
        for number in range(len(found.script_indexes)):
            index = found.script_indexes[number]
            inner = read_from(
                arguments[index], found.script_starts[number], found.script_kinds[number], _SCRIPT_DEPTH, budget
            )
            if inner:
                spans.setdefault(index, []).extend(inner)
    if is_strict:
        for index in range(len(arguments)):
            own = spans.get(index, [])
            strict_argument_spans(arguments, index, own)
            if own:
                spans[index] = own
    if spans:
        _echo(arguments, joined, spans)
    return spans


def _scan(
    arguments: list[bytes],
    joined: bytes,
    compiled: hyperscan.Database,
    steps: engine.Steps,
    spans: dict[int, list[Span]],
) -> None:
    """Scans the arguments in one pass, with a NUL between, and confirms each candidate within its own argument."""
    candidates = engine.candidates(joined, compiled, 0, _NO_LIMIT)[0]
    if len(candidates) == 0:
        return
    candidates.sort()
    index = 0
    begin = 0
    end = len(arguments[0])
    own: list[int] = []
    for candidate in candidates:
        place = candidate >> _STEP_BITS
        while place > end and index + 1 < len(arguments):
            _confirm(arguments[index], own, steps, index, spans)
            own = []
            index += 1
            begin = end + 1
            end = begin + len(arguments[index])
        if place > begin:  # else its last byte is the NUL between
            own.append(candidate - (begin << _STEP_BITS))
    _confirm(arguments[index], own, steps, index, spans)


def _confirm(argument: bytes, own: list[int], steps: engine.Steps, index: int, spans: dict[int, list[Span]]) -> None:
    if len(own) == 0:
        return
    confirmed = engine.confirm(argument, own, steps)
    if confirmed:
        spans.setdefault(index, []).extend(confirmed)


def _echo(arguments: list[bytes], joined: bytes, spans: dict[int, list[Span]]) -> None:
    """Adds the other occurrences of what was found in one argument, also in the other arguments."""
    values: dict[bytes, RuleId] = {}
    for index, found in spans.items():
        for value, rule_id in echo.values_of(arguments[index], found).items():
            if len(values) < echo.MAX_VALUES and value not in values:
                values[value] = rule_id
    if len(values) == 0:
        return
    echoes = echo.echoes(joined, values)
    if len(echoes) > 1:
        echoes.sort(key=_start)
    index = 0
    begin = 0
    end = len(arguments[0])
    for span in echoes:
        while span.start > end and index + 1 < len(arguments):
            index += 1
            begin = end + 1
            end = begin + len(arguments[index])
        if begin <= span.start and span.end <= end:  # else a value with a NUL has met the one between two arguments
            spans.setdefault(index, []).append(Span(span.start - begin, span.end - begin, span.rank, span.rule_id))


def _start(span: Span) -> int:
    return span.start
