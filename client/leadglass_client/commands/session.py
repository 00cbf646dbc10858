"""Declares `leadglass session`."""

from __future__ import annotations

import click

from leadglass_client.forms import OutputForm
from leadglass_client.options import global_options, plain_text, with_global_options, with_output


@click.group("session", short_help="Open, show and close sessions.")
def session() -> None:
    """Nothing is shown without a session: who looks, why, and until when."""


@session.command("open", short_help="Open a session; the other commands then use it.")
@click.option(
    "--reason",
    type=plain_text,
    required=True,
    metavar="TEXT",
    help="Why access is needed; written to the agent's audit log.",
)
@click.option("--ticket", type=plain_text, default="", metavar="ID", help="Ticket that the work belongs to.")
@click.option("--minutes", type=click.IntRange(1, 1440), help="Shorter than the policy's longest.")
@with_output
@with_global_options(hidden=True)
def open_(*, reason: str, ticket: str, minutes: int | None, form: str) -> None:
    """Opens a session that is bound to the key of your certificate."""
    from leadglass_client.online.sessions import open_session

    open_session(global_options(), reason, ticket, minutes, OutputForm(form))


@session.command("show", short_help="Show the current session, or the one named.")
@click.argument("session_id", type=plain_text, default="", metavar="[ID]")
@with_output
@with_global_options(hidden=True)
def show(*, session_id: str, form: str) -> None:
    """Shows a session of yours: what it permits and when it ends."""
    from leadglass_client.online.sessions import show_session

    show_session(global_options(), session_id, OutputForm(form))


@session.command("close", short_help="Close the current session, or the one named.")
@click.argument("session_id", type=plain_text, default="", metavar="[ID]")
@with_output
@with_global_options(hidden=True)
def close(*, session_id: str, form: str) -> None:
    """Closes a session of yours; nothing can be read with it any more."""
    from leadglass_client.online.sessions import close_session

    close_session(global_options(), session_id, OutputForm(form))
