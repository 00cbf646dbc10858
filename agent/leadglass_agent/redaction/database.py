"""The compiled catalogue: one Hyperscan pass finds candidates, a confirm step gives the exact span of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import hyperscan

from leadglass_agent.redaction.catalogue.rules import CatalogueError
from leadglass_agent.redaction.contexts import CONTEXTS
from leadglass_agent.redaction.findings import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from leadglass_agent.redaction.catalogue.rules import Head, Rule
    from leadglass_agent.redaction.contexts import Confirm

# A lead is looked for this far back: the longest documented part before a head, a JOSE header with a certificate
# thumbprint, is under 1 KiB.
_MAX_LEAD: Final = 2048
_SPECIFIC_RANK: Final = 10
_GENERIC_RANK: Final = 20
# A filler such as xxxxxxxx is a placeholder of documentation; a random credential never ends in it.
_PLACEHOLDER_TAIL: Final = 12
_PLACEHOLDER_DISTINCT: Final = 2

Step: TypeAlias = "tuple[Rule, Head] | Confirm"


@dataclass(frozen=True, slots=True)
class Database:
    """The catalogue and the context rules, compiled."""

    compiled: hyperscan.Database
    steps: tuple[Step, ...]
    rule_count: int

    def spans(self, data: bytes) -> list[Span]:
        """Finds every candidate in one pass and confirms each; work is linear in the length of the data."""
        candidates: list[tuple[int, int]] = []
        append = candidates.append

        def on_match(step: int, _start: int, end: int, _flags: int, _context: object) -> None:
            append((end, step))

        self.compiled.scan(data, match_event_handler=on_match)
        if not candidates:
            return []
        candidates.sort()
        spans: list[Span] = []
        # A candidate inside a span that its own step already gave is part of it: without this, a credential's tail
        # could be read again for each head that it contains.
        covered: dict[int, int] = {}
        for end, number in dict.fromkeys(candidates):
            step = self.steps[number]
            if isinstance(step, tuple):
                rule, head = step
                span = None if end - head.width < covered.get(number, 0) else _confirm(data, end, rule, head)
            else:
                span = None if end <= covered.get(number, 0) else step(data, end)
            if span is not None:
                covered[number] = span.end
                spans.append(span)
        return spans


def build(rules: Sequence[Rule]) -> Database:
    """Compiles these rules and the context rules, and runs every example and near-miss.

    Raises CatalogueError when a rule misses its example or takes a near-miss.
    """
    expressions: list[bytes] = []
    flags: list[int] = []
    ids: list[int] = []
    steps: list[Step] = []
    for rule in rules:
        for head in rule.heads:
            expressions.append(head.expression)
            flags.append(hyperscan.HS_FLAG_CASELESS if rule.caseless else 0)
            ids.append(len(steps))
            steps.append((rule, head))
    for context in CONTEXTS:
        expressions.extend(context.expressions)
        flags.extend([hyperscan.HS_FLAG_CASELESS] * len(context.expressions))
        ids.extend([len(steps)] * len(context.expressions))
        steps.append(context.confirm)
    compiled = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    compiled.compile(expressions=expressions, ids=ids, elements=len(expressions), flags=flags)
    database = Database(compiled, tuple(steps), len(rules) + len(CONTEXTS))
    _check(rules, database.spans)
    return database


def _confirm(data: bytes, end: int, rule: Rule, head: Head) -> Span | None:
    start = end - head.width
    match = head.confirm.match(data, start)
    if match is None:
        return None
    end = match.end()
    if len(set(data[max(start, end - _PLACEHOLDER_TAIL) : end])) <= _PLACEHOLDER_DISTINCT:
        return None
    if rule.lead:
        window = data[max(0, start - _MAX_LEAD) : start]
        start -= len(window) - len(window.rstrip(rule.lead))
    return Span(start + rule.keep, end, _GENERIC_RANK if rule.generic else _SPECIFIC_RANK, rule.id)


def _check(rules: Sequence[Rule], spans: Callable[[bytes], list[Span]]) -> None:
    for rule in rules:
        for example in rule.examples:
            if not any(span.rule_id == rule.id for span in spans(example)):
                message = f"{rule.id}: an example does not match"
                raise CatalogueError(message)
        for near_miss in rule.near_misses:
            if any(span.rule_id == rule.id for span in spans(near_miss)):
                message = f"{rule.id}: a near-miss matches"
                raise CatalogueError(message)
