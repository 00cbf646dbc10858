"""Spells a value in the ways in which programs write values into logs, arguments, paths and documents."""

from __future__ import annotations

import base64
import html
import json
import shlex
import urllib.parse
from typing import TYPE_CHECKING

from leadglass_agent.redaction.escape import visible
from leadglass_agent.redaction.mask import Clean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NEIGHBOURS = (b"", b"u", b"u:")  # what stands before a value decides at which of three offsets base64 puts it


def _base64(neighbour: bytes, encode: Callable[[bytes], bytes]) -> Callable[[str], str]:
    return lambda value: encode(neighbour + value.encode() + b"; then more").decode()


def _each(form: str) -> Callable[[str], str]:
    return lambda value: "".join(form.format(byte) for byte in value.encode())


def _visible(data: bytes) -> str:
    return visible(Clean(data), 1 << 20).text


def _wrapped(value: str) -> str:
    encoded = base64.b64encode(b"some text before " + value.encode() + b" and behind").decode()
    return "\n".join(encoded[at : at + 24] for at in range(0, len(encoded), 24))


def _utf16_units(value: str) -> str:
    units = value.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "raw": str,
    **{f"base64 at {len(before)}": _base64(before, base64.b64encode) for before in _NEIGHBOURS},
    **{f"base64url at {len(before)}": _base64(before, base64.urlsafe_b64encode) for before in _NEIGHBOURS},
    "base64 alone, no padding": lambda value: base64.b64encode(value.encode()).decode().rstrip("="),
    "base64 in lines": _wrapped,
    "base64 in a URL": lambda value: urllib.parse.quote(base64.b64encode(value.encode()), safe=""),
    "base64 of UTF-16": lambda value: base64.b64encode(value.encode("utf-16-le")).decode(),
    "base32": lambda value: base64.b32encode(b"id:" + value.encode()).decode(),
    "hex": lambda value: value.encode().hex(),
    "HEX": lambda value: value.encode().hex().upper(),
    "hex with colons": lambda value: value.encode().hex(":"),
    "URL": lambda value: urllib.parse.quote(value, safe=""),
    "URL, each byte": _each("%{:02X}"),
    "URL, each byte, small": _each("%{:02x}"),
    "URL in a URL": lambda value: urllib.parse.quote(urllib.parse.quote(value, safe=""), safe=""),
    "JSON": lambda value: json.dumps(value)[1:-1],
    "JSON, each unit": _utf16_units,
    "JSON in JSON": lambda value: json.dumps(json.dumps(value)),
    "shell quotes": shlex.quote,
    "shell backslashes": lambda value: "".join(
        f"\\{character}" if not character.isalnum() else character for character in value
    ),
    "C hex": _each("\\x{:02x}"),
    "C octal": _each("\\{:03o}"),
    "HTML": lambda value: html.escape(value, quote=True),
    "HTML, each character": lambda value: "".join(f"&#{ord(character)};" for character in value),
    "HTML, each character in hex": lambda value: "".join(f"&#x{ord(character):X};" for character in value),
    "shown": lambda value: _visible(value.encode()),
    "shown UTF-16": lambda value: _visible(value.encode("utf-16-le")),
}
