"""Decides which certificate, key and authorities are one's own, whether or not an agent is asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leadglass_client.errors import ExitCode, Failure
from leadglass_client.settings.contexts import Context, read_contexts

if TYPE_CHECKING:
    from leadglass_client.settings.global_options import GlobalOptions


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """The authorities that are trusted, one's certificate, and its key."""

    authority: Path
    certificate: Path
    key: Path


def chosen_context(options: GlobalOptions) -> Context:
    """Gives the context that is named or current; one without values if there is none."""
    contexts = read_contexts()
    name = options.context or contexts.current
    return contexts.find(name) if name else Context("")


def resolve_authority(options: GlobalOptions) -> Path:
    """Gives the file with the authorities, or fails with how to name it."""
    return Path(
        needed(options.authority or chosen_context(options).authority, "no authority to check with", "--ca FILE")
    )


def resolve_own_files(options: GlobalOptions) -> OwnFiles:
    """Puts flags before the context's values and fails with what to do if something is missing."""
    context = chosen_context(options)
    return OwnFiles(
        Path(needed(options.authority or context.authority, "no authority to check with", "--ca FILE")),
        Path(needed(options.certificate or context.certificate, "no certificate that says who you are", "--cert FILE")),
        Path(needed(options.key or context.key, "no key for the certificate", "--key FILE")),
    )


def needed(value: str, what: str, flag: str) -> str:
    """Returns a value that is given, or fails with the flag that gives it."""
    if not value:
        next_step = f"give {flag}, or keep it: leadglass context set NAME {flag} ..."
        raise Failure(ExitCode.USAGE, what, next_step)
    return value
