"""A word for a secret is known in the forms of other languages, and within words of scripts without blanks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction.identifiers import ANY, PASSWORD_NAME, SECRET, kind_of
from leadglass_agent.redaction.keynames import classify
from leadglass_agent.redaction.password_words import is_password, stripped


def _rule(name: str) -> str:
    secret = classify(name.encode())
    return "" if secret is None else str(secret.rule_id)


@pytest.mark.parametrize(
    "name",
    ["şifresi", "паролем", "пароли", "salasanasi", "hasłem", "hesla", "lösenordet", "数据库密码", "新しいパスワード"],
)
def test_an_inflected_or_joined_word_for_a_password_is_one(name: str) -> None:
    assert _rule(name) == "password" or kind_of(name.encode()) in (PASSWORD_NAME, SECRET)


@pytest.mark.parametrize("name", ["şifrelemeden", "пароход", "haslemere", "数据库", "ノート", "salas", "hes"])
def test_another_word_that_begins_alike_is_none(name: str) -> None:
    assert _rule(name) == ""


@given(st.sampled_from(["şifre", "hasłem", "lösenord"]), st.text("abcdefi", max_size=8))
def test_an_ending_has_four_letters_at_most(stem: str, ending: str) -> None:
    assert (_rule(stem + ending) == "password") == (len(ending) <= 4)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("privkey", "private-key"),
        ("node_privkey", "private-key"),
        ("password_in", "password"),
        ("password_out", "password"),
        ("client-key-data", "api-key"),
        ("authtok", "token"),
        ("passwordsalt", "secret"),
        ("APIキー", "api-key"),
    ],
)
def test_a_name_of_a_tool_is_known(name: str, rule: str) -> None:
    assert _rule(name) == rule


@pytest.mark.parametrize("name", ["sign_in", "log_out", "basalt_columns", "route_key", "キーボード操作"])
def test_a_name_that_only_ends_alike_is_none(name: str) -> None:
    assert _rule(name) in ("", "api-key") if "キー" in name else _rule(name) == ""


def test_a_word_of_another_script_that_names_no_secret_is_any() -> None:
    assert kind_of("ノート".encode()) == ANY


@pytest.mark.parametrize("text", ["Sömmer2008", "ключ2008", "Ärger_77"])
def test_letters_beyond_ascii_are_letters_of_a_password(text: str) -> None:
    assert is_password(text.encode(), expected=True)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("「Summer7」", "Summer7"),
        ("密Summer7吗", "Summer7"),
        ("ÄSummer7é", "ÄSummer7é"),
        ("«ключ7»", "ключ7"),
        ("“ключ7”", "ключ7"),
    ],
)
def test_marks_around_a_word_are_no_part_of_it_but_its_letters_are(text: str, bare: str) -> None:
    data = text.encode()
    start, end, _quoted = stripped(data, 0, len(data))

    assert data[start:end].decode() == bare


@given(st.binary(max_size=40), st.integers(0, 40), st.integers(0, 40))
def test_what_is_stripped_lies_within_the_word(data: bytes, start: int, end: int) -> None:
    start, end = sorted((min(start, len(data)), min(end, len(data))))
    first, last, _quoted = stripped(data, start, end)

    assert start <= first <= last <= end
