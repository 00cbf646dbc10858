"""Values that are plainly no secret stay under a secret's name, and what only looks like them does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction.harmless import is_label, names_secret
from planted_text import VALUE, planted, shown

_HARMLESS = [
    "",
    "********",
    "xxxxxxxx",
    "...",
    "${DB_PASSWORD}",
    "$DB_PASSWORD",
    "$(cat /run/secrets/db)",
    "%DB_PASSWORD%",
    "{{ db_password }}",
    "{{ .Values.password }}",
    "<password>",
    "<your password>",
    "your-password-here",
    "your_password_here",
    "/run/secrets/db_password",
    "./certs/server.pem",
    "true",
    "false",
    "null",
    "none",
    "required",
    "[redacted:password]",
    "[REDACTED]",
    "vault:kv/shop/db",
    "op://shop/db/password",
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop",
    "!Ref DbPassword",
    "os.environ['DB_PASSWORD']",
    "process.env.DB_PASSWORD",
    "settings.db_password",
]


@pytest.mark.parametrize("value", _HARMLESS)
def test_a_value_that_is_plainly_no_secret_stays(value: str) -> None:
    text = f"db_password: {value}\n"
    assert shown(text) == text


@pytest.mark.parametrize(
    "value",
    [
        f"${VALUE}!",
        f"/{VALUE}",
        f"{VALUE}...",
        f"x{VALUE}xxx",
        f"true{VALUE}",
        "Summer" + "2026!",
        "correct-horse-" + "battery-staple",
        "hunter" + "2",
        f"<{VALUE}",
        f"%{VALUE}",
    ],
)
def test_a_value_that_only_looks_plain_is_masked(value: str) -> None:
    assert value not in planted("db_password=@@", value)


@pytest.mark.parametrize(
    "text",
    [
        "token: 1288",
        "tokens=512",
        "max_tokens: 4096",
        "token_ttl=3600s",
        "password: String",
        "password?: string;",
        "password VARCHAR(64) NOT NULL",
        "public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGm",
        "key: customer/17",
        "author: Jane Doe",
        "auth: enabled",
    ],
)
def test_a_count_a_type_or_a_state_stays(text: str) -> None:
    assert shown(text) == text


@given(st.from_regex(r"\$\{[A-Z_]{1,20}\}", fullmatch=True))
def test_a_reference_to_a_variable_stays_whatever_its_name(reference: str) -> None:
    assert shown(f"password={reference}") == f"password={reference}"


@pytest.mark.parametrize(
    ("word", "is_name"),
    [("password", True), ("Password2", True), ("token17", True), ("orchard2", False), ("2008", False)],
)
def test_a_word_for_a_secret_with_a_number_is_its_name(word: str, is_name: bool) -> None:  # noqa: FBT001 - a case
    assert names_secret(word.encode()) is is_name


def test_a_label_of_a_form_may_speak_of_a_key() -> None:
    assert is_label(b"Enter the key")
    assert not is_label(b"orchard lantern")
