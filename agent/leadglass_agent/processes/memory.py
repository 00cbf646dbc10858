"""Gives memory back that start-up needed and running does not.

What a start reads of the libraries, some 20 MB in all, stays mapped for good unless it is let go of: the kernel maps
sixteen pages around each one that is used, and takes none back before memory is scarce.
"""

from __future__ import annotations

import ctypes
import gc
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SMAPS: Final = Path("/proc/self/smaps")
_DONTNEED: Final = 4  # MADV_DONTNEED, include/uapi/asm-generic/mman-common.h
_LEAST: Final = 256 * 1024  # the few libraries that matter are larger, and each call costs some microseconds
_BETWEEN_NS: Final = 4_000_000_000  # half a millisecond of work each time, and as much to read the pages again
# proc(5): the line of a mapping, then lines of which one counts the pages that are no longer the file's own.
_MAPPING: Final = re.compile(
    rb"^(?P<begin>[0-9a-f]{1,16})-(?P<end>[0-9a-f]{1,16}) (?P<mode>r-[x-]p) "
    rb"[0-9a-f]+ [0-9a-f:]+ [0-9]+ +(?P<path>/[^\n]+)\n"
    rb"(?:(?!Anonymous:)[A-Z][^\n]*\n)*Anonymous: +(?P<changed>[0-9]+) kB$",
    re.MULTILINE,
)

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


class Slack:
    """What this process can do without until it is used again: free parts of the heap, and pages of loaded code."""

    def __init__(self) -> None:
        """Looks for the code that is loaded now; nothing is found where the kernel does not tell."""
        try:
            self._code = tuple(code_ranges(_SMAPS.read_bytes()))
        except OSError:
            self._code = ()

    def give_back(self) -> None:
        """Gives it back to the kernel; whatever is used afterwards is there again, read from the file."""
        trim = getattr(_libc, "malloc_trim", None)
        if trim is not None:  # glibc has it, musl has not
            trim(0)
        for begin, length in self._code:
            _libc.madvise(begin, length, _DONTNEED)  # what it refuses stays as it was


class Rests:
    """Gives back every few seconds what was used in between; for a loop that comes by each second."""

    def __init__(self) -> None:
        self._slack: Slack | None = None
        self._next_ns = 0

    def take(self, now_ns: int) -> None:
        """Does so if it is time, by CLOCK_MONOTONIC; the first call only begins to count."""
        if now_ns < self._next_ns:
            return
        if self._next_ns:
            self._slack = self._slack or Slack()
            self._slack.give_back()
        self._next_ns = now_ns + _BETWEEN_NS


def settle() -> None:
    """Collects, freezes what is left, so that forks keep sharing it, and gives back what is free."""
    gc.collect()
    gc.freeze()
    Slack().give_back()


def code_ranges(smaps: bytes) -> Iterator[tuple[int, int]]:
    """Gives address and length of what is mapped of programs and libraries to be read or run, and never written.

    Only such pages come back as they were. A library's constants count as its code does, unless the loader changed a
    page of them; a file that is mapped for its content alone is none of ours.
    """
    mappings = list(_MAPPING.finditer(smaps))
    run = {mapping["path"] for mapping in mappings if mapping["mode"] == b"r-xp"}
    for mapping in mappings:
        begin = int(mapping["begin"], 16)
        length = int(mapping["end"], 16) - begin
        if mapping["path"] in run and mapping["changed"] == b"0" and length >= _LEAST:
            yield begin, length
