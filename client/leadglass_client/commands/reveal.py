"""Declares `leadglass reveal`."""

from __future__ import annotations

from pathlib import Path

import click

from leadglass_client.forms import OutputForm
from leadglass_client.options import (
    ProcessName,
    global_options,
    plain_text,
    process_name,
    with_global_options,
    with_output,
)


@click.command("reveal", short_help="One value, once, with a grant for it: for emergencies.")
@click.argument("name", type=plain_text)
@click.option("--pid", "process", type=process_name, required=True, metavar="PID", help="The process that has it.")
@click.option(
    "--to-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the value to a new file that you alone can read, instead of showing it.",
)
@with_output
@with_global_options(hidden=True)
def reveal(*, name: str, process: ProcessName, to_file: Path | None, form: str) -> None:
    """Shows the value of one environment variable on this terminal, until a key is pressed or 30 seconds are over.

    The session must carry a grant that was made with `leadglass request --reveal`, and the grant is used up by it.
    Others are told, and a review may be owed. The agent sends the value encrypted to a key made for this alone. It
    never goes to a pipe: the answer in the form of -o says everything but the value.
    """
    from leadglass_client.online.reveal import reveal_value

    reveal_value(global_options(), process, name, to_file, OutputForm(form))
