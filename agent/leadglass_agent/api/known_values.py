"""Asks the barrier, which lives in the reader, about a serialised reply before it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.errors import KnownValue, ReaderUnavailable, refusal_of
from leadglass_agent.processes.messages import CheckAnswer, CheckRequest, RefusedAnswer

if TYPE_CHECKING:
    from leadglass_agent.processes.messages import HeldPiece
    from leadglass_agent.processes.reader_client import ReaderClient

_PIECE: Final = 192 * 1024  # with its envelope it fits into one frame
OVERLAP: Final = 4 * 1024  # 32 folded characters, each of them an escape of an escape


async def check(reader: ReaderClient, sealed: bytes, own_words: bytes, pid: int, seconds: float) -> None:
    """Returns if a reply holds no known value but those that the caller wrote in its own request.

    A guess that comes back as it was sent tells nothing; a refusal would tell that it is right. Raises KnownValue,
    KnownValuesUnread, ReaderUnavailable or TimedOut.
    """
    found = await _held(reader, sealed, pid, seconds)
    if found:
        # Piece by piece: whoever knows the start of a value shall not get its end.
        found -= await _held(reader, own_words, pid, seconds)
    if found:
        raise KnownValue(min(piece.origin for piece in found))


async def _held(reader: ReaderClient, text: bytes, pid: int, seconds: float) -> set[HeldPiece]:
    found: set[HeldPiece] = set()
    for start in range(0, max(1, len(text) - OVERLAP), _PIECE - OVERLAP):
        piece = text[start : start + _PIECE]
        answer = await reader.ask(
            lambda number, deadline_ns, piece=piece: CheckRequest(number, deadline_ns, pid, piece),  # type: ignore[misc] # bound now
            seconds,
        )
        match answer:
            case CheckAnswer():
                found.update(answer.held)
            case RefusedAnswer():
                raise refusal_of(answer.reason)(answer.detail)
            case _:
                detail = "the reader answered something else than asked for"
                raise ReaderUnavailable(detail)
    return found
