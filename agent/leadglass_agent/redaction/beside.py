"""Spans values of a known length and alphabet that stand beside their vendor's name."""

from __future__ import annotations

from typing import Final, final

from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.harmless import is_random
from leadglass_agent.redaction.heads import is_filler
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.tables import ALNUM, LINE_END, run_end, table

BESIDE_RANK: Final = 25
_MAX_BETWEEN: Final = 80
# The vendor's word may hold the credential's: opsgenie key, dd_api_key.
_MAX_VENDOR_WORD: Final = 24
_LONG: Final = 40
_LINKS: Final = table(b"=:")
# What may stand between vendor and value instead of a separator.
_LINK_WORDS: Final = (b"key", b"token", b"secret", b"password", b"auth", b"credential", b"pat ")
# A value of base64 may begin with these, and an ordinary word never does behind a space, a quote or a separator.
_VALUE_START: Final = table(b"+/-_$")
SPACE_OR_MARK: Final = table(b" \t\"'`=:>,([")
# How far behind the id of an access key its secret stands, and what that is made of.
_MAX_COMPANION: Final = 200
_KEY_LENGTH: Final = 40
_KEY_BYTES: Final = table(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_SECRET_KEY: Final = RuleId("aws-secret-access-key")


@final
class Shape:
    """The shapes of one rule's values: for each, its classes with least and most repetitions."""

    __slots__ = ("rule_id", "sequences")

    def __init__(self, rule_id: RuleId, sequences: list[list[tuple[bytes, int, int]]]) -> None:
        self.rule_id = rule_id
        self.sequences = sequences


def confirm_beside(data: bytes, end: int, shapes: list[Shape], out: list[Span]) -> None:
    """Spans the first value behind a vendor's word, on the same line, that has one of the shapes."""
    limit = min(len(data), end + _MAX_BETWEEN)
    position = run_end(data, end, limit, ALNUM)
    while position < limit and not LINE_END[data[position]]:
        if not ALNUM[data[position]] and not (_VALUE_START[data[position]] and SPACE_OR_MARK[data[position - 1]]):
            position += 1
            continue
        for shape in shapes:
            for sequence in shape.sequences:
                value_end = _match(data, position, sequence)
                if value_end == 0 or is_filler(data, position, value_end):
                    continue
                if _is_linked(data, end, position, value_end):
                    out.append(Span(position, value_end, BESIDE_RANK, shape.rule_id))
                    return
        position = max(position + 1, run_end(data, position, limit, ALNUM))


def _match(data: bytes, position: int, sequence: list[tuple[bytes, int, int]]) -> int:
    """Gives the end of a value that stands alone, or 0."""
    length = len(data)
    last = b""
    for members, least, most in sequence:
        stop = run_end(data, position, min(length, position + most), members)
        if stop - position < least:
            return 0
        position = stop
        last = members
    if position < length and (last[data[position]] or ALNUM[data[position]]):
        return 0
    return position


def _is_linked(data: bytes, start: int, end: int, value_end: int) -> bool:
    for position in range(start, end):
        if _LINKS[data[position]]:
            return True
    between = data[start:end].lower()
    if not _has_word(data, run_end(data, start, end, ALNUM), end):
        between = data[max(0, start - _MAX_VENDOR_WORD) : end].lower()
    if any(word in between for word in _LINK_WORDS):
        return True
    # Right behind the vendor's name a value that a generator made needs no more words.
    return value_end - end >= _LONG and not data[start:end].strip() and is_random(data[end:value_end])


def _has_word(data: bytes, start: int, end: int) -> bool:
    """Says whether a word stands between: `vendor_token X` gives the token, `vendor_token request X` another thing."""
    return any(ALNUM[data[position]] for position in range(start, end))


def confirm_companion(data: bytes, end: int, out: list[Span]) -> None:
    """Spans the secret access key that stands behind the id of an access key: forty bytes of base64 by themselves."""
    limit = min(len(data), end + _MAX_COMPANION)
    position = end
    while position < limit:
        if not _KEY_BYTES[data[position]]:
            position += 1
            continue
        stop = run_end(data, position, min(len(data), limit + _KEY_LENGTH), _KEY_BYTES)
        if stop - position == _KEY_LENGTH and is_random(data[position:stop]):
            out.append(Span(position, stop, BESIDE_RANK, _SECRET_KEY))
            return
        position = stop
