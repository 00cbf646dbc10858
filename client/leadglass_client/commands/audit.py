"""Declares `leadglass audit`."""

from __future__ import annotations

from pathlib import Path

import click

from leadglass_client.commands.audit_online import checkpoint, log
from leadglass_client.commands.audit_review import export, sessions, timeline, who
from leadglass_client.forms import OutputForm
from leadglass_client.options import global_options, with_global_options, with_output


@click.group("audit", short_help="Check an agent's audit log.")
def audit() -> None:
    """Asks an agent what its log holds (checkpoint, log), or works on a copy of the log, without an agent."""


@audit.command("verify", short_help="Verify a log offline; exit 10 if it does not hold.")
@click.argument("logs", metavar="LOG...", nargs=-1, required=True, type=click.Path(allow_dash=True, readable=False))
@click.option(
    "--receipts",
    metavar="PATH",
    multiple=True,
    type=click.Path(path_type=Path),
    help="What witnesses kept: receipts of `leadglass`, an agent's standard output, or notes; a file or a folder.",
)
@click.option(
    "--authority",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path, readable=False),
    help="Authorities that must stand behind the log's keys.",
)
@click.option("--expect-head", metavar="HEX", help="Hash of a record that must be in the log, noted down earlier.")
@with_output
@with_global_options(hidden=True)
def verify(
    *, logs: tuple[str, ...], receipts: tuple[Path, ...], authority: Path | None, expect_head: str | None, form: str
) -> None:
    """Verifies every record of LOG: its segments in any order, their folder, or - for standard input.

    A log alone cannot show that its newest records were cut off, or that whoever held its key wrote it anew: what
    others kept can. Your own receipts: --receipts ~/.local/state/leadglass/receipts
    """
    from leadglass_client.offline.audit import verify_log

    verify_log(
        logs,
        OutputForm(form),
        receipts=receipts,
        authority=authority,
        expect_head=expect_head,
        no_color=global_options().no_color,
    )


@audit.command("receipts", short_help="List what you can prove of agents' logs.")
@click.option("--export", "is_export", is_flag=True, help="Print the receipts, for `audit verify --receipts`.")
@with_output
@with_global_options(hidden=True)
def receipts(*, is_export: bool, form: str) -> None:
    """Lists the logs of which you have receipts: each call to an agent leaves one."""
    from leadglass_client.offline.receipts import export_receipts, list_receipts

    if is_export:
        export_receipts()
    else:
        list_receipts(OutputForm(form), no_color=global_options().no_color)


for _command in (checkpoint, log, export, timeline, who, sessions):
    audit.add_command(_command)
