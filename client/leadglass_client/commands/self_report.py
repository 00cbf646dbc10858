"""Declares `leadglass self`."""

from __future__ import annotations

import click

from leadglass_client.forms import OutputForm
from leadglass_client.options import global_options, with_global_options, with_output


@click.command("self", short_help="What the agent says of itself.")
@click.option("--attempt", is_flag=True, help="Have each process try what its sandbox forbids (harmless).")
@with_output
@with_global_options(hidden=True)
def self_report(*, form: str, attempt: bool) -> None:
    """Shows the agent's version, policy and audit state, and its processes as the kernel describes them.

    With --attempt the column REFUSED counts what the kernel refused of what the sandbox forbids.
    """
    from leadglass_client.online.self_report import show_self

    show_self(global_options(), OutputForm(form), attempt=attempt)
