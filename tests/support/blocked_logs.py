"""Keeps an agent from its audit log for a while, as an ordinary user of the same machine could."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def blocked(log: Path) -> Iterator[None]:
    """Puts a directory in the place of the log's file, and the file back in the end."""
    aside = log.with_name(f"{log.name}.aside")
    log.rename(aside)
    log.mkdir()
    try:
        yield
    finally:
        log.rmdir()
        aside.rename(log)
