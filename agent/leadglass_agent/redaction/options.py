"""Spans the value of an option that a text names: `--password x` in a log, `-Password (ConvertTo-SecureString 'x')`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.extents import MAX_VALUE
from leadglass_agent.redaction.harmless import is_harmless, looks_like_token, names_secret
from leadglass_agent.redaction.keynames import VALUE
from leadglass_agent.redaction.quotes import quoted_value
from leadglass_agent.redaction.signs import DASH, OPEN
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import BLANK, QUOTE, SPACE, run_end, table, until
from leadglass_agent.redaction.vocabulary import VOCABULARY

if TYPE_CHECKING:
    from leadglass_agent.redaction.keynames import SecretName

_RANK: Final = 40
_MAX_DASHES: Final = 3
_MAX_BLANKS: Final = 8
_MAX_CALL: Final = 160
_NAME_BREAK: Final = table(b"-_ .")
_BEFORE: Final = table(b"\"'`=(,[")
_OPTION_END: Final = table(b" \t\r\n\0\"'`,;|&)]")
_COMMAND_END: Final = table(b"-&|;\"'`)\r\n\0")


def is_option(data: bytes, name_start: int) -> bool:
    """Says whether dashes before the name make it an option's."""
    start = name_start
    while start > 0 and data[start - 1] == DASH and name_start - start < _MAX_DASHES:
        start -= 1
    return start < name_start and (start == 0 or SPACE[data[start - 1]] != 0 or _BEFORE[data[start - 1]] != 0)


def confirm_option(data: bytes, name_start: int, position: int, secret: SecretName, out: list[Span]) -> None:
    """Spans the option's value at `position`, unless the option is a switch or a sentence goes on there."""
    word_end = until(data, name_start, position, _NAME_BREAK)
    if data[name_start:word_end].lower().decode("ascii", "replace") in VOCABULARY.switches:
        return
    start, end, quoted = quoted_value(data, position)
    if start < 0:
        start, end = position, until(data, position, min(len(data), position + MAX_VALUE), _OPTION_END)
    if not quoted and start < len(data) and data[start] == OPEN:
        _in_parentheses(data, position, secret, out)
        return
    text = data[start:end]
    if not text or (not quoted and text[0] == DASH) or is_harmless(text, quoted=True) or names_secret(text):
        return
    if (secret.counts and text.isdigit()) or (secret.form != VALUE and not looks_like_token(text)):
        return
    if not quoted and text.isalpha() and text.islower() and not _ends_command(data, end):
        # A sentence about an option: "--password requires a value".
        return
    out.append(Span(start, end, _RANK, secret.rule_id))


def _in_parentheses(data: bytes, position: int, secret: SecretName, out: list[Span]) -> None:
    limit = min(len(data), position + _MAX_CALL)
    opening = until(data, position, limit, QUOTE)
    if opening < limit:
        start, end, _quoted = quoted_value(data, opening)
        if start > 0 and not is_harmless(data[start:end], quoted=True):
            out.append(Span(start, end, _RANK, secret.rule_id))


def _ends_command(data: bytes, end: int) -> bool:
    position = run_end(data, end, min(len(data), end + _MAX_BLANKS), BLANK)
    return position >= len(data) or _COMMAND_END[data[position]] != 0
