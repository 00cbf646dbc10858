"""Decides from a key's name alone whether its value is a secret."""

from __future__ import annotations

import re
from typing import Final, final

from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.vocabulary import VOCABULARY

# How the value after a key is written, or how sure the name is. Integers, as the compiled engine compares them.
VALUE: Final = 0  # whatever stands there is the secret
TOKEN: Final = 1  # the name is also used for plain things: the value must look like a credential
QUERY: Final = 2  # as TOKEN, and only as a parameter of a URL
AUTHORIZATION: Final = 3  # a scheme, then the credential
COOKIE: Final = 4  # the whole header
SET_COOKIE: Final = 5  # the first pair's value


@final
class SecretName:
    """What a secret key's value is called, and how it is written."""

    __slots__ = ("counts", "form", "rule_id")

    def __init__(self, rule_id: str, form: int, *, counts: bool = False) -> None:
        self.rule_id = RuleId(rule_id)
        self.form = form
        # Whether the name also stands before plain numbers: tokens of a model, tests that pass.
        self.counts = counts


# The first letter of scripts without blanks between words, kana.
_FIRST_UNSPACED: Final = 0x3040
_PASSWORD: Final = SecretName("password", VALUE)
_SECRET: Final = SecretName("secret", VALUE)
_TOKEN: Final = SecretName("token", VALUE, counts=True)
_PASS: Final = SecretName("password", VALUE, counts=True)
_API_KEY: Final = SecretName("api-key", VALUE)
_PRIVATE_KEY: Final = SecretName("private-key", VALUE)
_CREDENTIAL: Final = SecretName("credential", VALUE)
_LICENSE: Final = SecretName("license-key", VALUE)
# Words in a row, or codes: the value goes on to the end of its line.
_PHRASE: Final = SecretName("recovery-phrase", VALUE)
_CODE: Final = SecretName("one-time-code", TOKEN)
_SIGNATURE: Final = SecretName("url-signature", VALUE)
_CONNECTION: Final = SecretName("connection-string", VALUE)
_WEAK_KEY: Final = SecretName("api-key", TOKEN)
_WEAK_SECRET: Final = SecretName("secret", TOKEN)
_WEAK_TOKEN: Final = SecretName("token", TOKEN)
_WEAK_SESSION: Final = SecretName("session-id", TOKEN)
_WEAK_CREDENTIAL: Final = SecretName("credential", TOKEN)
_QUERY_KEY: Final = SecretName("api-key", QUERY)
_QUERY_CODE: Final = SecretName("token", QUERY)
_QUERY_SIGNATURE: Final = SecretName("url-signature", QUERY)
_AUTHORIZATION: Final = SecretName("authorization", AUTHORIZATION)
_COOKIE: Final = SecretName("cookie", COOKIE)
_SET_COOKIE: Final = SecretName("cookie", SET_COOKIE)

_COMPOUND: Final = (
    (("password", "passwd", "passphrase", "passwort", "kennwort", "dbpwd", "userpwd"), _PASSWORD),
    (("privatekey", "privkey"), _PRIVATE_KEY),
    (
        ("apikey", "accesskey", "secretkey", "masterkey", "accountkey", "authkey", "encryptionkey", "signingkey"),
        _API_KEY,
    ),
    (("secret",), _SECRET),
    (("token",), _TOKEN),
    (("connectionstring", "connstr"), _CONNECTION),
    (("salt",), _WEAK_SECRET),
)
# Last words of a name, and the words before them that make it a secret's.
_OWNED: Final = (
    (_PRIVATE_KEY, "key", "private"),
    (_LICENSE, "key", "product serial activation license"),
    (_API_KEY, "key", "wifi filevault"),
    (_API_KEY, "api", "clé chave clave"),
    (_API_KEY, "secrète", "clef"),
    (_CONNECTION, "string", "connection conn"),
    (_CONNECTION, "str", "conn"),
    (_SET_COOKIE, "cookie", "set"),
    (_SIGNATURE, "signature", "amz goog access"),
    (_PHRASE, "phrase", "seed recovery secret backup"),
    (_PHRASE, "codes", "recovery backup"),
    (_PHRASE, "seed", "backup wallet"),
    (_SECRET, "seed", "mfa otp totp"),
    (_SECRET, "code", "recovery"),
    (_CODE, "code", "access verification door otp sms reset pin security confirmation backup login unlock"),
    (_CODE, "time", "one"),
    (_WEAK_TOKEN, "code", "auth oauth registration invite activation"),
    (_TOKEN, "token", "csrf"),
    (_PASSWORD, "passe", "de palavra"),
    (_PASSWORD, "word", "pass"),
    (_PASSWORD, "phrase", "pass"),
    (_PASSWORD, "sandi", "kata"),
)
_PAIRS: Final = {(owner, last): secret for secret, last, owners in _OWNED for owner in owners.split()}
_WORDS: Final = {
    **dict.fromkeys(VOCABULARY.passwords, _PASSWORD),
    **dict.fromkeys(VOCABULARY.secrets, _SECRET),
    **dict.fromkeys(VOCABULARY.tokens, _TOKEN),
    **dict.fromkeys(VOCABULARY.credentials, _CREDENTIAL),
    "authorization": _AUTHORIZATION,
    "cookie": _COOKIE,
    "cookies": _COOKIE,
    **dict.fromkeys(("otp", "pin", "mfa", "totp", "pincode", "puk", "cvv", "cvc", "暗証番号", "pinterest_pin"), _CODE),
    "mnemonic": _PHRASE,
    **dict.fromkeys(("session", "sid"), _WEAK_SESSION),
    **dict.fromkeys(("salt", "pepper"), _WEAK_SECRET),
    **dict.fromkeys(("verifier", "csrf", "xsrf", "csrfmiddlewaretoken"), _WEAK_TOKEN),
    **dict.fromkeys(("hmac", "encrypt"), _WEAK_KEY),
    "connstring": _CONNECTION,
    **dict.fromkeys(
        ("キー", "鍵", "schlüssel", "schluessel", "klucz", "chiave", "ключ", "sleutel", "nyckel"), _WEAK_KEY
    ),
    "auth": _WEAK_CREDENTIAL,
    "sig": _QUERY_SIGNATURE,
}
# Words of scripts without blanks stand at the end of a phrase: 数据库密码.
_UNSPACED: Final = tuple((word, secret) for word, secret in _WORDS.items() if ord(word[0]) >= _FIRST_UNSPACED)
# What these are inflected to names a password, too: şifresi, паролем, salasanasi, hasła.
_STEMS: Final = tuple(
    """
    parolas parolan şifre sifre salasan lozink slaptažod jelszav jelszó пароле пароля паролю паролем паролі лозинк
    κωδικο hasła hasłem hesla heslem lösenord passordet adgangskode wachtwoord kennwort passwort contraseñ
    """.split()  # noqa: SIM905 - so many scripts are read best as lines of words
)
_MAX_ENDING: Final = 4
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_]+|\d+")
# Names repeat: a dense text has a dozen of them. Behind so many different ones the memory starts anew.
_MAX_KNOWN: Final = 4096
_KNOWN: Final[dict[bytes, SecretName | None]] = {}


def classify(key: bytes) -> SecretName | None:
    """Says what the value after this key is, or None; the key has at most the length that the context rules allow."""
    if key in _KNOWN:
        return _KNOWN[key]
    secret = _classify(key)
    if len(_KNOWN) >= _MAX_KNOWN:
        _KNOWN.clear()
    _KNOWN[key] = secret
    return secret


def _classify(key: bytes) -> SecretName | None:
    name = key.decode("utf-8", "replace")
    if not name.isascii() and name.lower() in _WORDS:
        return _WORDS[name.lower()]  # the signs of some scripts are no letters of a word
    words = [word.lower() for word in _WORD.findall(name)]
    while (
        len(words) > 1
        and (
            words[-1].isdigit()
            or (words[-1] in ("in", "out") and words[-2] in VOCABULARY.passwords)  # of CHAP, in either direction
            or (words[-1] in VOCABULARY.neutral_suffixes and tuple(words[-2:]) not in _PAIRS)
        )
    ):
        words.pop()
    if not words:
        return None
    return _by_last_word(words) or _by_any_word(words)


def _by_last_word(words: list[str]) -> SecretName | None:  # noqa: PLR0911 - each ends a question
    last = words[-1]
    before = words[-2] if len(words) > 1 else ""
    if before in VOCABULARY.secret_references:
        return None
    secret = _PAIRS.get((before, last)) or _WORDS.get(last)
    if secret is not None:
        return secret
    if last == "key":
        return _key(before)
    if last == "code" and not before:
        return _QUERY_CODE
    if last == "pass":
        return _PASSWORD if before else _PASS
    if last.endswith("pw") and len(last) > len("_pw"):  # userpw, dbpw
        return _PASSWORD
    if last.endswith("pass") and last not in VOCABULARY.plain_pass_words:
        return _PASSWORD
    for endings, named in _COMPOUND:
        if last.endswith(endings):
            return named
    return _inflected(last)


def _inflected(word: str) -> SecretName | None:
    """Finds the word for a secret that a word of another language begins or, in scripts without blanks, ends with."""
    if not word.isascii():
        for stem, secret in _UNSPACED:
            if stem in word:
                return secret
    for stem in _STEMS:
        if word.startswith(stem) and len(word) - len(stem) <= _MAX_ENDING:
            return _PASSWORD
    return None


def _key(owner: str) -> SecretName | None:
    if owner in VOCABULARY.secret_key_owners:
        return _API_KEY
    if not owner:
        return _QUERY_KEY
    return None if owner in VOCABULARY.plain_key_owners else _WEAK_KEY


def _by_any_word(words: list[str]) -> SecretName | None:
    if words[-1] in VOCABULARY.plain_suffixes or not VOCABULARY.secret_references.isdisjoint(words):
        return None
    for word in words:
        secret = _WORDS.get(word)
        if secret is _PASSWORD or secret is _SECRET or secret is _TOKEN:
            return _WEAK_SECRET
    return None
