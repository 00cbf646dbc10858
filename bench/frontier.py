"""Measures how many secrets the redactor leaves in place, and how much harmless text it touches, over the corpora.

bench/frontier.py [--profile balanced|strict] [--failures [--category C] [--limit N]] [--unseen] [--logs DIR] [--write]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import corpora
from leadglass_agent.redaction.findings import RedactionError
from leadglass_agent.redaction.redactor import Redactor

_RESULTS: Final = Path(__file__).parent / "results" / "frontier.json"
_PROFILES: Final = ("balanced", "strict")
_LIMITS: Final = {
    "balanced": {"leaked": 3.0, "lookalikes": 10.0, "logs": 0.1},
    "strict": {"leaked": 1.0, "lookalikes": 100.0, "logs": 5.0},
}
_ERRORS: Final = "backslashreplace"


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one case: its output, and the rules that touched it."""

    category: str
    before: bytes
    after: bytes
    is_bad: bool
    rules: tuple[str, ...]
    name: str = ""
    is_seen: bool = True


def main() -> int:
    """Runs the measures that the arguments ask for and prints them."""
    options = _arguments().parse_args()
    rows: list[dict[str, object]] = []
    for profile in (options.profile,) if options.profile else _PROFILES:
        redactor = Redactor(profile)
        parts = {
            "leaked": [_secret(redactor, case) for case in corpora.secrets()],
            "lookalikes": [_harmless(redactor, case) for case in corpora.lookalikes()],
            "logs": [] if options.skip_logs else _lines(redactor, corpora.logs()),
        }
        if options.logs is not None:
            parts["real logs"] = _lines(redactor, _real(options.logs))
        for part, outcomes in parts.items():
            if outcomes:
                rows.append(_total(profile, part, outcomes))
                _table(outcomes, options)
                if options.failures:
                    _failures(outcomes, options)
    if options.write:
        _RESULTS.parent.mkdir(exist_ok=True)
        _RESULTS.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--profile", choices=_PROFILES, help="one profile; both without")
    parser.add_argument("--failures", action="store_true", help="show the seen cases that went wrong")
    parser.add_argument("--category", help="tables and failures of this category alone")
    parser.add_argument("--limit", type=int, default=40, help="failures to show for each part")
    parser.add_argument("--unseen", action="store_true", help="totals of each category over the unseen cases")
    parser.add_argument("--logs", type=Path, help="a folder of real *.log files, each line a case")
    parser.add_argument("--skip-logs", action="store_true", help="leave the made log lines out")
    parser.add_argument("--write", action="store_true", help="write bench/results/frontier.json")
    return parser


def _secret(redactor: Redactor, case: corpora.Case) -> _Outcome:
    after, rules = _redacted(redactor, case)
    is_leaked = any(corpora.keeps(after, secret) for secret in case.secrets)
    return _Outcome(case.category, _joined(case.parts), after, is_leaked, rules, case.name, case.is_seen)


def _harmless(redactor: Redactor, case: corpora.Case) -> _Outcome:
    after, rules = _redacted(redactor, case)
    before = _joined(case.parts)
    return _Outcome(case.category, before, after, after != before, rules, case.name, case.is_seen)


def _lines(redactor: Redactor, lines: tuple[tuple[str, bytes], ...]) -> list[_Outcome]:
    outcomes = []
    for category, line in lines:
        after, rules = _redacted(redactor, corpora.Case("", "", category, (line,), (), is_argv=False))
        outcomes.append(_Outcome(category, line, after, after != line, rules))
    return outcomes


def _redacted(redactor: Redactor, case: corpora.Case) -> tuple[bytes, tuple[str, ...]]:
    try:
        answers = redactor.redact_arguments(case.parts) if case.is_argv else (redactor.redact(case.parts[0]),)
    except RedactionError as error:
        return b"", (f"failure:{error}",)  # no text came out: nothing leaked, and a harmless text counts as touched
    rules = tuple(str(finding.rule_id) for answer in answers for finding in answer.findings)
    return _joined(tuple(answer.text.data for answer in answers)), rules


def _joined(parts: tuple[bytes, ...]) -> bytes:
    """One text of a list of arguments, with a NUL between them as in /proc/PID/cmdline."""
    return b"\x00".join(parts)


def _real(folder: Path) -> tuple[tuple[str, bytes], ...]:
    return tuple(
        (path.stem, line)
        for path in sorted(folder.rglob("*.log"))
        for line in path.read_bytes().splitlines()
        if line.strip()
    )


def _total(profile: str, part: str, outcomes: list[_Outcome]) -> dict[str, object]:
    bad = sum(outcome.is_bad for outcome in outcomes)
    share = round(100 * bad / len(outcomes), 3)
    limit = _LIMITS[profile]["logs" if part == "real logs" else part]
    print(f"== {profile}: {part} {share} % ({bad} of {len(outcomes)}), at most {limit} %")
    for half in (True, False):
        members = [outcome.is_bad for outcome in outcomes if outcome.is_seen == half]
        if part in {"leaked", "lookalikes"} and members:
            print(f"   {'seen' if half else 'unseen'}: {100 * sum(members) / len(members):.2f} % of {len(members)}")
    return {"name": f"redaction frontier: {part}, {profile}", "value": share, "unit": "%", "limit": limit, "peers": {}}


def _table(outcomes: list[_Outcome], options: argparse.Namespace) -> None:
    """Prints each category that has something wrong, of the seen part unless the other is asked for."""
    is_seen = not options.unseen
    total = Counter(outcome.category for outcome in outcomes if outcome.is_seen == is_seen)
    bad = Counter(outcome.category for outcome in outcomes if outcome.is_seen == is_seen and outcome.is_bad)
    for category, count in bad.most_common():
        if options.category in {None, category}:
            print(f"   {category:32} {count:4} of {total[category]:5}  {100 * count / total[category]:6.1f} %")


def _failures(outcomes: list[_Outcome], options: argparse.Namespace) -> None:
    shown = 0
    for outcome in outcomes:
        if outcome.is_bad and outcome.is_seen and options.category in {None, outcome.category}:
            shown += 1
            if shown > options.limit:
                break
            print(f"-- {outcome.category} {outcome.name} {' '.join(sorted(set(outcome.rules)))}")
            print(f"   text   {outcome.before.decode('utf-8', _ERRORS)}")
            print(f"   output {outcome.after.decode('utf-8', _ERRORS)}")


if __name__ == "__main__":
    sys.exit(main())
