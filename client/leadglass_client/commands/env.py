"""Declares `leadglass env`."""

from __future__ import annotations

import click

from leadglass_client.forms import OutputForm
from leadglass_client.options import (
    ProcessName,
    global_options,
    plain_text,
    process_name,
    with_global_options,
    with_limit,
    with_output,
)


@click.command("env", short_help="Environment variables: unset, empty or present.")
@click.argument("process", type=process_name, metavar="PID")
@click.argument("names", nargs=-1, type=plain_text, metavar="[NAME]...")
@with_limit
@with_output
@with_global_options(hidden=True)
def env(*, process: ProcessName, names: tuple[str, ...], limit: int | None, form: str) -> None:
    """Says of environment variables of a process whether they are UNSET, EMPTY or PRESENT; never a value.

    The kernel keeps the environment as it was when the program started.
    """
    from leadglass.v1.common_pb2 import ProcessRef
    from leadglass_client.online.environment import list_environment

    reference = ProcessRef(pid=process.pid, start_ticks=process.start_ticks)
    list_environment(global_options(), reference, names, limit, OutputForm(form))
