"""Spans values that stand apart from their names: on the next lines, in the next item, in a block's default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.cells import confirm_cell
from leadglass_agent.redaction.extents import MAX_VALUE
from leadglass_agent.redaction.harmless import is_harmless
from leadglass_agent.redaction.headers import read_header
from leadglass_agent.redaction.keynames import AUTHORIZATION, TOKEN, VALUE
from leadglass_agent.redaction.lines import Walks, begins_line
from leadglass_agent.redaction.names import MAX_GAP
from leadglass_agent.redaction.password_words import is_password
from leadglass_agent.redaction.phrases import is_phrase
from leadglass_agent.redaction.quotes import quoted_value
from leadglass_agent.redaction.signs import BACKSLASH, COLON, COMMA, DOLLAR, EQUALS, OPEN_BRACE
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import ALNUM, BLANK, DIGIT, LINE_END, run_end, table, until

if TYPE_CHECKING:
    from leadglass_agent.redaction.names import Name

KEY_RANK: Final = 40
_MAX_BLOCK: Final = 240
_MAX_DEFAULT: Final = 256
_MAX_WORD: Final = 25
_MAX_BETWEEN: Final = 16
_MAX_CODES: Final = 32
_MIN_CODE: Final = 6
_MAX_CODE: Final = 40
_LIST_MARKS: Final = table(b" \t-*")
_LINE_STOP: Final = table(b"\r\n\0")
_SPACES: Final = table(b" \t\r\n")
_ASSIGNING: Final = table(b" \t=:")
_KEY_ENDS: Final = table(b":{[")
_KEY_STARTS: Final = table(b"-[{#<")
_DEFAULT_MARKS: Final = table(b"-=:")
_DEFAULT_END: Final = table(b"}\r\n\0")
_DEFAULTS: Final = (b"default", b"value", b"defaultValue", b"def")


def read_below(data: bytes, position: int, name: Name, out: list[Span]) -> None:
    """Reads a value of one word that stands on the line below its name, alone or as `value: x`."""
    limit = min(len(data), position + MAX_VALUE)
    position = run_end(data, position, min(limit, position + MAX_GAP), BLANK)
    if position >= limit or not LINE_END[data[position]] or data[position] == 0:
        return
    start = run_end(data, position, min(limit, position + MAX_GAP), _SPACES)
    if data.startswith((b"value:", b"default:"), start):
        start = run_end(data, data.find(b":", start) + 1, limit, BLANK)
    first, last, quoted = quoted_value(data, start)
    if first < 0:
        first, last = start, until(data, start, limit, _LINE_STOP)
    text = data[first:last]
    if not quoted and name.secret.rule_id == "recovery-phrase":
        _read_codes(data, start, name, out)
        return
    if not quoted and (b" " in text or _is_key_of_line(text)):
        return
    if name.secret.form == VALUE and is_password(text, expected=True) and not is_harmless(text, quoted=quoted):
        out.append(Span(first, last, KEY_RANK, name.secret.rule_id))


def _read_codes(data: bytes, position: int, name: Name, out: list[Span]) -> None:
    """Reads the codes below their name, one on each line, up to a line that is something else."""
    for _ in range(_MAX_CODES):
        start = run_end(data, position, min(len(data), position + MAX_GAP), _LIST_MARKS)
        stop = until(data, start, min(len(data), start + MAX_GAP), _LINE_STOP)
        text = data[start:stop]
        if not _MIN_CODE <= len(text) <= _MAX_CODE or not text.replace(b"-", b"").replace(b" ", b"").isalnum():
            return
        if b" " in text and not any(DIGIT[byte] for byte in text) and not is_phrase(text, 2):
            return  # prose
        out.append(Span(start, stop, KEY_RANK, name.secret.rule_id))
        position = run_end(data, stop, min(len(data), stop + 2), _LINE_STOP)


def read_next_argument(data: bytes, position: int, name: Name, out: list[Span]) -> None:
    """Reads the next item of a list of arguments in YAML: `- --password`, then `- x`."""
    start = run_end(data, position, min(len(data), position + MAX_GAP), _SPACES)
    if not data.startswith(b"- ", start):
        return
    start += len(b"- ")
    first, last, _quoted = quoted_value(data, start)
    if first < 0:
        first, last = start, until(data, start, min(len(data), start + MAX_VALUE), _LINE_STOP)
    text = data[first:last]
    if text[:1] != b"-" and name.secret.form == VALUE and not is_harmless(text, quoted=True):
        out.append(Span(first, last, KEY_RANK, name.secret.rule_id))


def read_next_item(data: bytes, position: int, name: Name, out: list[Span]) -> None:
    """Reads the item behind a quoted name: `("password", "x")`."""
    position = run_end(data, position, min(len(data), position + MAX_GAP), _SPACES)
    word = run_end(data, position, min(len(data), position + _MAX_WORD), ALNUM)
    if data[position:word] in _DEFAULTS:
        position = run_end(data, word, min(len(data), word + MAX_GAP), _ASSIGNING)
    start, end, _quoted = quoted_value(data, position)
    if start < 0:
        if begins_line(data, name.start):
            confirm_cell(data, position, name.secret, out)
        return
    if name.secret.form >= AUTHORIZATION:
        read_header(data, position, name, Walks(), out)
        return
    text = data[start:end]
    if text and text[0] == BACKSLASH:
        text = text.strip(b"\\\"'")
    if name.secret.form <= TOKEN and not is_harmless(text, quoted=True) and is_password(text, expected=True):
        out.append(Span(start, end, KEY_RANK, name.secret.rule_id))


def read_pair_of_literals(data: bytes, position: int, name: Name, out: list[Span]) -> None:
    """Reads `auth=("user", "x")`: the second string of a pair."""
    start, end, quoted = quoted_value(data, position + 1)
    if start < 0 or not quoted:
        return
    name.closed = 1
    following = run_end(data, end + 1, min(len(data), end + _MAX_BETWEEN), _SPACES)
    if following < len(data) and data[following] == COMMA:
        start, end, quoted = quoted_value(data, run_end(data, following + 1, len(data), _SPACES))
        if start >= 0 and not is_harmless(data[start:end], quoted=True):
            out.append(Span(start, end, KEY_RANK, name.secret.rule_id))


def read_default_of_block(data: bytes, position: int, name: Name, out: list[Span]) -> None:
    """Reads Terraform's `variable "password" { default = "x" }`."""
    limit = min(len(data), position + _MAX_BLOCK)
    closing = data.find(b"}", position, limit)
    found = data.find(b"default", position, closing if closing > 0 else limit)
    if found < 0:
        return
    position = run_end(data, found + len(b"default"), limit, BLANK)
    if position < limit and data[position] == EQUALS:
        start, end, _quoted = quoted_value(data, run_end(data, position + 1, limit, BLANK))
        if start >= 0 and not is_harmless(data[start:end], quoted=True):
            out.append(Span(start, end, KEY_RANK, name.secret.rule_id))


def is_reference(data: bytes, name: Name) -> bool:
    """Says whether the name stands in a shell's or a template's braces: `${PASSWORD…`."""
    start = name.start
    return start > 1 and data[start - 1] == OPEN_BRACE and data[start - 2] == DOLLAR


def read_shell_default(data: bytes, name: Name, out: list[Span]) -> None:
    """Reads the default of `${PASSWORD:-x}`, and of Spring's `${password:x}`."""
    position = name.end
    if position < len(data) and data[position] == COLON:
        position += 1
    if position >= len(data) or not _DEFAULT_MARKS[data[position]]:
        if position == name.end or position >= len(data):
            return
        position -= 1
    start = position + 1
    end = until(data, start, min(len(data), start + _MAX_DEFAULT), _DEFAULT_END)
    if end > start and end < len(data) and not is_harmless(data[start:end]):
        out.append(Span(start, end, KEY_RANK, name.secret.rule_id))


def _is_key_of_line(text: bytes) -> bool:
    if not text:
        return True
    return _KEY_ENDS[text[-1]] != 0 or b"=" in text or b": " in text or _KEY_STARTS[text[0]] != 0
