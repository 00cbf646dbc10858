"""Declares `leadglass approve`."""

from __future__ import annotations

from pathlib import Path

import click

from leadglass_client.forms import OutputForm
from leadglass_client.options import global_options, with_global_options, with_output

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("approve", short_help="Sign somebody's request after reading it.")
@click.argument("file", type=_FILE)
@click.option("--yes", is_flag=True, help="Sign without being asked.")
@click.option("--out", type=_FILE, metavar="FILE", help="Write a new file instead of adding to the one that is read.")
@with_output
@with_global_options(hidden=True)
def approve(*, file: Path, yes: bool, out: Path | None, form: str) -> None:
    """Shows on standard error, in words, all that you would sign, asks, and adds your signature to FILE.

    You sign with the key of your certificate. Whether your signature counts, and how many are needed, the policy of
    each agent says.
    """
    from leadglass_client.offline.approving import approve_request

    approve_request(global_options(), file, out, OutputForm(form), agreed=yes)
