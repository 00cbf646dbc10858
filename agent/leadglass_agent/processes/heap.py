"""Bounds what the C heap keeps for later: under a flood, glibc's defaults keep four times what is in use."""

from __future__ import annotations

import ctypes
from typing import Final

# malloc.h of glibc: M_MMAP_THRESHOLD and M_ARENA_MAX. Musl has neither, and keeps little.
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
# grpc's threads would make an arena each, eight for a core, and none gives back what another took.
_ARENAS: Final = 2
# Fixed, else it grows up to 32 MiB with each large block that is freed, and what lies below is not given back.
_LARGE_BYTES: Final = 128 * 1024


def bound_heap() -> None:
    """Sets the bounds, before the first thread that allocates."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, _ARENAS)
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
