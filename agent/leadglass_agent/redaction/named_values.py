"""Spans the value of a pair whose name stands in a field of its own: `name: DB_PASSWORD`, then `value: …`."""

from __future__ import annotations

from typing import Final

from leadglass_agent.redaction.blocks import KEY_RANK
from leadglass_agent.redaction.harmless import is_harmless, looks_like_token
from leadglass_agent.redaction.keynames import QUERY, TOKEN, classify
from leadglass_agent.redaction.lines import Walks
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import BLANK, DIGITS, LOWER, SPACE, UPPER, run_start, table
from leadglass_agent.redaction.values import find_value

_LOOKBACK: Final = 256
# Fields that hold a value's name, and fields that may stand between it and the value.
_NAMES: Final = frozenset(b"name key path variable setting field label param option property env".split())
_OTHERS: Final = frozenset(b"type id op scope sensitive version masked protected".split())
_MOST_OTHERS: Final = 2
_MIN_NAME: Final = 2
_MAX_NAME: Final = 80
_MAX_GAP: Final = 64
_MAX_MARKS: Final = 4
_MAX_FIELD: Final = 12
_VALUE: Final = b"value"
_COMMA: Final = 0x2C
_SEPARATORS: Final = table(b":=")
_MARKS: Final = table(b"\"'\\")
_WORD: Final = table(DIGITS + LOWER + UPPER + b"_")
_NAME: Final = table(DIGITS + LOWER + UPPER + b"_./-")


def confirm_named_value(data: bytes, end: int) -> Span | None:
    """Confirms a name's field right before a value's; `end` is just behind the value's separator."""
    floor = max(0, end - _LOOKBACK)
    separator = run_start(data, end - 1, max(floor, end - 1 - _MAX_GAP), BLANK)
    field = _past_marks(data, separator, floor) - len(_VALUE)
    if field < floor or data[field : field + len(_VALUE)].lower() != _VALUE:
        return None
    name = _named_before(data, field, floor)
    secret = None if not name else classify(name.rpartition(b"/")[2])
    if secret is None:
        return None
    start, stop, quoted = find_value(data, end, field, data[end - 1], 0, Walks())
    if start < 0 or is_harmless(data[start:stop], quoted=quoted):
        return None
    if secret.form in (TOKEN, QUERY) and not looks_like_token(data[start:stop]):
        return None
    return Span(start, stop, KEY_RANK, secret.rule_id)


def _named_before(data: bytes, field: int, floor: int) -> bytes:
    """Gives what the name's field right before a value's holds, in JSON, YAML and XML; no bytes if there is none."""
    position = field
    for _ in range(_MOST_OTHERS + 1):
        position = _past_marks(data, position, floor)
        position = run_start(data, position, max(floor, position - _MAX_GAP), SPACE)
        if position > floor and data[position - 1] == _COMMA:
            position -= 1
        position = run_start(data, position, max(floor, position - _MAX_MARKS), BLANK)
        stop = _past_marks(data, position, floor)
        start = run_start(data, stop, max(floor, stop - _MAX_NAME), _NAME)
        position = _past_marks(data, start, floor)
        position = run_start(data, position, max(floor, position - _MAX_MARKS), BLANK)
        if position <= floor or not _SEPARATORS[data[position - 1]]:
            break
        position = run_start(data, position - 1, max(floor, position - 1 - _MAX_MARKS), BLANK)
        position = _past_marks(data, position, floor)
        word = run_start(data, position, max(floor, position - _MAX_FIELD), _WORD)
        called = data[word:position].lower()
        if called in _NAMES:
            return data[start:stop] if stop - start >= _MIN_NAME else b""
        if called not in _OTHERS:
            break
        position = word
    return b""


def _past_marks(data: bytes, position: int, floor: int) -> int:
    """Walks left over the quotes of a field, escaped or not."""
    return run_start(data, position, max(floor, position - _MAX_MARKS), _MARKS)
