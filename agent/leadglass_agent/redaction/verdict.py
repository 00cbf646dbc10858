"""Decides from its shape and its surroundings whether a run of bytes is masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.identifiers import (
    ACCOUNT,
    ANY,
    CODE,
    IDENTIFIER,
    PASSWORD_NAME,
    SECRET,
    THING,
    TRANSPARENT,
    kind_of,
)
from leadglass_agent.redaction.shapes import COUNTED, DIGEST, HEX_SHORT, LETTERS, PASSWORD, RANDOM, UUID, WEAK
from leadglass_agent.redaction.surroundings import (
    APART,
    LIBERAL,
    LINKED,
    PHRASE,
    REACH,
    in_query,
    is_account,
    is_argument,
    is_pair,
    link,
    secret_follows,
)
from leadglass_agent.redaction.tables import run_end

if TYPE_CHECKING:
    from leadglass_agent.redaction.surroundings import Line

_BARE: Final = 20
_MIN_SHORT: Final = 10
_MIN_WEAK: Final = 6
_MIN_HEX: Final = 12
_CLOSE: Final = 8


def is_wanted(  # noqa: C901, PLR0911 - one row for each ground
    data: bytes, start: int, end: int, shape: int, line: Line
) -> bool:
    """Decides about a run that is not plain."""
    linked = link(data, start, line)
    kind = kind_of(line.name(data)) if linked != APART else ANY
    if line.public_end == line.name_end and linked != APART:
        return False
    if line.mode == LIBERAL and linked != LINKED and (kind != IDENTIFIER or shape == PASSWORD):
        return end - start >= _MIN_WEAK
    if kind == IDENTIFIER and (linked == LINKED or shape < COUNTED or shape == RANDOM):
        return False
    if kind == THING and shape != RANDOM and (linked == LINKED or shape < COUNTED):
        return False
    if line.mode == LIBERAL:
        return end - start >= _MIN_WEAK
    if linked == LINKED and kind in (SECRET, CODE, PASSWORD_NAME):
        return shape != WEAK or end - start >= _MIN_WEAK
    near = line.secret_end >= 0 and start - line.secret_end <= REACH
    if near and linked == LINKED and kind != TRANSPARENT:
        # The name of its own ends what the word before it says, but in "key to open the archive: ...".
        near = run_end(data, line.secret_end, line.name_start, PHRASE) >= line.name_start
    if shape in (RANDOM, PASSWORD):
        return True
    if shape < COUNTED:
        return _is_odd_wanted(data, start, end, shape, line, linked, kind, near=near)
    if near or kind == ACCOUNT or is_argument(data, start, end):
        return True
    if linked == LINKED:
        return shape == COUNTED or end - start >= _MIN_SHORT
    return is_account(data, start, end, line) or secret_follows(data, end)


def _is_odd_wanted(  # noqa: PLR0911 - one row for each shape
    data: bytes, start: int, end: int, shape: int, line: Line, linked: int, kind: int, *, near: bool
) -> bool:
    """Decides about shapes that identifiers have as well."""
    secret = kind in (SECRET, CODE, PASSWORD_NAME) or (near and linked == LINKED and kind == TRANSPARENT)
    if shape == DIGEST:
        return near or (linked == LINKED and not in_query(data, start))
    if shape == UUID:
        return secret and (start == 0 or data[start - 1] not in b"[({<")
    if shape == HEX_SHORT:
        return (kind == PASSWORD_NAME and end - start >= _MIN_HEX) or (linked == LINKED and end - start >= _BARE)
    if shape == LETTERS:
        return secret
    if end - start < _MIN_WEAK:
        return False
    if linked == LINKED:
        return secret or kind == ACCOUNT or data.find(b"@", start, end) < 0 or is_pair(data, start, end)
    return near and (start - line.secret_end <= _CLOSE or is_argument(data, start, end))
