"""Reads the environment of one process as the raw entries that its block holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass_agent.errors import InvalidRequest
from leadglass_agent.views import procfs
from leadglass_agent.views.kernel_refusal import why_refused
from leadglass_agent.views.rows import Unavailable

if TYPE_CHECKING:
    from leadglass_agent.views.procfs import Block, ProcRoot
    from leadglass_agent.views.target import Target

MAX_NAME_CHARACTERS: Final = 256
_MAX_BYTES: Final = 1024 * 1024
_MAX_ARGUMENT_BYTES: Final = 8 * 1024 * 1024  # execve(2) takes at most 6 MiB of arguments and environment


@dataclass(frozen=True, slots=True, repr=False)
class Entries:
    """The first value of each name, and whether every name is among them."""

    values: dict[bytes, bytes]
    complete: bool

    def __repr__(self) -> str:
        """Says nothing of the content."""
        return "Entries(...)"


def read_entries(proc: ProcRoot, target: Target) -> Entries | Unavailable:
    """Reads at most 1 MiB of a process' environment, or says why the kernel refuses it; raises ProcessGone."""
    if not target.stat.has_memory:
        return Unavailable.NO_USER_MEMORY
    try:
        block = procfs.read_environment(target.process, _MAX_BYTES)
        return Entries({}, complete=False) if _is_overwritten(target) else parse_entries(block)
    except PermissionError:
        return why_refused(proc, target.process)


def parse_entries(block: Block) -> Entries:
    """Parses a block of NUL-ended NAME=value entries; the first of a name counts, as getenv(3) takes it.

    A program may write its title over its arguments and on over its environment. Then the first entry is none, pieces
    of values could pass for names, and so the block tells nothing about any name.
    """
    entries = block.data.split(b"\0")
    # Behind the last NUL there is nothing, or an entry whose end is missing.
    if entries[-1] == b"" or block.cut:
        entries.pop()
    if entries and b"=" not in entries[0]:
        return Entries({}, complete=False)
    found: dict[bytes, bytes] = {}
    for entry in entries:
        name, equals, value = entry.partition(b"=")
        if name and equals:
            found.setdefault(name, value)
    return Entries(found, complete=not block.cut)


def parse_name(name: str) -> bytes:
    """Gives a name as its bytes; raises InvalidRequest on one that no variable can have."""
    if not 0 < len(name) <= MAX_NAME_CHARACTERS or "=" in name or "\0" in name:
        message = "a name that no variable can have"
        raise InvalidRequest(message)
    return name.encode("utf-8", "surrogateescape")


def _is_overwritten(target: Target) -> bool:
    """Says whether a title runs on from the arguments into the environment, so that its pieces would pass for names.

    It is asked after the block was read: a title that is written meanwhile is seen too.
    """
    size = target.stat.argument_bytes
    if size is None:
        return False
    return size >= _MAX_ARGUMENT_BYTES or len(procfs.read_command_line(target.process, size + 1).data) > size
