"""Reads passwords that stand behind their user in a format of its own: Oracle, SIP, .pgpass, IMAP, the Basic scheme."""

from __future__ import annotations

import binascii
from typing import Final

from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.harmless import is_harmless
from leadglass_agent.redaction.logins import READER_RANK
from leadglass_agent.redaction.password_words import is_password
from leadglass_agent.redaction.signs import AT, COLON, SLASH
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import BLANK, LINE_END, SPACE, run_end, run_start, table, until

_PASSWORD: Final = RuleId("password")
_CREDENTIAL: Final = RuleId("credential")
_MAX_WORD: Final = 256
_MAX_BASIC: Final = 1024
_MIN_BASIC: Final = 8
_MIN_ORACLE: Final = 4
_MIN_PGPASS: Final = 3
_MIN_MAIL: Final = 6
# host:port:database:user before the password.
_PGPASS_FIELDS: Final = 4
# RFC 4616: a NUL before the user and one behind it.
_PLAIN_NULS: Final = 2
_WORD_END: Final = table(b" \t\r\n\0;,\"'")
_WORD_GAP: Final = table(b" \t\r\n\0")
_FIELD_END: Final = table(b": \t\r\n\0")
_NOT_SPACE: Final = bytes(0 if SPACE[byte] else 1 for byte in range(256))
_QUOTED_BLANK: Final = table(b" \t\"'")
_ORACLE_USER_END: Final = table(b"/ \t\r\n\0:@=.")
_ADDRESS_END: Final = table(b":@ \t\r\n\0\"'<>;")
_BASE64: Final = table(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")


def read_password_file(data: bytes, end: int, out: list[Span]) -> None:
    """Reads a line of .pgpass, `host:port:database:user:x`, around `end`."""
    limit = min(len(data), end + _MAX_WORD)
    position = run_start(data, end, max(0, end - _MAX_WORD), _NOT_SPACE)
    for _ in range(_PGPASS_FIELDS):
        position = until(data, position, limit, _FIELD_END)
        if position >= limit or data[position] != COLON:
            return
        position += 1
    stop = until(data, position, limit, LINE_END)
    if stop - position >= _MIN_PGPASS and not SPACE[data[position]] and b" " not in data[position:stop]:
        out.append(Span(position, stop, READER_RANK, _PASSWORD))


def read_oracle(data: bytes, end: int, out: list[Span]) -> None:
    """Reads Oracle's `user/x@database`."""
    limit = min(len(data), end + _MAX_WORD)
    start = run_end(data, end, limit, _QUOTED_BLANK)
    slash = until(data, start, limit, _ORACLE_USER_END)
    if slash <= start or slash >= limit or data[slash] != SLASH:
        return
    stop = until(data, slash + 1, limit, _WORD_END)
    at = data.rfind(b"@", slash, stop)
    stop = at if at > 0 else stop
    text = data[slash + 1 : stop]
    if len(text) >= _MIN_ORACLE and b"/" not in text and not is_harmless(text, quoted=True):
        out.append(Span(slash + 1, stop, READER_RANK, _PASSWORD))


def read_basic(data: bytes, end: int, out: list[Span]) -> None:
    """Reads the credentials of the Basic scheme (RFC 7617): base64 of `user:password`."""
    stop = run_end(data, end, min(len(data), end + _MAX_BASIC), _BASE64)
    if stop - end < _MIN_BASIC:
        return
    try:
        decoded = binascii.a2b_base64(data[end:stop] + b"==")
    except binascii.Error:
        return
    if b":" not in decoded[1:] and decoded.count(b"\0") != _PLAIN_NULS:
        return
    if decoded.replace(b"\0", b"").decode("utf-8", "replace").isprintable():
        out.append(Span(end, stop, READER_RANK, _CREDENTIAL))


def read_address(data: bytes, end: int, out: list[Span]) -> None:
    """Reads the password of `sip:user:x@host`."""
    limit = min(len(data), end + _MAX_WORD)
    colon = until(data, end, limit, _ADDRESS_END)
    if colon >= limit or data[colon] != COLON or colon == end:
        return
    at = until(data, colon + 1, limit, _ADDRESS_END)
    if at < limit and data[at] == AT and at > colon + 1:
        out.append(Span(colon + 1, at, READER_RANK, _PASSWORD))


def read_mail_login(data: bytes, end: int, out: list[Span]) -> None:
    """Reads IMAP's `a1 LOGIN user x` at the end of a line."""
    limit = min(len(data), end + _MAX_WORD)
    user = until(data, end, limit, _WORD_GAP)
    if user >= limit or not BLANK[data[user]]:
        return
    start = user + 1
    stop = until(data, start, limit, _WORD_GAP)
    if stop < len(data) and not LINE_END[data[stop]]:
        return
    text = data[start:stop].strip(b"\"'")
    if len(text) >= _MIN_MAIL and is_password(text, expected=True) and not is_harmless(text, quoted=True):
        out.append(Span(start, stop, READER_RANK, _PASSWORD))
