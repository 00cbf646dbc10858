"""Reads the files of secret mounts within the test's own process, where the agent starts one that may be killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leadglass_agent.barrier.fingerprints import Print
    from leadglass_agent.barrier.mounts import Wanted


def gather_here(root: int, wanted: Wanted) -> tuple[tuple[str, tuple[Print, ...]], ...]:
    """Gives names and prints of the files below a root."""
    return tuple(wanted.prints(root))


def gather_nothing(root: int, wanted: Wanted) -> None:
    """Stands for a file system that does not answer."""
