"""Confirms a candidate for a secret's name, and spans its value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from leadglass_agent.redaction.blocks import is_reference, read_shell_default
from leadglass_agent.redaction.keynames import QUERY
from leadglass_agent.redaction.lines import Walks
from leadglass_agent.redaction.links import read_link
from leadglass_agent.redaction.names import name_end, read_name
from leadglass_agent.redaction.nearby import read_nearby
from leadglass_agent.redaction.signs import COLON, SLASH
from leadglass_agent.redaction.tables import table

if TYPE_CHECKING:
    from leadglass_agent.redaction.names import Name
    from leadglass_agent.redaction.spans import Span

_TOKEN_HEAD: Final = b"[redacted:"
_PARAMETER_MARKS: Final = table(b"?&")
_PATH_END: Final = table(b"\"'` ,?)")


@final
class PairState:
    """How far one text was read, so that each name is read once however many parts it has, and none within a value."""

    __slots__ = ("covered_to", "near_to", "read_to", "walks")

    def __init__(self) -> None:
        self.near_to = 0
        self.read_to = 0
        self.covered_to = 0
        self.walks = Walks()


def confirm_name(data: bytes, end: int, kind: int, state: PairState, out: list[Span]) -> None:
    """Spans the value of the name at `end`, if there is one; `kind` says what stands right before `end`."""
    stop = name_end(data, end, kind)
    if stop <= state.read_to or stop <= state.covered_to:
        return
    state.read_to = stop
    name = read_name(data, stop)
    if name is None:
        return
    if is_reference(data, name):
        if not data.startswith(b"}", name.end):
            read_shell_default(data, name, out)
            return
        if not data.startswith((b"=", b" ="), name.end + 1):
            return
    if _ends_path(data, name) or not _begins_pair(data, name):
        return
    count = len(out)
    read_link(data, name, state.walks, out)
    if len(out) > count:
        state.covered_to = out[-1].end
    elif name.secret.form <= QUERY:
        state.near_to = read_nearby(data, name, state.near_to, out)


def _ends_path(data: bytes, name: Name) -> bool:
    """Says whether the name is the last part of a path: /users/42/password."""
    return name.start > 0 and data[name.start - 1] == SLASH and name.end < len(data) and _PATH_END[data[name.end]] != 0


def _begins_pair(data: bytes, name: Name) -> bool:
    before = data[name.start - 1] if name.start > 0 else 0
    if before == COLON and data.endswith(_TOKEN_HEAD, max(0, name.start - len(_TOKEN_HEAD)), name.start):
        return False
    return name.secret.form != QUERY or _PARAMETER_MARKS[before] != 0
