"""Promise: text of the target leaves the agent only masked and escaped, and no secret is in it."""

from __future__ import annotations

import ast
import json
import traceback
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import leadglass_agent
from leadglass_agent.redaction.catalogue.filler import expand
from leadglass_agent.redaction.catalogue.rules import load_rules
from leadglass_agent.redaction.database import load
from leadglass_agent.redaction.escape import visible
from leadglass_agent.redaction.redactor import RedactionError, Redactor
from redaction_corpus import HARMLESS, SURROUNDINGS, longest_surviving_share

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.redaction.catalogue.rules import Rule

_REDACTOR = Redactor()
_DATABASE = load()
_PACKAGE = Path(leadglass_agent.__file__).parent
_RULES = [rule for rule in load_rules() if not rule.generic]
_LEAK = 0.6
# Each is given a text with a credential and gives what a program writes around it.
_SURROUNDINGS: dict[str, Callable[[str], str]] = {
    "log line": lambda text: f"2026-03-14T09:26:53Z ERROR upstream refused {text} after 3 attempts",
    "json": lambda text: json.dumps({"level": "info", "note": text, "n": 1}),
    "json in json": lambda text: json.dumps({"msg": json.dumps({"note": f"a\n{text}\n"})}),
    "yaml": lambda text: f"a:\n  - {text}\n  - b\n",
    "environment block": lambda text: f"A=1\0NOTE={text}\0B=2\0",
    "markup": lambda text: f"<note>{text}</note>",
    "url": lambda text: f"https://x.example/cb?state={text}&n=1",
    "terminal colours": lambda text: f"\x1b[31m{text}\x1b[0m",
    "quoted": lambda text: f"note = '{text}'",
    "comma-separated": lambda text: f"id,note\n1,{text},x\n",
    "carriage returns": lambda text: f"HTTP/1.1 200 OK\r\n\r\n{text}\r\n",
}
_SAMPLE = 4
# What stands in JSON already is not put into two more levels of it: that is deeper than the page on redaction promises.
_ESCAPING = {"json", "json in json"}


def _plants(rule: Rule) -> list[tuple[bytes, tuple[bytes, ...]]]:
    """Lists a text for each example, and the parts of it that the rule masks.

    A credential with a shape of its own is planted alone; one that is known by its vendor's name, with that name.
    """
    plants = []
    for example in rule.examples:
        spans = [span for span in _DATABASE.spans(example) if span.rule_id == rule.id]
        if rule.words:
            plants.append((example, tuple(example[span.start : span.end] for span in spans)))
        else:
            plants.extend(
                (example[span.start - rule.keep : span.end], (example[span.start : span.end],)) for span in spans
            )
    return plants


def _sample(rule: Rule, number: int, text: bytes) -> list[str]:
    """Chooses surroundings for the text by the rule's name, so that each run has the same ones."""
    places = [place for place in _SURROUNDINGS if b"\\" not in text or place not in _ESCAPING]
    first = zlib.crc32(rule.id.encode()) + number * _SAMPLE
    return [places[(first + step) % len(places)] for step in range(_SAMPLE)]


def _modules_that_call(name: str) -> set[str]:
    found: set[str] = set()
    for file in _PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == name:
                found.add(str(file.relative_to(_PACKAGE)))
    return found


def test_only_the_mask_makes_clean_text_and_only_the_escape_makes_visible_text() -> None:
    assert _modules_that_call("Clean") == {"redaction/mask.py"}
    assert _modules_that_call("Visible") == {"redaction/escape.py"}


def _shown(data: bytes) -> bytes:
    return visible(_REDACTOR.redact(data).text, 10**6).text.encode()


@pytest.mark.parametrize("rule", _RULES, ids=[rule.id for rule in _RULES])
def test_a_credential_of_any_known_kind_leaves_in_no_surrounding(rule: Rule) -> None:
    plants = _plants(rule)
    assert len(plants) >= len(rule.examples)
    assert all(secrets for _, secrets in plants)
    for number, (text, secrets) in enumerate(plants):
        for place in _sample(rule, number, text):
            shown = _shown(_SURROUNDINGS[place](text.decode()).encode())
            assert all(longest_surviving_share(secret, shown) < _LEAK for secret in secrets), (text, place)
        for argument in _REDACTOR.redact_arguments([b"app", b"--note", text, b"--note=" + text]):
            shown = argument.text.data
            assert all(longest_surviving_share(secret, shown) < _LEAK for secret in secrets), (text, "arguments")


def test_the_sample_puts_rules_into_every_surrounding() -> None:
    taken = {place for rule in _RULES for number in range(len(rule.examples)) for place in _sample(rule, number, b"")}
    assert taken == set(_SURROUNDINGS)


def test_ten_thousand_planted_values_leave_in_no_surrounding() -> None:
    values = [expand("kQ{alnum:14}7", str(number)) for number in range(10_000)]
    for batch in range(0, len(values), 100):
        lines = [HARMLESS[number % len(HARMLESS)] for number in range(batch, batch + 100)]
        planted = [
            SURROUNDINGS[number % len(SURROUNDINGS)].replace("@@", value.decode())
            for number, value in enumerate(values[batch : batch + 100], start=batch)
        ]
        shown = _shown("\n".join(line for pair in zip(lines, planted, strict=True) for line in pair).encode())
        assert not [value for value in values[batch : batch + 100] if value in shown]


def test_findings_and_errors_hold_no_value() -> None:
    redaction = _REDACTOR.redact(b"password=kQabcdef7")
    assert "kQabcdef7" not in repr(redaction)
    assert [(finding.start, finding.end) for finding in redaction.findings] == [(9, 18)]
    with pytest.raises(RedactionError) as raised:
        _REDACTOR.redact_arguments([b"--password=kQabcdef7", "--password=kQabcdef7"])  # type: ignore[list-item]
    assert "kQabcdef7" not in "".join(traceback.format_exception(raised.value.with_traceback(None)))
