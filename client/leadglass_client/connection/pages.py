"""Follows the pages of a list to its end, within bounds that a hostile agent cannot stretch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from leadglass_client.errors import ExitCode, Failure

if TYPE_CHECKING:
    from collections.abc import Callable

_PAGE_ROWS = 1000  # the most that the agent gives
_MAX_PAGES = 1000
_MAX_BYTES = 64 * 1024 * 1024  # a hundred full pages of long rows


class Page(Protocol):
    """What every list reply has."""

    next_page_token: str

    def ByteSize(self) -> int:
        """Gives the size of the message in bytes."""


PageT = TypeVar("PageT", bound=Page)


@dataclass(frozen=True, slots=True)
class Pages(Generic[PageT]):
    """The pages in order, and whether the agent had more than was asked for."""

    pages: tuple[PageT, ...]
    more: bool


def collect(fetch: Callable[[int, str], PageT], rows: Callable[[PageT], int], limit: int) -> Pages[PageT]:
    """Fetches page after page, by page size and token, until the list ends or has `limit` rows."""
    pages: list[PageT] = []
    seen: set[str] = set()
    token, count, size = "", 0, 0
    while len(pages) < _MAX_PAGES:
        page = fetch(min(_PAGE_ROWS, limit - count), token)
        pages.append(page)
        count += rows(page)
        size += page.ByteSize()
        token = page.next_page_token
        if not token or count >= limit:
            return Pages(tuple(pages), more=bool(token) or count > limit)
        if token in seen or size > _MAX_BYTES:
            break
        seen.add(token)
    what = f"the agent sends pages without end: {len(pages)} pages, {count} rows, {size} bytes so far"
    raise Failure(
        ExitCode.ERROR, what, "ask for less with --limit; an agent that repeats its pages is not to be trusted"
    )
