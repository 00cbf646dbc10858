"""Declares what `leadglass audit` asks an agent for."""

from __future__ import annotations

import click

from leadglass_client.forms import OutputForm
from leadglass_client.options import global_options, plain_text, with_global_options, with_output


@click.command("checkpoint", short_help="The signed state of the agent's log; exit 10 if it is another log now.")
@with_output
@with_global_options(hidden=True)
def checkpoint(*, form: str) -> None:
    """Fetches the signed state of the agent's log, checks it, and has the agent prove that your receipts still hold.

    The state is a signed note (C2SP tlog-checkpoint): -o json has it as `checkpoint`, for whoever keeps such notes.
    """
    from leadglass_client.online.audit_log import show_checkpoint

    show_checkpoint(global_options(), OutputForm(form))


@click.command("log", short_help="Records of the agent's log, one a line; needs the permission audit.read.")
@click.option("--from", "first", type=click.IntRange(1, 2**63 - 1), metavar="N", help="Begin with record N.")
@click.option("--of-session", "session_id", type=plain_text, metavar="ID", help="Only records of this session.")
@click.option("--max", "most", type=click.IntRange(1), metavar="N", help="At most N records; else to the log's end.")
@with_global_options(hidden=True)
def log(*, first: int | None, session_id: str | None, most: int | None) -> None:
    """Prints records as they lie on the agent's disk, as JSON lines: save them, and check them without the agent.

    leadglass audit log > copy.jsonl && leadglass audit verify copy.jsonl
    """
    from leadglass_client.online.audit_log import read_log

    read_log(global_options(), first or 0, session_id or "", most)
