"""Confirms a secret's name before a separator, then spans its value."""

from __future__ import annotations

import re
from typing import Final

from leadglass_agent.redaction.findings import Span
from leadglass_agent.redaction.harmless import is_count, is_harmless, is_prose, looks_like_token, names_secret
from leadglass_agent.redaction.keynames import Form, SecretName, classify
from leadglass_agent.redaction.values import Key, Value, begins_line, find_value, header_value

KEY_RANK: Final = 40
_HEADER_RANK: Final = 30
_MAX_KEY: Final = 80
_MAX_BEFORE: Final = 36
# Spaces, quotes and brackets between key and separator; a file that aligns its columns needs some room.
_MAX_GAP: Final = 64
_KEY_BYTES: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-" + bytes(range(0x80, 0x100))
_UNSURE: Final = frozenset({Form.TOKEN, Form.QUERY})
_PAIRS: Final = frozenset({Form.VALUE, Form.TOKEN, Form.QUERY})
# A terminal's colour sequence, of which only the end is taken for letters of the name, and the one behind the name.
_COLOUR_BEFORE: Final = re.compile(rb"[\[;][0-9]{0,3}m(?=.)")
_COLOUR_AFTER: Final = re.compile(rb"\x1b\[[0-9;]{0,16}m[ \t]*\Z")
_SEPARATOR_REST: Final = re.compile(rb"(?:(?<==)[>=]|(?<=:)=)")
_SCHEME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9-]{1,24}[ \t]{1,4}(?=[^ \t\r\n])")
_COOKIE_PAIR: Final = re.compile(rb"[^=;\r\n]{1,256}=([^;\r\n\"']*)")
_OPEN_TAG: Final = re.compile(rb"<(?:[A-Za-z0-9_.-]{1,32}:)?\Z")
_SHELL_DEFAULT: Final = re.compile(rb":?[-=]([^}\r\n\0]{1,256})")


def confirm_pair(data: bytes, end: int) -> Span | None:
    """Confirms a key and spans its value; `end` is just behind the separator's first byte."""
    window_start = max(0, end - 1 - _MAX_GAP - _MAX_KEY)
    window = data[window_start : end - 1]
    colour = _COLOUR_AFTER.search(window) if b"\x1b" in window else None
    bare = (window if colour is None else window[: colour.start()]).rstrip(b" \t").rstrip(b"\"'`\\]")
    name = bare[len(bare.rstrip(_KEY_BYTES)) :].lstrip(b".-")
    colour = _COLOUR_BEFORE.match(bare, max(0, len(bare) - len(name) - 1))
    if colour is not None:
        name = bare[colour.end() :]
    secret = classify(name[-_MAX_KEY:])
    if secret is None:
        return None
    start = window_start + len(bare) - len(name)
    before = data[max(0, start - _MAX_BEFORE) : start]
    separator = data[end - 1 : end]
    if before.endswith(b"[redacted:") or (separator == b">" and _OPEN_TAG.search(before) is None):
        return None
    if secret.form is Form.QUERY and before[-1:] not in {b"?", b"&"}:
        return None
    if before.endswith(b"${"):
        return _shell_default(data, end - 1, secret)
    rest = _SEPARATOR_REST.match(data, end)
    position = end if rest is None else rest.end()
    if separator == b":" and (data.startswith((b":", b"//"), position) or before.endswith(b":")):
        return None  # a scope (a::b), a URL, or a field of a colon-joined name (arn:…:secret:…)
    has_own_quote = window[len(bare) : len(bare) + 1] in {b'"', b"'", b"`"}
    quote = before[-1:] if before[-1:] in {b'"', b"'", b"`"} and not has_own_quote else b""
    return _span(data, position, Key(start, separator, quote), secret)


def _span(data: bytes, position: int, key: Key, secret: SecretName) -> Span | None:
    match secret.form:
        case Form.AUTHORIZATION:
            value = header_value(data, position, key)
            if value is not None and (scheme := _SCHEME.match(data, value.start, value.end)) is not None:
                value = Value(scheme.end(), value.end, value.quoted)
        case Form.COOKIE:
            value = header_value(data, position, key)
        case Form.SET_COOKIE:
            value = header_value(data, position, key)
            if value is not None and (pair := _COOKIE_PAIR.match(data, value.start, value.end)) is not None:
                value = Value(pair.start(1), pair.end(1), value.quoted)
        case Form.VALUE | Form.TOKEN | Form.QUERY:
            value = find_value(data, position, key)
    if value is None or value.end <= value.start or _is_plain(data, value, key, secret):
        return None
    rank = KEY_RANK if secret.form in _PAIRS else _HEADER_RANK
    return Span(value.start, value.end, rank, secret.rule_id)


def _is_plain(data: bytes, value: Value, key: Key, secret: SecretName) -> bool:
    text = data[value.start : value.end]
    if is_harmless(text, quoted=value.quoted):
        return True
    if secret.form in _UNSURE:
        return not looks_like_token(text)
    if secret.rule_id == "token" and is_count(text):
        return True
    if value.quoted or key.separator != b":" or secret.form not in _PAIRS:
        return False
    # A bare word behind a colon is prose as often as a value: "unexpected token: identifier".
    if is_prose(text) or names_secret(text):
        return True
    return secret.rule_id == "token" and not looks_like_token(text) and not begins_line(data, key.start)


def _shell_default(data: bytes, position: int, secret: SecretName) -> Span | None:
    default = _SHELL_DEFAULT.match(data, position)
    if default is None or is_harmless(default[1]):
        return None
    return Span(default.start(1), default.end(1), KEY_RANK, secret.rule_id)
