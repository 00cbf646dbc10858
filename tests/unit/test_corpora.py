"""The corpora are wide, well formed and the same on every run."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import corpora
from corpus_fillers import expand

SECRETS = corpora.secrets()
LOOKALIKES = corpora.lookalikes()


def test_there_are_enough_texts_with_secrets_in_enough_surroundings() -> None:
    texts = [case for case in SECRETS if not case.is_argv]
    assert len(texts) >= 1600
    assert len({case.template for case in texts}) >= 700


def test_there_are_enough_argument_lists_and_lookalikes() -> None:
    assert len({case.template for case in SECRETS if case.is_argv}) >= 250
    assert len(LOOKALIKES) >= 400


def test_there_are_enough_log_lines_and_they_hold_no_mark() -> None:
    lines = corpora.logs()
    assert len(lines) >= 40_000
    assert not any("«".encode() in line for _, line in lines)


def test_every_case_has_a_secret_and_no_lookalike_has_one() -> None:
    assert [case.template for case in SECRETS if not case.secrets] == []
    assert [case.template for case in LOOKALIKES if case.secrets] == []


def test_every_secret_stands_in_one_part_of_its_case() -> None:
    for case in SECRETS:
        for secret in case.secrets:
            assert any(secret in part for part in case.parts), case.template


def test_no_case_is_there_twice() -> None:
    for cases in (SECRETS, LOOKALIKES):
        names = [case.name for case in cases]
        assert [name for name in set(names) if names.count(name) > 1] == []


def test_no_placeholder_is_left() -> None:
    left = re.compile(rb"\{(alnum|hex|HEX|slug|b64|b64url|digits|human|words|armour|int|uuid|jwt)(:[^{} ]*)?\}")
    for case in SECRETS + LOOKALIKES:
        assert not any(left.search(part) for part in case.parts), case.template


def test_no_template_is_both_seen_and_unseen() -> None:
    for cases in (SECRETS, LOOKALIKES):
        seen = {case.template for case in cases if case.is_seen}
        assert not any(case.template in seen for case in cases if not case.is_seen)


def test_a_part_of_the_cases_is_never_shown() -> None:
    for cases in (SECRETS, LOOKALIKES):
        assert 0.05 < sum(not case.is_seen for case in cases) / len(cases) < 0.2


def test_every_case_of_a_file_that_says_so_is_unseen() -> None:
    categories = {case.category for case in SECRETS + LOOKALIKES if not case.is_seen}
    assert len(categories) >= 12
    assert not [case.name for case in SECRETS + LOOKALIKES if case.is_seen and case.category in categories]


def test_the_corpora_are_the_same_on_every_run() -> None:
    assert corpora.secrets() == SECRETS
    assert corpora.lookalikes() == LOOKALIKES


@pytest.mark.parametrize("known", ["ghp_", "sk_live_", "AKIA", "xoxb-", "-----BEGIN RSA PRIVATE KEY-----\n"])
def test_no_file_holds_what_looks_like_a_live_credential(known: str) -> None:
    live = re.compile(re.escape(known) + "[A-Za-z0-9+/]{14}")
    for path in corpora.ROOT.rglob("*.yaml"):
        assert not live.search(path.read_text(encoding="utf-8")), path.name


@given(st.integers(1, 60), st.data())
def test_a_secret_is_kept_exactly_when_sixty_percent_of_it_stay_in_one_piece(size: int, data: st.DataObject) -> None:
    secret = bytes(range(100, 100 + size))
    start = data.draw(st.integers(0, size))
    enough = -(-size * 3 // 5)
    length = data.draw(st.sampled_from([enough - 1, enough, size]))
    piece = secret[start : start + length]
    assert corpora.keeps(b"<" + piece + b">", secret) == (len(piece) * 10 >= size * 6)


def test_the_rest_of_a_secret_in_two_short_pieces_is_no_leak() -> None:
    assert not corpora.keeps(b"abcde[redacted]fghij", b"abcdefghij")


@given(st.text(max_size=60).filter(lambda text: "{" not in text), st.text(max_size=5))
def test_a_text_without_placeholders_stays_as_it_is(text: str, seed: str) -> None:
    assert expand(text, seed) == text


@given(st.sampled_from(["alnum", "hex", "digits", "slug", "base32", "lower"]), st.integers(1, 200), st.text(max_size=5))
def test_a_run_has_the_length_that_its_placeholder_says(kind: str, size: int, seed: str) -> None:
    assert len(expand(f"{{{kind}:{size}}}", seed)) == size


def test_an_inner_placeholder_is_filled_before_the_outer_one() -> None:
    assert expand("{hexof:{pick:a}}", "seed") == "61"


def test_what_is_no_placeholder_of_ours_stays() -> None:
    assert expand("${HOME} {user} {name: value}", "seed") == "${HOME} {user} {name: value}"
