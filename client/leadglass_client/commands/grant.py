"""Declares `leadglass grant`."""

from __future__ import annotations

from pathlib import Path

import click

from leadglass_client.forms import OutputForm
from leadglass_client.options import global_options, with_global_options, with_output

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group("grant", short_help="Look at requests and grants.")
def grant() -> None:
    """Works on files, without an agent."""


@grant.command("inspect", short_help="What a file says, who signed it, and whether that holds.")
@click.argument("file", type=_FILE)
@with_output
@with_global_options(hidden=True)
def inspect(*, file: Path, form: str) -> None:
    """Verifies the signatures in FILE against the authorities of your context.

    Exit code 1 if it is broken or its time is over, 9 if nobody has approved it. Which approvers count, the policy of
    each agent says.
    """
    from leadglass_client.offline.grants import inspect_grant

    inspect_grant(global_options(), file, OutputForm(form))


@grant.command("list", short_help="The requests and grants of a folder.")
@click.argument("folder", type=_FOLDER, default=Path(), metavar="[DIR]")
@with_output
@with_global_options(hidden=True)
def list_(*, folder: Path, form: str) -> None:
    """Lists the .json files of DIR, by default the current folder, that hold a request or a grant."""
    from leadglass_client.offline.grants import list_grants

    list_grants(global_options(), folder, OutputForm(form))


@grant.command("nonce", short_help="The nonce that an ID token must carry.")
@click.argument("files", nargs=-1, type=_FILE, metavar="[FILE]...")
@with_output
@with_global_options(hidden=True)
def nonce(*, files: tuple[Path, ...], form: str) -> None:
    """Prints the nonce to ask your identity provider for, when a session is to carry the grants in FILEs.

    It binds the ID token to your key and to these grants, so that it is of no use to anybody else.
    """
    from leadglass_client.offline.grants import show_nonce

    show_nonce(global_options(), files, OutputForm(form))
