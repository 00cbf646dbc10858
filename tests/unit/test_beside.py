"""A value of a known shape is masked beside its vendor's name, and only where something links the two."""

from __future__ import annotations

import pytest

from leadglass_agent.redaction.catalogue.filler import expand
from leadglass_agent.redaction.redactor import Redactor
from planted_text import shown

_REDACTOR = Redactor()
_HEX = expand("{hex:32}", "beside").decode()
_LOWER = expand("{lower:52}", "beside").decode()


def _rules(text: str) -> set[str]:
    return {str(finding.rule_id) for finding in _REDACTOR.redact(text.encode()).findings}


@pytest.mark.parametrize(
    "text",
    [
        f"TWILIO={_HEX}",
        f"twilio: {_HEX}",
        f'"twilio": "{_HEX}"',
        f"twilio token {_HEX}",
        f"the twilio auth of production, {_HEX}",
        f"twilio_sid_and_key {_HEX}",
        f"<twilio>auth {_HEX}</twilio>",
        f"TWILIO\t=\t'{_HEX}'",
    ],
)
def test_a_value_beside_its_vendors_name_is_masked_behind_a_separator_or_a_word_for_a_secret(text: str) -> None:
    assert _HEX not in shown(text)
    assert _rules(text) == {"twilio-auth-token"}


@pytest.mark.parametrize(
    "text",
    [
        f"twilio request {_HEX}",
        f"twilio\n{_HEX}",
        f"twilio: {_HEX}{_HEX}",
        f"twilio: {_HEX[:31]}",
        "twilio: " + "0" * 32,
        f"twilio: {'x ' * 60}{_HEX}",
    ],
)
def test_a_value_that_is_not_linked_or_not_of_the_shape_stays(text: str) -> None:
    assert "twilio-auth-token" not in _rules(text)


def test_only_the_first_value_of_the_shape_belongs_to_the_vendor() -> None:
    out = shown(f"twilio auth: {_HEX}, request {_HEX[::-1]}")
    assert _HEX not in out
    assert _HEX[::-1] in out


def test_the_vendors_name_may_be_a_part_of_a_longer_name() -> None:
    assert _rules(f"my-azure-devops-org-pat = {_LOWER}") == {"azure-devops-legacy-token"}


def test_the_name_and_the_quotes_stay() -> None:
    assert shown(f'"twilio": "{_HEX}", "n": 1') == '"twilio": "[redacted:twilio-auth-token]", "n": 1'
