"""Which bytes of an argument are the secret, by the shape of what it holds."""

from __future__ import annotations

from typing import Final

from leadglass_agent.redaction.argv.program import (
    ADDRESS,
    BEHIND,
    COOKIE,
    ENCODED,
    LOGIN,
    PAIR,
    PLAIN,
    SCRIPT,
    STREAM_KEY,
    SWITCH,
    TOKEN,
    WORD,
)
from leadglass_agent.redaction.harmless import is_harmless, looks_like_token
from leadglass_agent.redaction.password_words import is_password
from leadglass_agent.redaction.tables import ALNUM, DIGIT, LOWER, run_end, table, until

_COLON: Final = 0x3A
_SLASH: Final = 0x2F
_DOLLAR: Final = 0x24
_ASTERISK: Final = 0x2A
_BACKSLASH: Final = 0x5C
_EQUALS: Final = 0x3D
_PAIR_SEPARATORS: Final = table(b":%,")
_KIND_NAME: Final = table(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_USER: Final = table(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+\\/-")
_PAIR_USER: Final = table(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+@-")
_HOST: Final = table(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/()[]?=&")
_GROUP: Final = table(b"abcdefghijklmnopqrstuvwxyz_-")
_LOWER: Final = table(LOWER)
_MAX_USER: Final = 64
_MIN_PASSWORD: Final = 4
_MIN_KEY: Final = 16
_MIN_STREAM_KEY: Final = 8
# What stands for the password when the user is a token.
_NO_PASSWORD: Final = frozenset((b"", b"x", b"X", b"x-oauth-basic", b"api_token", b"api-token", b"token"))

NOWHERE: Final = -1


def secret_start(  # noqa: PLR0911, C901 - one branch for each shape
    word: bytes, start: int, shape: int, *, literal: bool
) -> int:
    """Gives the place where the secret of a value of this shape begins, or NOWHERE; `secret_end` gives its end."""
    if start >= len(word) or shape in (PLAIN, SCRIPT, SWITCH):
        return NOWHERE
    if shape == ENCODED:
        return start
    if shape == PAIR:
        start = _behind_user(word, start)
    elif shape == COOKIE:
        start = start if word.find(b"=", start) >= 0 else NOWHERE
    elif shape == LOGIN:
        start = _behind_slash(word, start)
    elif shape == BEHIND:
        start = _behind_kind(word, start)
    elif shape == ADDRESS:
        return address_start(word, start, known=True)
    elif shape == STREAM_KEY:
        return stream_key_start(word)
    elif (shape == WORD and is_no_password(word)) or (shape == TOKEN and not is_mixed(word[start:])):
        return NOWHERE
    if start < 0 or start >= len(word):
        return NOWHERE
    return NOWHERE if is_plain(word[start : secret_end(word, start, shape)], literal=literal) else start


def secret_end(word: bytes, start: int, shape: int) -> int:
    """Gives the end of a secret that begins at `start`."""
    end = len(word)
    if shape == ADDRESS:
        return word.rfind(b"@")
    if shape == LOGIN:
        as_role = word.lower().rfind(b" as ")
        if as_role > start:
            end = as_role
        at = word.rfind(b"@", start, end)
        return at if at > start else end
    if shape == PAIR and start > 0 and word[start - 1] not in (_COLON, 0x25, 0x2C):
        separator = until(word, start, end, _PAIR_SEPARATORS)
        return separator if word[separator + 1 :] in _NO_PASSWORD else end
    return end


def is_no_password(word: bytes) -> bool:
    """Says whether a word between others is a switch, a share, a drive, an asterisk or name=value."""
    if word[0] in (_SLASH, _ASTERISK, _BACKSLASH) or word[-1] == _COLON:
        return True
    name = run_end(word, 0, len(word), _GROUP)
    return 0 < name < len(word) and word[name] == _EQUALS


def is_plain(text: bytes, *, literal: bool) -> bool:
    """Says whether a value is no secret; `literal`: no shell will read it, so that $name3 is no variable."""
    if not text or not is_harmless(text, quoted=True):
        return not text
    return not (literal and text[0] == _DOLLAR and _is_literal_dollar(text))


def is_mixed(text: bytes) -> bool:
    """Says whether a value has the variety of a password or of a credential."""
    return is_password(text) or looks_like_token(text)


def pair_start(word: bytes, start: int, *, may_be_group: bool) -> int:
    """Gives the password's place in user:password, or NOWHERE; behind -u a number or a plain word is a group."""
    limit = min(len(word), start + _MAX_USER)
    colon = run_end(word, start, limit, _PAIR_USER)
    if colon == start or colon >= limit or word[colon] != _COLON:
        return NOWHERE
    password = colon + 1
    length = len(word)
    if length - password < _MIN_PASSWORD or b"//" in word[password:]:
        return NOWHERE
    if may_be_group and (
        run_end(word, password, length, DIGIT) == length or run_end(word, password, length, _GROUP) == length
    ):
        return NOWHERE
    return NOWHERE if is_harmless(word[password:], quoted=True) else password


def address_start(word: bytes, start: int, *, known: bool) -> int:
    """Gives the password's place in user:password@host, or NOWHERE; it ends at the last @."""
    at = word.rfind(b"@")
    limit = min(len(word), start + _MAX_USER)
    colon = run_end(word, start, limit, _USER)
    if colon == start or colon >= at or word[colon] != _COLON or word.startswith(b"//", colon + 1):
        return NOWHERE
    host = run_end(word, at + 1, len(word), _HOST)
    if host < len(word) or host == at + 1 or word.startswith((b"sha256:", b"sha512:"), at + 1):
        return NOWHERE
    password = word[colon + 1 : at]
    if len(password) < _MIN_PASSWORD or is_harmless(password, quoted=True):
        return NOWHERE
    if not known and (b"/" in password or not is_password(password)):
        return NOWHERE
    return colon + 1


def stream_key_start(word: bytes) -> int:
    """Gives the place of the key at the end of rtmp://host/application/key, or NOWHERE."""
    if not word.startswith((b"rtmp://", b"rtmps://", b"srt://")):
        return NOWHERE
    start = word.rfind(b"/") + 1
    return start if len(word) - start >= _MIN_STREAM_KEY and is_mixed(word[start:]) else NOWHERE


def _behind_user(word: bytes, start: int) -> int:
    length = len(word)
    separator = until(word, start, length, _PAIR_SEPARATORS)
    text = word[start:separator]
    if separator >= length:
        return start if looks_like_token(text) else NOWHERE
    if len(text) >= _MIN_KEY and looks_like_token(text) and b"@" not in text:
        return start  # a token as the user
    if word[separator + 1 :] in _NO_PASSWORD:
        return start if looks_like_token(text) else NOWHERE
    return separator + 1


def _behind_slash(word: bytes, start: int) -> int:
    slash = word.find(b"/", start)
    return NOWHERE if slash <= start or word.startswith(b"/", slash + 1) else slash + 1


def _behind_kind(word: bytes, start: int) -> int:
    kind = run_end(word, start, len(word), _KIND_NAME)
    if kind >= len(word) or word[kind] != _COLON:
        return start
    named = word[start:kind]
    return NOWHERE if named in (b"env", b"file", b"fd", b"stdin", b"prompt") else kind + 1


def _is_literal_dollar(text: bytes) -> bool:
    has_digit = False
    has_lower = False
    for position in range(1, len(text)):
        byte = text[position]
        if DIGIT[byte]:
            has_digit = True
        elif _LOWER[byte]:
            has_lower = True
        elif not ALNUM[byte]:
            return False
    return has_digit and has_lower
