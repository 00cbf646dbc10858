"""Reads the words behind the directives of servers and devices: `snmp-server community x`, `stats auth user:x`."""

from __future__ import annotations

from typing import Final

from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.harmless import is_harmless
from leadglass_agent.redaction.logins import READER_RANK
from leadglass_agent.redaction.quotes import quoted_value
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import BLANK, run_end, table, until

_PASSWORD: Final = RuleId("password")
_MAX_WORD: Final = 256
_MIN_SECRET: Final = 4
# What the word is, and how a key is written.
_FILLERS: Final = (b"string: ", b"string ", b"is ", b"name ")
_KEY_KINDS: Final = table(b"05678")
_WORD_END: Final = table(b" \t\r\n\0;,\"'")


def read_directive(data: bytes, end: int, out: list[Span]) -> None:
    """Reads the word behind a directive of a network device or a server: `isakmp key x`, `snmp-server community x`."""
    limit = min(len(data), end + _MAX_WORD)
    position = run_end(data, end, limit, BLANK)
    for word in _FILLERS:
        if data.startswith(word, position):
            position += len(word)
    if position + 1 < limit and _KEY_KINDS[data[position]] and BLANK[data[position + 1]]:
        position = run_end(data, position + 1, limit, BLANK)
    start, stop, _quoted = quoted_value(data, position)
    if start < 0:
        start, stop = position, until(data, position, limit, _WORD_END)
    if stop - start >= _MIN_SECRET and not is_harmless(data[start:stop], quoted=True):
        out.append(Span(start, stop, READER_RANK, _PASSWORD))


def read_user_pair(data: bytes, end: int, out: list[Span]) -> None:
    """Reads `stats auth user:x`."""
    limit = min(len(data), end + _MAX_WORD)
    start = run_end(data, end, limit, BLANK)
    stop = until(data, start, limit, _WORD_END)
    colon = data.find(b":", start, stop)
    if colon > start and stop > colon + 1 and not is_harmless(data[colon + 1 : stop], quoted=True):
        out.append(Span(colon + 1, stop, READER_RANK, _PASSWORD))
