"""Bounds the text of one page, so that an answer fits its channel whatever the target writes into its names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from leadglass_agent.redaction.escape import Visible

MAX_PAGE_ROWS: Final = 1_000
MAX_PAGE_TEXT_BYTES: Final = 1024 * 1024


def text_bytes(*texts: Visible | None) -> int:
    """Counts the bytes that texts take in UTF-8."""
    return sum(len(one.text) if one.text.isascii() else len(one.text.encode()) for one in texts if one is not None)
