"""Declares what `leadglass audit` offers to somebody who reads logs: export, timeline, who, sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from leadglass_client.forms import ExportFormat, OutputForm
from leadglass_client.options import global_options, plain_text, process_name, with_global_options, with_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_client.options import P, R


# A file that cannot be read is told where it is opened, with what to do.
_LOG: Final = click.Path(allow_dash=True, readable=False)


def _with_logs(function: Callable[P, R]) -> Callable[P, R]:
    return click.argument("logs", metavar="LOG...", nargs=-1, required=True, type=_LOG)(function)


# Without the global options: LEADGLASS_SESSION must not choose records, and nothing here talks to an agent.
@click.command("export", short_help="Write records as jsonl, ocsf, ecs or csv.")
@_with_logs
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in ExportFormat]),
    required=True,
    help="jsonl: as on disk. ocsf: OCSF 1.8. ecs: Elastic Common Schema. csv: RFC 4180.",
)
@click.option(
    "--from",
    "since",
    metavar="TIME",
    default="",
    help="Records of this time and later: 2025-06-15 or 2025-06-15T15:00:00Z.",
)
@click.option("--to", "until", metavar="TIME", default="", help="Records before this time.")
@click.option("--session", "session_id", metavar="ID", default="", help="Records of this session.")
@click.option("--caller", metavar="SPIFFE_ID", default="", help="Records of this caller.")
@click.option("--kind", "kinds", metavar="KIND", multiple=True, help="Records of this kind; may be repeated.")
@click.option("--verified", "is_verified", is_flag=True, help="Do not say that nobody verified the log.")
def export(
    *,
    logs: tuple[str, ...],
    form: str,
    since: str,
    until: str,
    session_id: str,
    caller: str,
    kinds: tuple[str, ...],
    is_verified: bool,
) -> None:
    """Writes the records of LOG (files, folders of segments, or - for standard input) to standard output.

    Lines that are no records are counted and make the answer partial: exit code 8.
    """
    from leadglass_client.offline.audit_export import export_log, wanted_records

    wanted = wanted_records(since, until, session_id, caller, kinds)
    export_log(logs, ExportFormat(form), wanted, is_verified=is_verified)


@click.command("timeline", short_help="One session from its opening to its end.")
@click.argument("session_id", metavar="SESSION", type=plain_text)
@_with_logs
@with_output
@with_global_options(hidden=True)
def timeline(*, session_id: str, logs: tuple[str, ...], form: str) -> None:
    """Tells who it was, why, by which grants and approvers, and each call with its result."""
    from leadglass_client.offline.audit_review import show_timeline

    show_timeline(session_id, logs, OutputForm(form), no_color=global_options().no_color)


@click.command("who", short_help="Who looked at a variable, a path or a process.")
@click.argument("subject", metavar="NAME|PATH|PID", type=plain_text)
@_with_logs
@with_output
@with_global_options(hidden=True)
def who(*, subject: str, logs: tuple[str, ...], form: str) -> None:
    """Tells who asked for it, when, in which session, by which grant, and whether it was answered.

    A path begins with /, a process is PID or PID@STARTTICKS, all else is a variable. Names may hold * and ?, paths **.
    """
    from leadglass_client.offline.audit_review import show_looks, subject_of

    process = process_name(subject) if subject[:1].isdigit() else None
    asked = subject_of(subject, process.pid if process else 0, process.start_ticks if process else 0)
    show_looks(asked, logs, OutputForm(form), no_color=global_options().no_color)


@click.command("sessions", short_help="The sessions that a log tells of.")
@_with_logs
@with_output
@with_global_options(hidden=True)
def sessions(*, logs: tuple[str, ...], form: str) -> None:
    """Lists every session with its caller, ticket, state and how often it was answered and refused."""
    from leadglass_client.offline.audit_review import show_sessions

    show_sessions(logs, OutputForm(form), no_color=global_options().no_color)
