"""Decides which runs can be nothing but secrets: the only ones that are masked outside of logs beside no name."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.identifiers import ACCOUNT, PASSWORD_NAME, kind_of
from leadglass_agent.redaction.liberal import has_number, is_grouped, is_in_quotes
from leadglass_agent.redaction.shapes import COUNTED, PASSWORD, PLAIN, RANDOM, SHORT, WEAK
from leadglass_agent.redaction.surroundings import is_account
from leadglass_agent.redaction.tables import BASE64, LINE_END, run_end, run_start, table

if TYPE_CHECKING:
    from leadglass_agent.redaction.surroundings import Line

_MIN_QUOTED: Final = 10
# Longer ones are texts in base64.
_MAX_TOKEN: Final = 100
# Shorter ones may well be a password's image.
_MIN_TEXT: Final = 16
# Lines of wrapped base64 are no shorter, but the last.
_LINE: Final = 56
_LESS: Final = 0x3C
_BACKSLASH: Final = 0x5C
_NEWLINE: Final = 0x0A
_GZIP: Final = b"\x1f\x8b"
_CERTIFICATE: Final = b"MII"
_PRINTABLE: Final = table(bytes(range(0x20, 0x7F)) + b"\t\r\n")


def is_precise(data: bytes, start: int, end: int, shape: int, line: Line) -> bool:
    """Says whether a run that is no plain word is certain: by its shape, or by its line and quotes as well."""
    if start > 0 and (data[start - 1] == _LESS or data[start - 1] == _BACKSLASH):
        return False
    if shape in (RANDOM, PASSWORD):
        return not _is_of_text(data, start, end)
    if line.secret_end >= 0 and (shape in (COUNTED, SHORT) or (shape == WEAK and line.secret_kind == PASSWORD_NAME)):
        return True
    if line.secret_end >= 0 and shape == PLAIN:
        return is_grouped(data[start:end])
    if shape == COUNTED:
        return is_account(data, start, end, line) or kind_of(line.name(data)) == ACCOUNT
    return (
        shape == SHORT
        and end - start >= _MIN_QUOTED
        and is_in_quotes(data, start, end)
        and has_number(data, start, end)
    )


def _is_of_text(data: bytes, start: int, end: int) -> bool:
    """Says whether a run belongs to a text in base64, of which the rules for encoded texts have found nothing."""
    first = run_start(data, start, max(0, start - _MAX_TOKEN), BASE64)
    stop = run_end(data, end, min(len(data), end + _MAX_TOKEN), BASE64)
    if stop - first > _MAX_TOKEN or data.startswith(_CERTIFICATE, first) or _is_wrapped(data, first, stop):
        return True
    if stop - first < _MIN_TEXT:
        return False
    try:
        decoded = binascii.a2b_base64(data[first:stop] + b"==")
    except binascii.Error:
        return False
    return decoded[:2] == _GZIP or (len(decoded) > 0 and run_end(decoded, 0, len(decoded), _PRINTABLE) == len(decoded))


def _is_wrapped(data: bytes, start: int, end: int) -> bool:
    """Says whether the line before or behind is all base64 as well."""
    before = run_start(data, start, max(0, start - 2), LINE_END)
    if before < start and data[start - 1] == _NEWLINE:
        first = run_start(data, before, max(0, before - _LINE), BASE64)
        if before - first == _LINE:
            return True
    following = run_end(data, end, min(len(data), end + 2), LINE_END)
    return following > end and run_end(data, following, min(len(data), following + _LINE), BASE64) - following == _LINE
