"""The strict profile takes plain words for passwords outside of logs, and leaves prose, names and references."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction.liberal import has_number, is_grouped, is_in_quotes
from leadglass_agent.redaction.redactor import Redactor

_STRICT = Redactor("strict")
_BALANCED = Redactor()
_WORD = "orch" + "ard"
_TIME = "2026-03-14 09:30:00 "


def _shown(text: str) -> str:
    return _STRICT.redact(text.encode()).text.data.decode()


@pytest.mark.parametrize(
    "text",
    [
        "wifi: @@",
        "Wifi @@",
        "the guest network key: @@",
        "login: @@",
        "passwd -> @@",
        "passwort = '@@'",
        "password @@",
    ],
)
def test_a_plain_word_beside_a_passwords_name_is_masked(text: str) -> None:
    assert _WORD not in _shown(text.replace("@@", _WORD))


@pytest.mark.parametrize("text", ["wifi: @@", "the guest network key: @@", "login: @@"])
def test_in_an_entry_of_a_log_it_stays(text: str) -> None:
    assert _WORD in _shown(_TIME + text.replace("@@", _WORD))


@pytest.mark.parametrize(
    "text",
    [
        "password required",
        "Wifi failed",
        "Wifi rotation",
        "wifi -> movement",
        "wifi: changed",
        "login: 'expired'",
        "the password is not what you think",
        "password: ${orchard}",
        "the password policy applies",
        "password/orchard.txt",
        "password: null",
        "the wifi of the orchard is slow today",
        "password_file = orchard",
        "public key orchard",
    ],
)
def test_prose_names_and_references_stay(text: str) -> None:
    assert _shown(text) == text


@pytest.mark.parametrize("text", ["passphrase is @@", "passphrase: @@", 'passphrase: "@@"'])
def test_a_passphrase_behind_its_name_is_masked_as_one(text: str) -> None:
    shown = _shown(text.replace("@@", "timber rocket summer winter") + "\nhost db")

    assert re.fullmatch(text.replace("@@", r"\[redacted:password(-like)?\]") + "\nhost db", shown)


def test_two_words_are_a_passphrase_where_a_sign_links_them_to_its_name() -> None:
    assert _shown("guest wifi: timber rocket") == "guest wifi: [redacted:password-like]"
    assert _shown("guest wifi is timber rocket") == "guest wifi is timber rocket"


def test_balanced_takes_three_words_for_a_passphrase_behind_a_passwords_name_alone() -> None:
    shown = [
        _BALANCED.redact(f"{head} timber rocket summer winter".encode()).text.data.decode()
        for head in ("the passphrase is", "the session is")
    ]
    assert shown == ["the passphrase is [redacted:password-like]", "the session is timber rocket summer winter"]


@pytest.mark.parametrize(
    "text",
    [
        "the passphrase that we use is timber rocket summer winter today",
        "passphrase of timber rocket summer winter",
        "the passphrase is timber rocket summer winter, of course",
    ],
)
def test_a_phrase_that_nothing_introduces_or_ends_stays(text: str) -> None:
    assert _BALANCED.redact(text.encode()).text.data.decode() == text


@pytest.mark.parametrize("question", ["what was the door code again?", "> the pin of the safe?", "access code please"])
def test_a_number_on_the_line_behind_a_question_for_a_code_is_masked(question: str) -> None:
    assert _shown(f"{question}\n4711\n") == f"{question}\n[redacted:password-like]\n"


@pytest.mark.parametrize(
    "text", ["what was the error code?\n4711\n", "what was the status code\n4711\n", "how many of them?\n4711\n"]
)
def test_a_number_behind_any_other_question_stays(text: str) -> None:
    assert _shown(text) == text


@pytest.mark.parametrize("code", ["ABCD-EFGH-IJKL", "123456-234567-345678", "A1B2-C3D4-E5F6-G7H8"])
def test_a_code_in_groups_of_one_length_is_told(code: str) -> None:
    assert is_grouped(code.encode())


@pytest.mark.parametrize(
    "code",
    [
        "",
        "ABCD-EFGH",
        "abcd-efgh-ijkl",
        "ABC-DEF-GHI",
        "ABCD-EFGHI-JKLM",
        "ABCD-EF.H-IJKL",
        "123456789-123456789-123456789",
    ],
)
def test_other_joined_words_are_no_such_code(code: str) -> None:
    assert not is_grouped(code.encode())


@given(st.lists(st.text("ABCDEFGH0123456789", min_size=4, max_size=8), min_size=3, max_size=6))
def test_groups_are_a_code_exactly_when_they_are_equally_long(groups: list[str]) -> None:
    assert is_grouped("-".join(groups).encode()) == (len({len(group) for group in groups}) == 1)


@given(st.text("\"'` ab1", max_size=12), st.integers(0, 12), st.integers(0, 12))
def test_a_run_fills_quotes_exactly_when_the_same_mark_stands_on_either_side(text: str, start: int, end: int) -> None:
    data = text.encode()
    start, end = sorted((min(start, len(data)), min(end, len(data))))
    around = data[max(0, start - 1) : start] + data[end : end + 1]
    assert is_in_quotes(data, start, end) == (len(around) == 2 and around in (b'""', b"''", b"``"))
    assert has_number(data, start, end) == (b"1" in data[start:end])
