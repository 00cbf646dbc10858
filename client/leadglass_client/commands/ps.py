"""Declares `leadglass ps`."""

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


@click.command("ps", short_help="Processes as a tree, arguments masked.")
@click.option("--flat", is_flag=True, help="A list by process number instead of the tree.")
@click.option("--pid", "pids", type=process_name, metavar="PID", multiple=True, help="Only this one; may be repeated.")
@click.option("--subtree", type=process_name, metavar="PID", help="Only this process and all that descend from it.")
@click.option(
    "--name",
    "name_glob",
    type=plain_text,
    default="",
    metavar="GLOB",
    help="Only processes of this name; * and ? match.",
)
@with_limit
@with_output
@with_global_options(hidden=True)
def ps(
    *,
    flat: bool,
    pids: tuple[ProcessName, ...],
    subtree: ProcessName | None,
    name_glob: str,
    limit: int | None,
    form: str,
) -> None:
    """Shows the processes that the policy lets you see.

    Arguments are masked one by one: [redacted:RULE] stands where a secret was.
    """
    from leadglass_client.online.processes import ProcessQuery, list_processes

    query = ProcessQuery(pids, subtree, name_glob, flat, limit)
    list_processes(global_options(), query, OutputForm(form))
