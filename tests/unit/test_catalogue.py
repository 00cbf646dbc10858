"""The catalogue's rules are what they say, and a rule that is not stops the build."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import leadglass_agent.redaction
from leadglass_agent.redaction.catalogue.filler import expand
from leadglass_agent.redaction.catalogue.rules import CatalogueError, Rule, load_rules, read_family
from leadglass_agent.redaction.database import Database, build
from leadglass_agent.strict_yaml import DocumentError

_RULES = load_rules()
_DATABASE = build(_RULES)
_CASES = [(rule, example) for rule in _RULES for example in rule.examples]
_NEAR_MISSES = [(rule, near_miss) for rule in _RULES for near_miss in rule.near_misses]


def _ids(cases: list[tuple[Rule, bytes]]) -> list[str]:
    return [f"{rule.id}-{number}" for number, (rule, _) in enumerate(cases)]


def _family(head: str = "zz_[a-z]{8}", tail: str = "", example: str = "zz_abcdefgh", near_miss: str = "zz_ab") -> bytes:
    return f"""family: test
rules:
  - id: test-rule
    vendor: nobody
    heads: ['{head}']
    tail: '{tail}'
    examples: ['{example}']
    near_misses: ['{near_miss}']
""".encode()


def test_the_catalogue_knows_at_least_a_hundred_kinds() -> None:
    assert len(_RULES) >= 100


@pytest.mark.parametrize(("rule", "example"), _CASES, ids=_ids(_CASES))
def test_an_example_is_spanned_to_its_end(rule: Rule, example: bytes) -> None:
    spans = [span for span in _DATABASE.spans(example) if span.rule_id == rule.id]
    assert spans
    longest = max(re.findall(rb"[A-Za-z0-9_-]{8,}", example), key=len)
    shown = bytearray(example)
    for span in spans:
        shown[span.start : span.end] = b" " * (span.end - span.start)
    assert longest[-8:] not in shown


@pytest.mark.parametrize(("rule", "near_miss"), _NEAR_MISSES, ids=_ids(_NEAR_MISSES))
def test_a_near_miss_is_left_alone_by_its_rule(rule: Rule, near_miss: bytes) -> None:
    assert not [span for span in _DATABASE.spans(near_miss) if span.rule_id == rule.id]


@pytest.mark.parametrize("rule", _RULES, ids=[rule.id for rule in _RULES])
def test_a_credential_that_is_longer_than_documented_is_masked_to_its_end(rule: Rule) -> None:
    for example in rule.examples:
        ends = [span.end for span in _DATABASE.spans(example) if span.rule_id == rule.id]
        if max(ends) < len(example):
            continue
        longer = [span.end for span in _DATABASE.spans(example + b"0") if span.rule_id == rule.id]
        assert max(longer, default=0) >= len(example)


def test_no_catalogue_file_holds_what_a_scanner_takes_for_a_live_credential() -> None:
    folder = Path(leadglass_agent.redaction.__file__).parent
    specific = {rule.id for rule in _RULES if not rule.generic} - {"json-web-token"}
    files = sorted(folder.rglob("*.yaml"))
    assert len(files) >= 6
    for file in files:
        assert not {span.rule_id for span in _DATABASE.spans(file.read_bytes())} & specific


def test_the_filler_of_an_example_is_the_same_each_time_and_differs_between_rules() -> None:
    assert expand("a{hex:40}", "one") == expand("a{hex:40}", "one")
    assert expand("a{hex:40}", "one") != expand("a{hex:40}", "two")
    with pytest.raises(KeyError):
        expand("{nothing:4}", "one")


@given(st.sampled_from(["alnum", "hex", "base64url", "digits"]), st.integers(1, 300), st.text("abc", max_size=5))
def test_the_filler_has_the_length_that_is_asked_for(alphabet: str, length: int, salt: str) -> None:
    assert len(expand(f"<{{{alphabet}:{length}}}>", salt)) == length + 2


def _built(text: bytes) -> Database:
    return build(read_family(text, "test.yaml"))


def test_a_sound_rule_builds() -> None:
    assert _built(_family()).spans(b"x zz_abcdefgh")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_family(example="zz_abcd"), "no example begins with the head"),
        (_family(near_miss="x zz_qwertyui"), "a near-miss matches"),
        (_family(head="zz_[a-z]+"), "fixed width"),
        (_family(tail="[0-9]{2}"), "must be optional"),
        (_family(example="zz_zzzzzzzz"), "an example does not match"),
        (_family().replace(b"test-rule", b"Test_Rule"), "kebab-case"),
    ],
)
def test_a_rule_that_is_not_what_it_says_stops_the_build(text: bytes, message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        _built(text)


def test_an_unknown_key_in_a_family_file_is_refused() -> None:
    with pytest.raises(DocumentError, match=r"test\.yaml"):
        read_family(_family() + b"    colour: red\n", "test.yaml")
