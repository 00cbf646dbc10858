"""Decides from a key's name alone whether its value is a secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Final

from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.vocabulary import VOCABULARY


class Form(Enum):
    """How the value after a key is written, or how sure the name is."""

    VALUE = auto()  # whatever stands there is the secret
    TOKEN = auto()  # the name is also used for plain things: the value must look like a credential
    QUERY = auto()  # as TOKEN, and only as a parameter of a URL
    AUTHORIZATION = auto()  # a scheme, then the credential
    COOKIE = auto()  # the whole header
    SET_COOKIE = auto()  # the first pair's value


@dataclass(frozen=True, slots=True)
class SecretName:
    """What a secret key's value is called, and how it is written."""

    rule_id: RuleId
    form: Form


_PASSWORD: Final = SecretName(RuleId("password"), Form.VALUE)
_SECRET: Final = SecretName(RuleId("secret"), Form.VALUE)
_TOKEN: Final = SecretName(RuleId("token"), Form.VALUE)
_API_KEY: Final = SecretName(RuleId("api-key"), Form.VALUE)
_PRIVATE_KEY: Final = SecretName(RuleId("private-key"), Form.VALUE)
_CREDENTIAL: Final = SecretName(RuleId("credential"), Form.VALUE)
_SIGNATURE: Final = SecretName(RuleId("url-signature"), Form.VALUE)
_CONNECTION: Final = SecretName(RuleId("connection-string"), Form.VALUE)
_WEAK_KEY: Final = SecretName(RuleId("api-key"), Form.TOKEN)
_WEAK_SECRET: Final = SecretName(RuleId("secret"), Form.TOKEN)
_WEAK_PASSWORD: Final = SecretName(RuleId("password"), Form.TOKEN)
_WEAK_CREDENTIAL: Final = SecretName(RuleId("credential"), Form.TOKEN)
_QUERY_KEY: Final = SecretName(RuleId("api-key"), Form.QUERY)
_QUERY_SIGNATURE: Final = SecretName(RuleId("url-signature"), Form.QUERY)
_AUTHORIZATION: Final = SecretName(RuleId("authorization"), Form.AUTHORIZATION)
_COOKIE: Final = SecretName(RuleId("cookie"), Form.COOKIE)
_SET_COOKIE: Final = SecretName(RuleId("cookie"), Form.SET_COOKIE)

_COMPOUND: Final = (
    (("password", "passwd", "passphrase", "passwort", "kennwort", "dbpwd", "userpwd"), _PASSWORD),
    (("privatekey",), _PRIVATE_KEY),
    (
        ("apikey", "accesskey", "secretkey", "masterkey", "accountkey", "authkey", "encryptionkey", "signingkey"),
        _API_KEY,
    ),
    (("secret",), _SECRET),
    (("token",), _TOKEN),
    (("connectionstring", "connstr"), _CONNECTION),
)
_PAIRS: Final = {
    ("private", "key"): _PRIVATE_KEY,
    ("connection", "string"): _CONNECTION,
    ("conn", "str"): _CONNECTION,
    ("conn", "string"): _CONNECTION,
    ("set", "cookie"): _SET_COOKIE,
    ("amz", "signature"): _SIGNATURE,
    ("goog", "signature"): _SIGNATURE,
    ("access", "signature"): _SIGNATURE,
    ("seed", "phrase"): _SECRET,
    ("recovery", "phrase"): _SECRET,
    ("recovery", "code"): _SECRET,
    ("de", "passe"): _PASSWORD,
    ("kata", "sandi"): _PASSWORD,
}
_WORDS: Final = {
    **dict.fromkeys(VOCABULARY.passwords, _PASSWORD),
    **dict.fromkeys(VOCABULARY.secrets, _SECRET),
    **dict.fromkeys(VOCABULARY.tokens, _TOKEN),
    **dict.fromkeys(VOCABULARY.credentials, _CREDENTIAL),
    "authorization": _AUTHORIZATION,
    "cookie": _COOKIE,
    "cookies": _COOKIE,
    "auth": _WEAK_CREDENTIAL,
    "sig": _QUERY_SIGNATURE,
}
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_]+|\d+")


@lru_cache(maxsize=4096)
def classify(key: bytes) -> SecretName | None:
    """Says what the value after this key is, or None; the key has at most the length that the context rules allow."""
    words = [word.lower() for word in _WORD.findall(key.decode("utf-8", "replace"))]
    while len(words) > 1 and (
        words[-1].isdigit() or (words[-1] in VOCABULARY.neutral_suffixes and tuple(words[-2:]) not in _PAIRS)
    ):
        words.pop()
    if not words:
        return None
    return _by_last_word(words) or _by_any_word(words)


def _by_last_word(words: list[str]) -> SecretName | None:
    last = words[-1]
    before = words[-2] if len(words) > 1 else ""
    if before in VOCABULARY.secret_references:
        return None
    secret = _PAIRS.get((before, last)) or _WORDS.get(last)
    if secret is not None:
        return secret
    if last == "key":
        return _key(before)
    if last == "pass":
        return _PASSWORD if before else _WEAK_PASSWORD
    if last.endswith("pass") and last not in VOCABULARY.plain_pass_words:
        return _PASSWORD
    return next((secret for endings, secret in _COMPOUND if last.endswith(endings)), None)


def _key(owner: str) -> SecretName | None:
    if owner in VOCABULARY.secret_key_owners:
        return _API_KEY
    if not owner:
        return _QUERY_KEY
    return None if owner in VOCABULARY.plain_key_owners else _WEAK_KEY


def _by_any_word(words: list[str]) -> SecretName | None:
    if words[-1] in VOCABULARY.plain_suffixes or not VOCABULARY.secret_references.isdisjoint(words):
        return None
    return _WEAK_SECRET if any(_WORDS.get(word) in {_PASSWORD, _SECRET, _TOKEN} for word in words) else None
