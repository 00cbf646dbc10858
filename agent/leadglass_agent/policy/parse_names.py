"""Checks the words of a policy file: names, references to roles, globs, and that nothing is there twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import UnsetType

from leadglass_agent.policy.glob import PatternError
from leadglass_agent.strict_yaml import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from leadglass_agent.policy.document import PolicyFile
    from leadglass_agent.strict_yaml import Document, Path

# A DNS label, as Kubernetes asks of its own names.
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def check_names(document: Document[PolicyFile], named: list[tuple[Path, str]]) -> None:
    """Raises DocumentError unless each name is one, and none is there twice."""
    for path, name in named:
        if not _NAME.fullmatch(name):
            raise document.error(path, f"{quoted(name)} is not a name of at most 63 characters a-z, 0-9 and '-'")
    refuse_twice(document, named)


def check_role(document: Document[PolicyFile], path: Path, role: str, known: list[str]) -> None:
    """Raises DocumentError unless the policy has a role of this name."""
    if role not in known:
        raise document.error(path, f"unknown role {quoted(role)}{nearest(role, known)}")


def read_roles(document: Document[PolicyFile], path: Path, given: tuple[str, ...], known: list[str]) -> tuple[str, ...]:
    """Reads a list of roles of the policy, each once."""
    for at, role in enumerate(given):
        check_role(document, (*path, at), role, known)
    refuse_twice(document, listed(path, given))
    return given


def read_globs(
    document: Document[PolicyFile], path: Path, patterns: tuple[str, ...] | UnsetType, check: Callable[[str], None]
) -> tuple[str, ...]:
    """Reads a list of patterns that `check` takes; one that the file leaves out is empty."""
    if isinstance(patterns, UnsetType):
        return ()
    for at, pattern in enumerate(patterns):
        try:
            check(pattern)
        except PatternError as fault:
            raise document.error((*path, at), str(fault)) from None
    return patterns


def refuse_twice(document: Document[PolicyFile], named: Iterable[tuple[Path, str]]) -> None:
    """Raises DocumentError at the second place of a word that is there twice."""
    seen: set[str] = set()
    for path, name in named:
        if name in seen:
            raise document.error(path, f"{quoted(name)} is there twice")
        seen.add(name)


def listed(path: Path, items: Sequence[str]) -> list[tuple[Path, str]]:
    """Gives each item of a list with its place."""
    return [((*path, at), item) for at, item in enumerate(items)]


def nearest(name: str, known: list[str]) -> str:
    """Gives a question that names the nearest known word, or nothing."""
    from difflib import get_close_matches  # noqa: PLC0415 - for a word that nobody knows, and nothing else

    near = get_close_matches(name[:64], known, n=1, cutoff=0.5)
    return f"; did you mean {quoted(near[0])}?" if near else ""
