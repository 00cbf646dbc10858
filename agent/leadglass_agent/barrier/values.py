"""Takes environments and files apart into the values that are worth a fingerprint."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from leadglass_agent.barrier.names import Standing, standing_of
from leadglass_agent.barrier.worth import is_worth

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

MAX_FILE: Final = 256 * 1024
_MAX_LINES: Final = 4096
_MAX_DEPTH: Final = 32
_USER_INFO: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]{0,31}:/{2}([^\s/?#\"'@]{0,256}):([^\s\"']{1,512})@")
_ADDRESS: Final = re.compile(rb"([^\s:@/]{1,128}):([^\s@/]{4,256})@(?:tcp|unix|udp)?\(")
_SETTING: Final = re.compile(
    rb"(?i)(?:passwo?r?d|passwd|pwd|pass|secret|token|api[_-]?key|account[_-]?key|access[_-]?key|sig|auth)"
    rb"[\"']?\s{0,4}[=: ]\s{0,4}[\"']?([^\s;&\"',]{8,512})",
)
_KEY_LINE: Final = re.compile(
    rb"\s{0,64}(?:export\s{1,4}|-\s)?[\"']?([A-Za-z_][\w.-]{0,127})[\"']?\s{0,8}[:=]\s{0,8}(.{1,4096})"
)
_PUBLIC_BEGIN: Final = re.compile(rb"-----BEGIN (?:[A-Z0-9 ]*)?(?:CERTIFICATE|PUBLIC KEY|X509 CRL|DH PARAMETERS)")
_PEM_EDGE: Final = re.compile(rb"-----(?:BEGIN|END) [A-Z0-9 ]{1,64}-----")
_JWT: Final = re.compile(rb"eyJ[\w-]{4,}\.([\w-]{8,})\.([\w-]{8,})")


def environment_values(name: str, value: bytes, program_names: AbstractSet[bytes]) -> Iterator[bytes]:
    """Gives the values within one variable, with the credentials inside its URLs, documents and lines."""
    standing = standing_of(name)
    if b"\n" in value.strip() or value.lstrip()[:1] in {b"{", b"["}:
        yield from _document(value, standing, program_names)
    else:
        yield from _leaf(value, standing, program_names)


def file_values(name: str, content: bytes, program_names: AbstractSet[bytes]) -> Iterator[bytes]:
    """Gives the values within one file of a secret mount; a file of one line is a secret unless its name says other."""
    standing = standing_of(name)
    if standing is Standing.UNKNOWN and b"\n" not in content.strip():
        standing = Standing.SECRET
    yield from _document(content, standing, program_names)


def _document(content: bytes, standing: Standing, program_names: AbstractSet[bytes]) -> Iterator[bytes]:
    if content.lstrip()[:1] in {b"{", b"["}:
        try:
            parsed: object = json.loads(content)
        except (ValueError, RecursionError):
            pass
        else:
            yield from _tree(parsed, standing, program_names, _MAX_DEPTH)
            return
    is_public = False
    for line in content.splitlines()[:_MAX_LINES]:
        if _PEM_EDGE.match(line):
            is_public = _PUBLIC_BEGIN.match(line) is not None
        elif not is_public:
            yield from _line(line, standing, program_names)


def _tree(node: object, standing: Standing, program_names: AbstractSet[bytes], depth: int) -> Iterator[bytes]:
    if not depth:
        return
    if isinstance(node, dict):
        for key, child in node.items():
            own = standing_of(str(key))
            inherited = standing if own is Standing.UNKNOWN else own
            yield from _tree(child, inherited, program_names, depth - 1)
    elif isinstance(node, list):
        for child in node:
            yield from _tree(child, standing, program_names, depth - 1)
    elif isinstance(node, str):
        text = node.encode("utf-8", "surrogatepass")
        if "\n" in node.strip():
            yield from _document(text, standing, program_names)
        else:
            yield from _leaf(text, standing, program_names)


def _line(line: bytes, standing: Standing, program_names: AbstractSet[bytes]) -> Iterator[bytes]:
    keyed = _KEY_LINE.fullmatch(line)
    if keyed is None:
        yield from _leaf(line, standing, program_names)
        return
    own = standing_of(keyed[1].decode("ascii", "replace"))
    # A password may hold "=" itself: where the name of the file says secret, the line counts too.
    if standing is Standing.SECRET:
        yield from _leaf(line, standing, program_names)
    yield from _leaf(keyed[2], standing if own is Standing.UNKNOWN else own, program_names)


def _leaf(value: bytes, standing: Standing, program_names: AbstractSet[bytes]) -> Iterator[bytes]:
    """Gives a value without its quotes, and each credential that is written inside it."""
    value = value.strip()
    if len(value) > 1 and value[:1] == value[-1:] and value[:1] in {b'"', b"'", b"`"}:
        value = value[1:-1]
    inner = tuple(_credentials(value))
    if inner:
        for found in inner:
            if is_worth(found, Standing.SECRET, program_names):
                yield found
        # Of an address with a credential the credential alone: the rest of it is in every log.
        return
    jwt = _JWT.fullmatch(value)
    if jwt is not None:  # its first part is the same in most tokens there are
        yield from jwt.groups()
    elif is_worth(value, standing, program_names):
        yield value
    words = value.split()
    if len(words) > 1:
        for word in words:
            if not word.startswith(b"-") and is_worth(word, Standing.UNKNOWN, program_names):
                yield word


def _credentials(value: bytes) -> Iterator[bytes]:
    for pattern in (_USER_INFO, _ADDRESS):
        for match in pattern.finditer(value):
            password = match[2]
            yield password
            if b"%" in password:
                yield unquote_to_bytes(password)
    for match in _SETTING.finditer(value):
        yield match[1]
