"""Times every rule alone: one below the limit costs more than a hundred that are anchored in a literal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import hyperscan

from leadglass_agent.redaction import database
from leadglass_agent.redaction.catalogue.rules import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass_agent.redaction.catalogue.rules import Rule

LEAST_MEGABYTES_A_SECOND: Final = 1500
# A literal that stands in no log, and its speed on the quiet machine that the limit was set for.
_REFERENCE: Final = b"zqxjkvbwpy"
_REFERENCE_MEGABYTES_A_SECOND: Final = 12_000
_REFERENCE_ROUNDS: Final = 20
_PATIENT_ROUNDS: Final = 60


def check(rules: Sequence[Rule], text: bytes, least: float | None = None) -> str:
    """Scans the text with each rule alone, and says how it was measured; raises CatalogueError with the figures.

    Processor time counts, so that other programs take little of it, and one scan that is fast enough is proof: other
    work makes a scan slower and never faster. Where even one literal scans below the limit, the machine says nothing
    of the rules, and each must then reach the same share of that literal's speed as on a quiet machine.
    """
    reference = _best([_REFERENCE], text, caseless=False, enough=float("inf"), rounds=_REFERENCE_ROUNDS)
    limit = limit_of(reference) if least is None else least
    slow: dict[str, float] = {}
    for rule in rules:
        caseless = rule.caseless or bool(rule.words)
        found = _best(database.expressions_of(rule), text, caseless=caseless, enough=limit, rounds=_PATIENT_ROUNDS)
        if found < limit:
            slow[rule.id] = found
    said = f"a literal scans {reference:.0f} MB/s, each rule must reach {limit:.0f} MB/s"
    if slow:
        figures = ", ".join(f"{rule_id} {megabytes:.0f} MB/s" for rule_id, megabytes in slow.items())
        message = f"slower than {limit:.0f} MB/s alone: {figures} ({said})"
        raise CatalogueError(message)
    return f"{len(rules)} rules, each alone: {said}"


def limit_of(reference: float) -> float:
    """Gives the limit in MB/s where a literal scans this fast: the full one, unless even the literal stays below."""
    if reference >= LEAST_MEGABYTES_A_SECOND:
        return LEAST_MEGABYTES_A_SECOND
    return reference * LEAST_MEGABYTES_A_SECOND / _REFERENCE_MEGABYTES_A_SECOND


def _best(expressions: list[bytes], text: bytes, *, caseless: bool, enough: float, rounds: int) -> float:
    compiled = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    flags = [hyperscan.HS_FLAG_CASELESS if caseless else 0] * len(expressions)
    compiled.compile(expressions=expressions, ids=list(range(len(expressions))), elements=len(expressions), flags=flags)
    best = 0.0
    for _ in range(rounds):
        start = time.process_time()
        compiled.scan(text, match_event_handler=_ignore)
        best = max(best, len(text) / max(time.process_time() - start, 1e-9) / 1e6)
        if best >= enough:
            break
    return best


def _ignore(_rule: int, _start: int, _end: int, _flags: int, _context: object) -> None:
    return None
