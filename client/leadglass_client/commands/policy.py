"""Declares `leadglass policy`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from leadglass_client.forms import OutputForm
from leadglass_client.options import global_options, plain_text, with_global_options, with_output
from leadglass_client.permissions import GRANTABLE, OTHERS, REVEAL

_FILE = click.Path(dir_okay=False, path_type=Path)
_MAX_UID = 4_294_967_294
_minutes = click.IntRange(0, 525_600)


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


@click.group("policy", short_help="Check, explain, test and compare access policies.")
def policy() -> None:
    """Works on policy files, without an agent, and decides with the agent's own code.

    Needs the parts of the agent: pip install 'leadglass[agent]'.
    """


@policy.command("check", short_help="Read policies as strictly as an agent does.")
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@with_output
@with_global_options(hidden=True)
def check(*, files: tuple[Path, ...], form: str) -> None:
    """Prints what is in each FILE, or the line and column of what is wrong in it; exit code 1 if something is."""
    from leadglass_client.offline.policy_check import check_policies

    check_policies(files, OutputForm(form), no_color=global_options().no_color)


@policy.command("explain", short_help="Why somebody may do something or not, and what would change that.")
@click.argument("file", type=_FILE)
@click.option("--caller", type=plain_text, required=True, metavar="ID", help="SPIFFE id of the caller.")
@click.option("--permission", type=click.Choice((*GRANTABLE, REVEAL, *OTHERS)), required=True, help="What is asked.")
@click.option("--process", type=plain_text, metavar="NAME", help="The process, by its name,")
@click.option("--executable", type=plain_text, metavar="PATH", help="by the program that it runs,")
@click.option("--uid", type=click.IntRange(0, _MAX_UID), metavar="N", help="and by its user; with --process.")
@click.option("--name", type=plain_text, metavar="NAME", help="The environment variable.")
@click.option("--path", type=plain_text, metavar="PATH", help="The file or folder.")
@click.option("--tier", type=click.Choice(("prod", "non-prod")), default="prod", show_default=True, help="Of the pod.")
@click.option("--at", type=_moment, metavar="TIME", help="When, such as 2026-01-31T14:00:00Z.  [default: now]")
@click.option("--certificate-minutes", type=_minutes, default=5, show_default=True, help="Age of the certificate.")
@click.option("--amr", multiple=True, type=plain_text, metavar="METHOD", help="With an ID token that names a method.")
@click.option("--acr", type=plain_text, default="", metavar="CLASS", help="With an ID token of a class.")
@click.option("--signed-in-minutes", type=_minutes, metavar="N", help="With an ID token of a sign-in N minutes ago.")
@click.option(
    "--approver", "approvers", multiple=True, type=plain_text, metavar="ID", help="With a grant signed by ID."
)
@click.option(
    "--grant-minutes", type=click.IntRange(1, 1440), default=15, show_default=True, help="Length of that grant."
)
@with_output
@with_global_options(hidden=True)
def explain(  # noqa: PLR0913 - one for each option
    *,
    file: Path,
    caller: str,
    permission: str,
    process: str | None,
    executable: str | None,
    uid: int | None,
    name: str | None,
    path: str | None,
    tier: str,
    at: int | None,
    certificate_minutes: int,
    amr: tuple[str, ...],
    acr: str,
    signed_in_minutes: int | None,
    approvers: tuple[str, ...],
    grant_minutes: int,
    form: str,
) -> None:
    """Asks the policy in FILE one question and names the rule that decides it.

    What you leave open may be anything: a yes is then about something, a no about everything. Under it stand the ways
    to the other answer, the smallest first; each was tried on the policy.
    """
    from leadglass_client.offline.policy_explain import Asked, explain_policy

    asked = Asked(
        caller=caller,
        permission=permission,
        process=process,
        executable=executable,
        uid=uid,
        name=name,
        path=path,
        tier=tier,
        at_unix=at,
        certificate_minutes=certificate_minutes,
        amr=amr,
        acr=acr,
        signed_in_minutes=signed_in_minutes,
        approvers=approvers,
        grant_minutes=grant_minutes,
    )
    explain_policy(file, asked, OutputForm(form), no_color=global_options().no_color)


@policy.command("test", short_help="Run the tests of a policy; exit 1 if one fails.")
@click.argument("file", type=_FILE)
@click.argument("tables", nargs=-1, required=True, type=_FILE, metavar="TESTS...")
@with_output
@with_global_options(hidden=True)
def test(*, file: Path, tables: tuple[Path, ...], form: str) -> None:
    """Asks the policy in FILE each question of the files TESTS and compares its answers with the expected ones."""
    from leadglass_client.offline.policy_test import run_policy_tests

    run_policy_tests(file, tables, OutputForm(form), no_color=global_options().no_color)


@policy.command("diff", short_help="What one policy permits and another does not; exit 1 if anything.")
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE)
@with_output
@with_global_options(hidden=True)
def diff(*, old: Path, new: Path, form: str) -> None:
    """Lists everything in which NEW is wider than OLD.

    All questions that the two can answer differently are asked, so that an empty list is a proof.
    """
    from leadglass_client.offline.policy_diff import compare_policies

    compare_policies(old, new, OutputForm(form), no_color=global_options().no_color)


@policy.command("suggest", short_help="Permissions that an audit log shows no use of.")
@click.argument("file", type=_FILE)
@click.argument("logs", nargs=-1, required=True, type=_FILE, metavar="LOG...")
@with_output
@with_global_options(hidden=True)
def suggest(*, file: Path, logs: tuple[Path, ...], form: str) -> None:
    """Names the permissions of FILE that nobody has used in the time that the audit logs LOG cover."""
    from leadglass_client.offline.policy_suggest import suggest_narrower

    suggest_narrower(file, logs, OutputForm(form), no_color=global_options().no_color)
