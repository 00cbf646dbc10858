"""A secret that a sentence speaks of is masked, in several languages, and a sentence about secrets is left alone."""

from __future__ import annotations

import pytest

from planted_text import PASSWORD, VALUE, planted, shown

_SENTENCES = {
    "is": "the password is @@",
    "is, in quotes": 'your new password is "@@".',
    "for somebody": "The root password for the staging host is @@, do not share it",
    "was set": "password for bob was set to @@",
    "changed": "Password has been changed to @@",
    "colon": "Here is your temporary password: @@",
    "arrow": "password -> @@",
    "bracket": "log in as bob (password: @@)",
    "token": "use the token @@ for the API",
    "German": "Das Passwort lautet @@",
    "French": "Le mot de passe est @@",
    "Spanish": "La contraseña es @@",
    "Portuguese": "A senha é @@",
    "Italian": "la password è @@",
    "Dutch": "het wachtwoord is @@",
    "Polish": "hasło: @@",
    "Russian": "пароль: @@",
    "Chinese": "密码是 @@",
    "Japanese": "パスワードは @@",
}


@pytest.mark.parametrize("sentence", _SENTENCES.values(), ids=_SENTENCES.keys())
@pytest.mark.parametrize("value", [VALUE, PASSWORD])
def test_the_password_that_a_sentence_tells_is_masked(sentence: str, value: str) -> None:
    assert value not in planted(sentence, value)


@pytest.mark.parametrize(
    "sentence",
    ["use @@ as the password", "@@ is your password", "log in with bob / @@ (password)", "@@ # root password"],
)
def test_a_password_that_stands_before_its_name_is_masked(sentence: str) -> None:
    assert VALUE not in planted(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Your verification code is @@",
        "@@ is your verification code",
        "Use security code @@ to sign in",
        "PIN: @@",
        "your one-time code: @@",
    ],
)
def test_a_code_that_a_message_tells_is_masked(sentence: str) -> None:
    assert "481902" not in planted(sentence, "481" + "902")


@pytest.mark.parametrize(
    "sentence",
    [
        "the password is required",
        "your password must have 12 characters or more",
        "password for bob was changed 3 days ago",
        "invalid password for user bob from 203.0.113.9 port 40122",
        "The token is expired",
        "Token expires in 3600 seconds",
        "the secret is mounted at /run/secrets/db",
        "see the password policy in section 4.2",
        "Das Passwort ist falsch",
        "Le mot de passe est obligatoire",
        "La contraseña es incorrecta",
        "пароль неверный",
        "the key is in the drawer",
        "error code 500123 was returned",
        "a password reset mail was sent to bob@shop.example",
        "password authentication is disabled on web-1",
    ],
)
def test_a_sentence_that_tells_no_secret_stays_as_it_is(sentence: str) -> None:
    assert shown(sentence) == sentence
