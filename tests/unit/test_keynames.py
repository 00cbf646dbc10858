"""A name says whether its value is a secret, however it is spelled, joined, quoted or encoded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planted_text import VALUE, planted, shown

_NAMES = [
    "password",
    "PASSWORD",
    "dbPassword",
    "db-password",
    "db_password",
    "db.password",
    "DB_PASSWORD_PROD",
    "password2",
    "old_password",
    "userPwd",
    "clientSecret",
    "api_key",
    "apiKey",
    "x-api-key",
    "authToken",
    "access_token",
    "private_key",
    "AWS_SECRET_ACCESS_KEY",
    "encryptionKey",
    "sslpass",
    "contraseña",
    "wachtwoord",
    "пароль",
    "密码",
    "passwort",
    "mot_de_passe",
]


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("pair", ["NAME=@@", "NAME: @@", '"NAME": "@@"', "NAME => '@@'", "[NAME]\nNAME = @@"])
def test_the_value_of_a_secrets_name_is_masked(name: str, pair: str) -> None:
    assert VALUE not in planted(pair.replace("NAME", name))


_ENCODED = {
    "percent-encoded separator": "state=password%3D@@%26page=2",
    "percent-encoded twice": "state=password%253D@@%2526page=2",
    "percent-encoded JSON": "body=%7B%22password%22%3A%22@@%22%7D",
    "entities of markup": "&lt;password&gt;@@&lt;/password&gt;",
    "entity for a quote": "password=&quot;@@&quot;",
    "escaped quotes": '{\\"password\\":\\"@@\\"}',
    "quotes escaped twice": '{\\\\\\"password\\\\\\":\\\\\\"@@\\\\\\"}',
    "escaped by their number": "{\\u0022password\\u0022:\\u0022@@\\u0022}",
    "attribute": '<entry key="password" value="@@"/>',
    "element with attributes": '<password encrypted="false">@@</password>',
    "property list": "<key>password</key>\n<string>@@</string>",
    "subscript": "config['password'] = '@@'",
    "symbols of Ruby": "config[:db][:password] = '@@'",
    "form": 'name="password"\r\n\r\n@@\r\n--boundary',
}


@pytest.mark.parametrize("text", _ENCODED.values(), ids=_ENCODED.keys())
def test_a_name_that_is_encoded_or_marked_up_is_still_a_name(text: str) -> None:
    assert VALUE not in planted(text)


@pytest.mark.parametrize(
    "name",
    [
        "password_file",
        "password_min_length",
        "token_count",
        "secret_name",
        "primary_key",
        "foreign_key",
        "public_key",
        "cache_key",
        "sort_key",
        "author",
        "compass",
        "bypass",
        "monkey",
        "keyboard",
        "authority",
    ],
)
def test_the_value_of_a_plain_name_stays(name: str) -> None:
    text = f"{name}=orders-eu\n{name}: orders-eu\n"
    assert shown(text) == text


@given(st.lists(st.sampled_from(["db", "shop", "primary", "app", "x", "my"]), max_size=4), st.sampled_from("_-."))
def test_words_before_a_secrets_name_change_nothing(words: list[str], joint: str) -> None:
    name = joint.join([*words, "password"])
    assert planted(f"{name}=@@") == f"{name}=[redacted:password]"
