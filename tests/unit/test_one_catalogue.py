"""views/one_catalogue.py: one catalogue in memory masks what two masked, for both profiles."""

# ruff: noqa: SLF001 - what is shared inside is what is looked at

from __future__ import annotations

import pytest

from leadglass_agent.redaction.catalogue.rules import load_rules
from leadglass_agent.redaction.redactor import Redactor
from leadglass_agent.views.redactors import build_redactors

_PROFILES = ("balanced", "strict")


def _texts() -> list[bytes]:
    """Gives each rule's examples and near-misses, between words and on a line of their own."""
    found = [text for rule in load_rules() for text in (*rule.examples, *rule.near_misses)]
    return [b"a=1 " + text + b" b=2\n" + text for text in found]


@pytest.mark.parametrize("profile", _PROFILES)
def test_what_is_shared_masks_as_what_is_not(profile: str) -> None:
    alone = Redactor(profile)
    shared = build_redactors().balanced if profile == "balanced" else build_redactors().strict
    assert shared.profile == profile
    assert shared.rule_ids == alone.rule_ids
    differing = [text for text in _texts() if shared.redact(text) != alone.redact(text)]
    assert differing == []


def test_the_profiles_differ_still() -> None:
    text = b"session id: 9f8a7c6b5d4e3f2a1b0c9d8e7f6a5b4c and user 3f2a9c7e1b8d\n"
    both = build_redactors()
    assert Redactor("balanced").redact(text).text == both.balanced.redact(text).text
    assert Redactor("strict").redact(text).text == both.strict.redact(text).text
    assert both.balanced.redact(text).text != both.strict.redact(text).text


def test_both_profiles_read_one_database() -> None:
    both = build_redactors()
    assert both.strict._database.compiled is both.balanced._database.compiled
    assert both.strict._database.steps is both.balanced._database.steps


def test_equal_rows_are_one_object() -> None:
    steps = build_redactors().balanced._database.steps
    sequences = [sequence for shapes in steps.besides for shape in shapes for sequence in shape.sequences]
    rows = [row for sequence in sequences for row in sequence]
    assert len({id(sequence) for sequence in sequences}) == len({tuple(sequence) for sequence in sequences})
    assert len({id(row[0]) for row in rows}) == len({row[0] for row in rows})


def test_the_redactors_are_built_once() -> None:
    assert build_redactors() is build_redactors()
