"""Spans the cell behind a secret's name in a row of a table: `| password | x |`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.redaction.harmless import is_harmless
from leadglass_agent.redaction.keynames import QUERY
from leadglass_agent.redaction.password_words import is_password, stripped
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import BLANK, run_end, table, until

if TYPE_CHECKING:
    from leadglass_agent.redaction.keynames import SecretName

_RANK: Final = 40
_MAX_CELL: Final = 160
_CELL_END: Final = table(b"|;\r\n\0")


def confirm_cell(data: bytes, position: int, secret: SecretName, out: list[Span]) -> None:
    """Spans the password in the cell that begins at `position`."""
    if secret.form == QUERY:
        return
    limit = min(len(data), position + _MAX_CELL)
    position = run_end(data, position, limit, BLANK)
    end = until(data, position, limit, _CELL_END)
    while end > position and BLANK[data[end - 1]]:
        end -= 1
    start, stop, _quoted = stripped(data, position, end)
    text = data[start:stop]
    if stop > start and is_password(text, expected=True) and not is_harmless(text, quoted=True):
        out.append(Span(start, stop, _RANK, secret.rule_id))
