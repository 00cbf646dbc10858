"""Spans the credentials of HTTP headers: Authorization, Cookie, Set-Cookie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.harmless import is_harmless
from leadglass_agent.redaction.keynames import AUTHORIZATION, SET_COOKIE
from leadglass_agent.redaction.quotes import quoted_value
from leadglass_agent.redaction.signs import OPEN_BRACKET
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import ALNUM, BLANK, run_end, table
from leadglass_agent.redaction.values import header_value

if TYPE_CHECKING:
    from leadglass_agent.redaction.lines import Walks
    from leadglass_agent.redaction.names import Name

_RANK: Final = 30
_MAX_SCHEME: Final = 25
_MAX_COOKIE_NAME: Final = 256
_MAX_PLAIN_HEADER: Final = 256
_MIN_COOKIE: Final = 8
_LONG_COOKIE: Final = 16
_SCHEME: Final = table(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")


def read_header(data: bytes, position: int, name: Name, walks: Walks, out: list[Span]) -> None:
    """Spans what is secret in the value of a header; its scheme, and the names of a set cookie, stay."""
    start, end, quoted = header_value(data, position, name.enclosing, walks)
    if start < 0:
        return
    if not quoted and data[start] == OPEN_BRACKET:  # a list of headers
        start, end, quoted = quoted_value(data, start + 1)
        if start < 0:
            return
    form = name.secret.form
    if form == AUTHORIZATION:
        start = _past_scheme(data, start, end)
    elif form == SET_COOKIE:
        equals = data.find(b"=", start, min(end, start + _MAX_COOKIE_NAME))
        if equals > start:
            start = equals + 1
            semicolon = data.find(b";", start, end)
            end = end if semicolon < 0 else semicolon
    if end > start and not is_harmless(data[start:end], quoted=quoted) and not _is_setting(data, start, end, form):
        out.append(Span(start, end, _RANK, name.secret.rule_id))


def _past_scheme(data: bytes, start: int, end: int) -> int:
    scheme = run_end(data, start, min(end, start + _MAX_SCHEME), _SCHEME)
    credential = run_end(data, scheme, end, BLANK)
    return credential if scheme > start + 1 and scheme < credential < end and ALNUM[data[start]] else start


def _is_setting(data: bytes, start: int, end: int, form: int) -> bool:
    """Says whether no cookie of the header is longer than a setting: `lang=en; theme=dark`."""
    if form == AUTHORIZATION:
        text = data[start:end]
        return b" " in text or (text.upper() == text and b"_" in text)  # prose, YOUR_TOKEN
    if form == SET_COOKIE:
        return end - start < _MIN_COOKIE and data[start:end].replace(b"-", b"").isalpha()
    if end - start > _MAX_PLAIN_HEADER or data[start] == OPEN_BRACKET:
        return False
    for pair in data[start:end].split(b";"):
        value = (pair.partition(b"=")[2] if b"=" in pair else pair).strip()
        if value and not (len(value) < _LONG_COOKIE and value.replace(b"-", b"").isalpha()):
            return False
    return True
