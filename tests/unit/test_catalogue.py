"""The catalogue's rules are what they say, and a rule that is not stops the build."""

from __future__ import annotations

from pathlib import Path

import hyperscan
import pytest
from hypothesis import given
from hypothesis import strategies as st

import leadglass_agent.redaction
from leadglass_agent.redaction import database
from leadglass_agent.redaction.catalogue import build, rules, speed
from leadglass_agent.redaction.catalogue.filler import expand
from leadglass_agent.redaction.catalogue.rules import CatalogueError, Rule, load_rules, read_family
from leadglass_agent.strict_yaml import DocumentError

_RULES = load_rules()
_DATABASE = database.compile_rules(_RULES)


def _family(head: str = "zz_[a-z]{8}", tail: str = "", example: str = "zz_abcdefgh", near_miss: str = "zz_ab") -> bytes:
    return f"""family: test
rules:
  - id: test-rule
    vendor: nobody
    source: nowhere
    heads: ['{head}']
    tail: '{tail}'
    examples: ['{example}']
    near_misses: ['{near_miss}']
""".encode()


def _beside(near_miss: str = "acme {lower:20}") -> bytes:
    return f"""family: test
rules:
  - id: test-beside
    vendor: nobody
    source: nowhere
    beside: [acme]
    values: ['[a-z0-9]{{20}}']
    examples: ['acme_key={{lower:20}}']
    near_misses: ['{near_miss}']
""".encode()


def _checked(text: bytes) -> database.Database:
    read = read_family(text, "test.yaml")
    compiled = database.compile_rules(read)
    database.check(read, compiled)
    return compiled


def _has(compiled: database.Database, text: bytes) -> bool:
    return any(span.rule_id == "test-beside" for span in compiled.spans(text))


def test_the_catalogue_knows_at_least_250_kinds_each_with_an_id_of_its_own_and_a_source() -> None:
    assert len(_RULES) >= 250
    assert len({rule.id for rule in _RULES}) == len(_RULES)
    assert all(rule.source.strip() and rule.vendor.strip() for rule in _RULES)


def test_every_example_is_found_and_every_near_miss_is_left_alone() -> None:
    database.check(_RULES, _DATABASE)


@pytest.mark.parametrize("rule", [rule for rule in _RULES if rule.heads], ids=lambda rule: rule.id)
def test_an_example_is_masked_to_its_end(rule: Rule) -> None:
    for example in rule.examples:
        ends = [span.end for span in _DATABASE.spans(example) if span.rule_id == rule.id]
        assert not example[max(ends) :][:1].isalnum()


@pytest.mark.parametrize("rule", [rule for rule in _RULES if rule.heads and rule.tail], ids=lambda rule: rule.id)
def test_a_credential_that_is_longer_than_documented_is_masked_to_its_end(rule: Rule) -> None:
    assert rule.tail is not None
    for example in rule.examples:
        ends = [span.end for span in _DATABASE.spans(example) if span.rule_id == rule.id]
        if max(ends) < len(example) or not rule.tail.members[ord("0")]:
            continue
        longer = [span.end for span in _DATABASE.spans(example + b"0") if span.rule_id == rule.id]
        assert max(longer, default=0) >= len(example)


def test_no_catalogue_file_holds_what_a_scanner_takes_for_a_live_credential() -> None:
    folder = Path(leadglass_agent.redaction.__file__).parent
    specific = {rule.id for rule in _RULES if rule.heads and not rule.generic} - {"json-web-token"}
    files = sorted(folder.rglob("*.yaml"))
    assert len(files) >= 6
    for file in files:
        text = file.read_bytes()
        live = [span.rule_id for span in _DATABASE.spans(text) if b"{" not in text[span.start : span.end + 1]]
        assert not specific & set(live), file.name


def test_the_filler_of_an_example_is_the_same_each_time_and_differs_between_rules() -> None:
    assert expand("a{hex:40}", "one") == expand("a{hex:40}", "one")
    assert expand("a{hex:40}", "one") != expand("a{hex:40}", "two")
    with pytest.raises(KeyError):
        expand("{nothing:4}", "one")


@given(st.sampled_from(["alnum", "hex", "base64url", "digits"]), st.integers(1, 300), st.text("abc", max_size=5))
def test_the_filler_has_the_length_that_is_asked_for(alphabet: str, length: int, salt: str) -> None:
    assert len(expand(f"<{{{alphabet}:{length}}}>", salt)) == length + 2


def test_a_sound_rule_builds() -> None:
    assert _checked(_family()).spans(b"x zz_abcdefgh")


def test_a_value_beside_its_vendor_counts_with_a_link_and_not_behind_another_word() -> None:
    compiled = _checked(_beside())
    value = expand("{lower:20}", "some")

    assert _has(compiled, b"acme key " + value)
    assert _has(compiled, b"acme: " + value)
    assert not _has(compiled, b"acme request " + value)


def test_the_word_of_a_credential_links_what_is_right_behind_it_alone() -> None:
    compiled = _checked(_beside().replace(b"[acme]", b"[acme_token]").replace(b"acme_key", b"acme_token"))
    value = expand("{lower:20}", "some")

    assert _has(compiled, b"acme_token " + value)
    assert not _has(compiled, b"acme_token request " + value)


def test_a_tail_belongs_to_the_credential_up_to_its_limit() -> None:
    compiled = _checked(_family(tail="[0-9]{0,4}"))

    assert [(span.start, span.end) for span in compiled.spans(b"zz_abcdefgh12 x")] == [(0, 13)]
    assert [(span.start, span.end) for span in compiled.spans(b"zz_abcdefgh123456")] == [(0, 15)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_family(example="zz_abcd"), "test-rule: no example begins with the head"),
        (_family(near_miss="x zz_qwertyui"), "test-rule: a near-miss matches"),
        (_family(head="zz_[a-z]+"), "test-rule: a head must have one fixed width"),
        (_family(tail="[0-9]{2}"), "test-rule: a tail is one class, from no times on"),
        (_family(tail="[0-9]{0,2}[a-z]{0,2}"), "test-rule: a tail is one class"),
        (_family(tail="[0-9]*"), "test-rule: .* is not a sequence of classes"),
        (_family(example="zz_zzzzzzzz"), "test-rule: an example does not match"),
        (_family().replace(b"test-rule", b"Test_Rule"), "Test_Rule: needs a kebab-case id"),
        (_family().replace(b"source: nowhere", b"source: ' '"), "test-rule: needs a kebab-case id, a source"),
        (_family().replace(b"examples: ['zz_abcdefgh']", b"examples: []"), "test-rule: needs .* examples"),
        (_family() + b"    beside: [acme]\n", "test-rule: needs heads, or words"),
        (_beside(near_miss="acme_key={lower:20}"), "test-beside: a near-miss matches"),
        (_beside().replace(b"[acme]", b"[ab]"), "test-beside: a word is three"),
    ],
)
def test_a_rule_that_is_not_what_it_says_stops_the_build(text: bytes, message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        _checked(text)


def test_two_rules_of_one_id_stop_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    file = rules.family_files()[0]
    monkeypatch.setattr(rules, "family_files", lambda: (file, file))
    with pytest.raises(CatalogueError, match="two rules of the catalogue share this id"):
        load_rules()


@pytest.mark.parametrize("text", [_family() + b"    colour: red\n", _family().replace(b"    source: nowhere\n", b"")])
def test_an_unknown_key_and_a_missing_source_are_refused(text: bytes) -> None:
    with pytest.raises(DocumentError, match=r"test\.yaml"):
        read_family(text, "test.yaml")


def test_a_rule_that_scans_slowly_is_named_with_its_figure() -> None:
    slow = read_family(_family(), "test.yaml")
    text = b"a line of a log\n" * 20_000

    with pytest.raises(CatalogueError, match=r"slower than 1000000000 MB/s alone: test-rule \d+ MB/s"):
        speed.check(slow, text, least=1e9)
    assert speed.check(slow, text, least=1).startswith("1 rules, each alone: a literal scans")


def test_the_limit_of_speed_is_full_wherever_a_literal_reaches_it() -> None:
    assert speed.limit_of(12_000) == speed.LEAST_MEGABYTES_A_SECOND
    assert speed.limit_of(1500) == speed.LEAST_MEGABYTES_A_SECOND
    assert speed.limit_of(1200) == pytest.approx(150)


def test_the_build_leaves_the_artifact_in_the_folder_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build.main([f"--into={tmp_path}"]) == 0
    assert capsys.readouterr().out == f"{len(_RULES)} kinds of credentials\n"
    assert [file.name for file in tmp_path.iterdir()] == ["catalogue.bin"]


def test_a_rule_that_breaks_its_example_stops_the_build_with_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = read_family(_family(near_miss="x zz_qwertyui"), "test.yaml")
    monkeypatch.setattr(database, "load_rules", lambda: broken)

    assert build.main([f"--into={tmp_path}"]) == 1
    assert capsys.readouterr().err == "test-rule: a near-miss matches\n"
    assert not list(tmp_path.iterdir())


def test_every_expression_of_the_catalogue_is_one_that_hyperscan_takes_alone() -> None:
    for rule in _RULES:
        for expression in database.expressions_of(rule):
            hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK).compile(expressions=[expression])
