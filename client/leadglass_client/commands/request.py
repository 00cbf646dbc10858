"""Declares `leadglass request`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from leadglass_client.forms import OutputForm
from leadglass_client.options import global_options, plain_text, with_global_options, with_output
from leadglass_client.permissions import GRANTABLE

_MAX_UID = 4_294_967_294
_amount = click.IntRange(0)


def _moment(text: str) -> int:
    """Reads a time that says its time zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.timestamp() < 0:
        what = f"{text!r} is no time with its zone: write 2026-01-31T14:00:00Z"
        raise click.BadParameter(what)
    return int(moment.timestamp())


@click.command("request", short_help="Write a request for a grant, for others to approve.")
@click.option("--permission", "permissions", type=click.Choice(GRANTABLE), multiple=True, help="May be repeated.")
@click.option("--reveal", is_flag=True, help="The value of the one variable of --name, once. For emergencies.")
@click.option("--tier", type=click.Choice(("prod", "non-prod")), required=True, help="Which pods serve real users.")
@click.option("--pod-namespace", "namespace", type=plain_text, default="", metavar="NAME", help="Pods of a namespace.")
@click.option("--pod-workload", "workload", type=plain_text, default="", metavar="NAME", help="Pods of a workload.")
@click.option("--pod-uid", "pod_uids", type=plain_text, multiple=True, metavar="UID", help="One single pod.")
@click.option("--agent-id", "agent_ids", type=plain_text, multiple=True, metavar="GLOB", help="Agents by SPIFFE id.")
@click.option("--process", "processes", type=plain_text, multiple=True, metavar="GLOB", help="Processes by name.")
@click.option("--executable", "executables", type=plain_text, multiple=True, metavar="GLOB", help="Or by program.")
@click.option("--uid", "uids", type=click.IntRange(0, _MAX_UID), multiple=True, metavar="N", help="And by user.")
@click.option("--name", "names", type=plain_text, multiple=True, metavar="GLOB", help="Environment variables.")
@click.option("--path", "paths", type=plain_text, multiple=True, metavar="GLOB", help="Files and folders.")
@click.option("--minutes", type=click.IntRange(1, 1440), required=True, help="How long it holds.")
@click.option("--not-before", type=_moment, metavar="TIME", help="When it begins.  [default: now]")
@click.option("--reason", type=plain_text, required=True, metavar="TEXT", help="Why, for the approvers and the audit.")
@click.option("--ticket", type=plain_text, default="", metavar="ID", help="Ticket that the work belongs to.")
@click.option("--calls", type=_amount, metavar="N", help="At most N calls, over all sessions with the grant.")
@click.option("--rows", type=_amount, metavar="N", help="At most N rows.")
@click.option("--names", "name_count", type=_amount, metavar="N", help="At most N different variables.")
@click.option("--paths", "path_count", type=_amount, metavar="N", help="At most N different paths.")
@click.option("--bytes", "reply_bytes", type=_amount, metavar="N", help="At most N bytes of replies.")
@click.option("--answers", type=_amount, metavar="N", help="At most N yes-or-no answers.")
@click.option("--policy-digest", type=plain_text, default="", metavar="SHA256", help="Only under this policy.")
@click.option("--needs-id-token", is_flag=True, help="Only with an ID token when the session is opened.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A new file.  [default: request-ID.json]",
)
@with_output
@with_global_options(hidden=True)
def request(  # noqa: PLR0913 - one for each option
    *,
    permissions: tuple[str, ...],
    reveal: bool,
    tier: str,
    namespace: str,
    workload: str,
    pod_uids: tuple[str, ...],
    agent_ids: tuple[str, ...],
    processes: tuple[str, ...],
    executables: tuple[str, ...],
    uids: tuple[int, ...],
    names: tuple[str, ...],
    paths: tuple[str, ...],
    minutes: int,
    not_before: int | None,
    reason: str,
    ticket: str,
    calls: int | None,
    rows: int | None,
    name_count: int | None,
    path_count: int | None,
    reply_bytes: int | None,
    answers: int | None,
    policy_digest: str,
    needs_id_token: bool,
    out: Path | None,
    form: str,
) -> None:
    """Writes a request, made out to your certificate and its key, and shows it in words.

    It is a file without signatures and without secrets: send it to the approvers by mail, chat or ticket. What is not
    named is left to the policy, and shown as such to whoever approves.

    \b
    leadglass request --permission env.names --permission env.presence --tier prod --pod-namespace shop
        --process 'gunicorn*' --minutes 30 --reason 'checkout answers 502 since 14:10' --ticket INC-1234
    """  # noqa: D301 - click reads the control character
    from leadglass_agent.access.grant import GrantBudget
    from leadglass_client.offline.requests import Wanted, make_request

    wanted = Wanted(
        permissions=permissions,
        reveal=reveal,
        processes=processes,
        executables=executables,
        uids=uids,
        names=names,
        paths=paths,
        namespace=namespace,
        workload=workload,
        pod_uids=pod_uids,
        agent_ids=agent_ids,
        tier=tier,
        minutes=minutes,
        not_before_unix=not_before,
        reason=reason,
        ticket=ticket,
        budget=GrantBudget(calls, rows, name_count, path_count, reply_bytes, answers),
        policy_digest=policy_digest,
        needs_evidence=needs_id_token,
    )
    make_request(global_options(), wanted, out, OutputForm(form))
