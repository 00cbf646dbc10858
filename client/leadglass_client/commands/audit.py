"""Declares `leadglass audit`."""

from __future__ import annotations

import click

from leadglass_client.forms import OutputForm
from leadglass_client.options import global_options, with_global_options, with_output


@click.group("audit", short_help="Check an agent's audit log.")
def audit() -> None:
    """Works on a copy of the log, without an agent."""


@audit.command("verify", short_help="Verify the chain of a log; exit 10 if it does not hold.")
@click.argument("log", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--expect-head", metavar="HEX", help="Hash of a record that must be in the log, noted down earlier.")
@with_output
@with_global_options(hidden=True)
def verify(*, log: str, expect_head: str | None, form: str) -> None:
    """Verifies every record of LOG (- for standard input) and its place in the chain.

    A chain alone cannot show that its newest records were cut off: note the head, and give it with --expect-head later.
    """
    from leadglass_client.offline.audit import verify_log

    verify_log(log, expect_head, OutputForm(form), no_color=global_options().no_color)
