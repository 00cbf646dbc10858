"""Declares `leadglass why`."""

from __future__ import annotations

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

_OPERATIONS = ("read", "write", "execute", "list", "enter", "create", "delete")


@click.command("why", short_help="Whether a process may use a path, and which rule says so.")
@click.argument("operation", type=click.Choice(_OPERATIONS))
@click.argument("path", type=plain_text, metavar="PATH")
@click.option("--pid", "process", type=process_name, metavar="PID", required=True, help="The process that wants to.")
@with_output
@with_global_options(hidden=True)
def why(*, operation: str, path: str, process: ProcessName, form: str) -> int:
    """Says whether a process may use a path: yes, or the part of the path and the rule of the kernel that says no.

    Nothing is tried. Exits with 0 for yes, 1 for no, 4 if there is no such file or the policy hides it, and 8 if the
    agent cannot see what decides.
    """
    from leadglass.v1.common_pb2 import ProcessRef
    from leadglass_client.online.access import explain_access

    reference = ProcessRef(pid=process.pid, start_ticks=process.start_ticks)
    return explain_access(global_options(), reference, operation, path, OutputForm(form))
