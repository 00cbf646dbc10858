"""Reads command lines and dialogues that are written as strings in quotes: `["mysql", "-px"]`, `"AUTH" "bob" "x"`."""

from __future__ import annotations

from typing import Final

from leadglass_agent.redaction.argv.found import Found
from leadglass_agent.redaction.argv.walk import walk
from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.harmless import is_harmless
from leadglass_agent.redaction.logins import READER_RANK
from leadglass_agent.redaction.password_words import is_password
from leadglass_agent.redaction.quotes import quoted_value
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import BASE64, BLANK, LINE_END, QUOTE, SPACE, run_end, table, until

_PASSWORD: Final = RuleId("password")
_COOKIE: Final = RuleId("cookie")
_MAX_LINE: Final = 512
_MAX_WORDS: Final = 32
_MAX_GAP: Final = 24
_MIN_SECRET: Final = 6
_ARRAY_END: Final = table(b"])\r\n\0")
_FIELD_END: Final = table(b"\t\r\n\0")
_DIALOGUE_MARKS: Final = table(b" \t<>CS:-")


def read_quoted_command(data: bytes, end: int, out: list[Span]) -> None:
    """Reads the words behind the quoted name of a program that ends at `end`, each in quotes of its own."""
    quote = data[end - 1]
    opening = data.rfind(quote, max(0, end - _MAX_GAP), end - 1)
    if opening < 0:
        return
    words = [data[opening + 1 : end - 1]]
    starts = [opening + 1]
    position = end
    limit = min(len(data), end + _MAX_LINE)
    while position < limit and len(words) < _MAX_WORDS and not _ARRAY_END[data[position]]:
        if QUOTE[data[position]]:
            first, last, _quoted = quoted_value(data, position)
            if first < 0:
                break
            words.append(data[first:last])
            starts.append(first)
            position = last
        position += 1
    found = Found(literal=True)
    walk(words, found)
    for index in range(len(found.spans)):
        span = found.spans[index]
        start = starts[found.indexes[index]]
        out.append(Span(start + span.start, start + span.end, span.rank, span.rule_id))


def read_quoted_auth(data: bytes, end: int, out: list[Span]) -> None:
    """Reads the last of the quoted words behind `"AUTH" "`, as a server lists the commands that it was sent."""
    position = end - 1
    first, last = -1, -1
    while position < len(data) and QUOTE[data[position]]:
        start, stop, _quoted = quoted_value(data, position)
        if start < 0:
            break
        first, last = start, stop
        position = run_end(data, stop + 1, min(len(data), stop + _MAX_GAP), BLANK)
    if last - first >= _MIN_SECRET and not is_harmless(data[first:last], quoted=True):
        out.append(Span(first, last, READER_RANK, _PASSWORD))


def read_answer(data: bytes, end: int, out: list[Span]) -> None:
    """Reads what a client answers on the line behind a server's question for a password, in base64."""
    limit = min(len(data), end + _MAX_GAP)
    if end >= limit or not LINE_END[data[end]]:
        return
    start = run_end(data, run_end(data, end, limit, SPACE), limit, _DIALOGUE_MARKS)
    stop = run_end(data, start, min(len(data), start + _MAX_LINE), BASE64)
    if stop - start >= _MIN_SECRET:
        out.append(Span(start, stop, READER_RANK, _PASSWORD))


def read_cookie_jar(data: bytes, end: int, out: list[Span]) -> None:
    """Reads the value of a line of a cookie jar, the last of its fields that tabs part."""
    name_end = until(data, end, min(len(data), end + _MAX_LINE), _FIELD_END)
    if name_end >= len(data) or LINE_END[data[name_end]]:
        return
    stop = until(data, name_end + 1, min(len(data), name_end + 8 * _MAX_LINE), LINE_END)
    text = data[name_end + 1 : stop]
    if len(text) >= 2 * _MIN_SECRET and is_password(text, expected=True) and b"\t" not in text:
        out.append(Span(name_end + 1, stop, READER_RANK, _COOKIE))
