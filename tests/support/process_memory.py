"""Searches the memory of a process, as somebody who broke into it could."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from planted_secrets import Planted

_CHUNK: Final = 4 * 1024 * 1024
_OVERLAP: Final = 4096  # longer than any form of a planted secret


def why_unreadable(pid: int) -> str | None:
    """Says why the memory of a process cannot be read, or None if it can: it needs ptrace rights over the process."""
    try:
        next(_memory(pid))
    except OSError as error:
        return f"the memory of the agent's front cannot be read here: {error.strerror}"
    return None


def leaks_in_memory(pid: int, planted: Planted) -> set[str]:
    """Names every planted secret that the memory of a process holds, with its encoding."""
    return {leak for chunk in _memory(pid) for leak in planted.leaks(chunk)}


def is_in_memory(pid: int, text: bytes) -> bool:
    """Says whether the memory of a process holds these bytes."""
    return any(text in chunk for chunk in _memory(pid))


def _memory(pid: int) -> Iterator[bytes]:
    """Gives all that a process could read of its own memory, in pieces that overlap; raises OSError if none."""
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            area, rights = line.split()[:2]
            if not rights.startswith("r") or line.endswith(("[vvar]", "[vvar_vclock]", "[vsyscall]")):
                continue
            start, end = (int(edge, 16) for edge in area.split("-"))
            yield from _area(memory.fileno(), start, end)


def _area(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    at = start
    while at < end:
        try:
            chunk = os.pread(descriptor, min(_CHUNK, end - at), at)
        except OSError as error:
            if error.errno in {errno.EIO, errno.EFAULT}:
                return  # given back meanwhile, or a hole of a mapped file
            raise
        if not chunk:
            return
        yield chunk
        at += max(len(chunk) - _OVERLAP, 1) if len(chunk) == _CHUNK else len(chunk)
