"""Literals that code gives to a secret are masked: setters, constructors, defaults of lookups, joined strings."""

from __future__ import annotations

import pytest

from planted_text import PASSWORD, VALUE, planted, shown

_CALLS = {
    "setter": 'dataSource.setPassword("@@");',
    "snake-case setter": "config.set_password('@@')",
    "builder": '.password("@@")',
    "fluent": 'builder.withApiKey("@@").build()',
    "constructor": 'new Credentials("bob", "@@")',
    "named constructor": 'password = SecretStr("@@")',
    "default of the environment": 'password = os.getenv("DB_PASSWORD", "@@")',
    "default of a lookup": 'api_key = config.get("api_key", "@@")',
    "default, in Ruby": 'password = ENV.fetch("DB_PASSWORD", "@@")',
    "byte string": 'secret_key = b"@@"',
    "function of a hash": 'const secret = Buffer.from("@@")',
    "logical or": 'const password = process.env.DB_PASSWORD || "@@"',
}


@pytest.mark.parametrize("text", _CALLS.values(), ids=_CALLS.keys())
@pytest.mark.parametrize("value", [VALUE, PASSWORD])
def test_a_literal_that_code_gives_to_a_secret_is_masked(text: str, value: str) -> None:
    assert value not in planted(text, value)


@pytest.mark.parametrize(
    "text",
    [
        'password = "@@" + "@@x"',
        'password = "@@" . "@@x"',
        'password = "@@" \\\n    "@@x"',
        'password = "@@" & "@@x"',
    ],
)
def test_every_part_of_a_joined_string_is_masked(text: str) -> None:
    assert VALUE not in planted(text)


def test_the_name_that_a_lookup_asks_for_stays() -> None:
    out = planted('password = os.getenv("DB_PASSWORD", "@@")')
    assert out == 'password = os.getenv("DB_PASSWORD", "[redacted:password]")'


@pytest.mark.parametrize(
    "text",
    [
        'password = os.getenv("DB_PASSWORD")',
        "dataSource.setPassword(password);",
        "password = settings.DB_PASSWORD",
        'password = getpass.getpass("Password: ")',
        'String password = request.getParameter("password");',
        "token = tokenizer.next_token(text)",
        'if password == "": raise ValueError("password is empty")',
        'getPassword("db")',
        'log.info("password changed")',
        'secret = vault.read("secret/data/shop")',
        "def set_password(self, password: str) -> None:",
    ],
)
def test_code_without_a_secret_in_it_stays_as_it_is(text: str) -> None:
    assert shown(text) == text
