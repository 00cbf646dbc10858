"""Declares `leadglass session`."""

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
    with_limit,
    with_output,
)

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("session", short_help="Open, show, list and end sessions.")
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
@click.option("--grant", "grants", type=_FILE, multiple=True, metavar="FILE", help="Approved grant to carry; up to 8.")
@click.option(
    "--id-token-file", "id_token", type=_FILE, metavar="FILE", help="OIDC ID token, if the policy asks for one."
)
@click.option("--pid", "target", type=process_name, metavar="PID", help="End the session when this process ends.")
@with_output
@with_global_options(hidden=True)
def open_(
    *,
    reason: str,
    ticket: str,
    minutes: int | None,
    grants: tuple[Path, ...],
    id_token: Path | None,
    target: ProcessName | None,
    form: str,
) -> None:
    """Opens a session that is bound to the key of your certificate."""
    from leadglass_client.online.sessions import SessionWish, open_session

    wish = SessionWish(reason, ticket, minutes, grants, id_token, target)
    open_session(global_options(), wish, OutputForm(form))


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


@session.command("list", short_help="The sessions of all callers; needs the permission sessions.list.")
@click.option("--ended", is_flag=True, help="Also those that have ended, as far as the agent remembers them.")
@with_limit
@with_output
@with_global_options(hidden=True)
def list_(*, ended: bool, limit: int | None, form: str) -> None:
    """Lists who looks into the pod, why, and until when. The ids are of no use without the callers' keys."""
    from leadglass_client.online.administration import list_sessions

    list_sessions(global_options(), limit, OutputForm(form), ended=ended)


@session.command("end", short_help="End anybody's session; needs the permission sessions.end.")
@click.argument("session_id", type=plain_text, metavar="ID")
@click.option("--reason", type=plain_text, required=True, metavar="TEXT", help="Why; written to the audit log.")
@with_output
@with_global_options(hidden=True)
def end(*, session_id: str, reason: str, form: str) -> None:
    """Ends a session of anybody: its calls are refused at once, its streams end within a second."""
    from leadglass_client.online.administration import end_session

    end_session(global_options(), session_id, reason, OutputForm(form))
