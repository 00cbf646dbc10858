"""The set of rules that masks can name is closed and complete."""

from __future__ import annotations

import re
from pathlib import Path

import leadglass_agent.redaction
from leadglass_agent.redaction.catalogue.rules import load_rules
from leadglass_agent.redaction.rule_ids import CONTEXT_RULES
from leadglass_agent.views.redactors import build_redactors

_LITERAL = re.compile(r'(?:RuleId|SecretName)\(\s*"([a-z0-9-]+)"')


def test_every_rule_that_the_engine_s_code_names_is_in_the_set() -> None:
    folder = Path(leadglass_agent.redaction.__file__).parent
    named = {name for file in folder.glob("*.py") for name in _LITERAL.findall(file.read_text(encoding="utf-8"))}

    assert len(named) > 10
    assert named <= CONTEXT_RULES


def test_every_rule_of_the_catalogue_is_in_the_set() -> None:
    known = build_redactors().rule_ids

    assert {rule.id for rule in load_rules()} <= known
    assert known >= CONTEXT_RULES
