"""Promise: text of the target leaves the agent only masked and escaped, and no secret is in it."""

from __future__ import annotations

import ast
import json
import traceback
from pathlib import Path

import pytest

import leadglass_agent
from leadglass_agent.redaction.catalogue.filler import expand
from leadglass_agent.redaction.catalogue.rules import load_rules
from leadglass_agent.redaction.escape import visible
from leadglass_agent.redaction.redactor import RedactionError, Redactor
from redaction_corpus import HARMLESS, SURROUNDINGS, longest_surviving_share

_REDACTOR = Redactor()
_PACKAGE = Path(leadglass_agent.__file__).parent
_SECRETS = [
    (rule.id, max(example.split(), key=len)) for rule in load_rules() if not rule.generic for example in rule.examples
]
_LEAK = 0.6


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


@pytest.mark.parametrize(("rule", "secret"), _SECRETS, ids=[f"{rule}-{n}" for n, (rule, _) in enumerate(_SECRETS)])
def test_a_credential_of_any_known_kind_leaves_in_no_surrounding(rule: str, secret: bytes) -> None:
    text = secret.decode()
    surroundings = {
        "log line": f"2026-03-14T09:26:53Z ERROR upstream refused {text} after 3 attempts",
        "json": json.dumps({"level": "info", "note": text, "n": 1}),
        "json in json": json.dumps({"msg": json.dumps({"note": f"a\n{text}\n"})}),
        "yaml": f"a:\n  - {text}\n  - b\n",
        "environment block": f"A=1\0NOTE={text}\0B=2\0",
        "markup": f"<note>{text}</note>",
        "url": f"https://x.example/cb?state={text}&n=1",
        "terminal colours": f"\x1b[31m{text}\x1b[0m",
    }
    for place, surrounding in surroundings.items():
        assert longest_surviving_share(secret, _shown(surrounding.encode())) < _LEAK, (rule, place)
    arguments = _REDACTOR.redact_arguments([b"app", b"--note", secret, b"--note=" + secret])
    assert all(longest_surviving_share(secret, one.text.data) < _LEAK for one in arguments)


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
