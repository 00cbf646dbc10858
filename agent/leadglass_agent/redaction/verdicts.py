"""Decides from a name and its value together whether the value is no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.harmless import (
    is_count,
    is_harmless,
    is_label,
    is_prose,
    is_random,
    looks_like_token,
    names_secret,
)
from leadglass_agent.redaction.keynames import QUERY, TOKEN, VALUE
from leadglass_agent.redaction.lines import begins_line
from leadglass_agent.redaction.randomness import shape_of
from leadglass_agent.redaction.shapes import PLAIN
from leadglass_agent.redaction.signs import COLON, EQUALS, UPPER_Z

if TYPE_CHECKING:
    from leadglass_agent.redaction.keynames import SecretName

_MIN_CODE: Final = 4
_MAX_CODE: Final = 10
_MAX_COUNT: Final = 12
_MAX_FIELD: Final = 3
_MIN_NUMBERS: Final = 7
_NUMBERS: Final = b"0123456789abcdefABCDEFxX, \t\r\n"
_TYPE_ENDINGS: Final = (b"Token", b"Secret", b"Key", b"Password", b"Credentials")


def is_plain(  # noqa: PLR0911 - one row for each ground
    data: bytes,
    text: bytes,
    quoted: bool,  # noqa: FBT001 - compiled code is called fastest by position
    name_start: int,
    separator: int,
    secret: SecretName,
) -> bool:
    """Says whether the value of this name is no secret."""
    if is_harmless(text, quoted=quoted) or (quoted and is_label(text)):
        return True
    form = secret.form
    if quoted and text.count(b",") >= _MIN_NUMBERS and not text.strip(_NUMBERS):
        return form == QUERY  # the bytes of a key
    if form in (TOKEN, QUERY):
        return not _is_credential(text, secret)
    if secret.counts and _is_counted(text, quoted, secret):
        return True
    if (separator == EQUALS or secret.rule_id == "secret") and len(text) <= _MAX_FIELD and text.isdigit():
        return True  # password = 1; as in a protocol buffer
    if quoted or separator != COLON or form != VALUE:
        return False
    return _is_prose(data, text, name_start, secret)


def _is_credential(text: bytes, secret: SecretName) -> bool:
    """Says whether the value under a name that is also used for plain things looks like a credential."""
    if secret.rule_id == "one-time-code":
        digits = text.strip(b"#*-")
        return (_MIN_CODE <= len(digits) <= _MAX_CODE and digits.isdigit()) or looks_like_token(text)
    if secret.rule_id == "session-id":
        return is_random(text)
    return looks_like_token(text)


def _is_counted(text: bytes, quoted: bool, secret: SecretName) -> bool:  # noqa: FBT001 - by position, see above
    if is_count(text) or (text.isdigit() and len(text) <= _MAX_COUNT):
        return True
    return secret.rule_id == "password" and b" " in text and not quoted  # PASS: test_login (0.12s)


def _is_prose(data: bytes, text: bytes, name_start: int, secret: SecretName) -> bool:
    """Says whether a bare word behind a colon is prose: `unexpected token: identifier`."""
    if is_prose(text) or names_secret(text):
        return True
    if text.isalpha() and text[0] <= UPPER_Z and text.endswith(_TYPE_ENDINGS):
        return True
    return secret.rule_id == "token" and shape_of(text, 0, len(text)) == PLAIN and not begins_line(data, name_start)
