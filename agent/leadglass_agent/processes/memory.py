"""Gives memory back that start-up needed and running does not."""

from __future__ import annotations

import ctypes
import gc


def settle() -> None:
    """Collects, trims the heap, and freezes what is left, so that forks keep sharing it."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # glibc has it, musl has not
        trim(0)
    gc.freeze()
