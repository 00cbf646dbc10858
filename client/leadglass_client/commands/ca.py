"""Declares `leadglass ca`."""

from __future__ import annotations

from pathlib import Path

import click

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group("ca", short_help="A small certificate authority for laptops and tests.")
def ca() -> None:
    """Issues short-lived certificates on a laptop; in a cluster take them from cert-manager, SPIRE or step-ca."""


@ca.command("init", short_help="Make a throw-away authority.")
@click.argument("directory", type=_FOLDER)
@click.option("--trust-domain", required=True, metavar="NAME", help="SPIFFE trust domain, such as demo.leadglass.")
@click.option("--days", type=click.IntRange(1, 30), default=30, show_default=True, help="Lifetime.")
@click.option("--force", is_flag=True, help="Replace an authority that stands there.")
def init(*, directory: Path, trust_domain: str, days: int, force: bool) -> None:
    """Makes DIRECTORY/ca.crt and DIRECTORY/ca.key."""
    from datetime import timedelta

    from leadglass_client.authority import create_authority

    issued = create_authority(directory, trust_domain, timedelta(days=days), force=force)
    _say(issued.authority, issued.key, issued.not_after.strftime("%Y-%m-%d %H:%M:%SZ"))


@ca.group("issue", short_help="Issue a certificate of at most 24 hours.")
@click.argument("directory", type=_FOLDER)
@click.pass_context
def issue(ctx: click.Context, *, directory: Path) -> None:
    """Issues tls.crt, tls.key and ca.crt from the authority in DIRECTORY."""
    ctx.obj = directory


@issue.command("client", short_help="For a caller.")
@click.option("--path", required=True, metavar="PATH", help="Path of the SPIFFE id, such as /user/alice.")
@click.option("--out", required=True, type=_FOLDER, help="Folder for the three files.")
@click.option("--hours", type=click.IntRange(1, 24), default=12, show_default=True, help="Lifetime.")
@click.option("--force", is_flag=True, help="Replace files that stand there.")
@click.pass_context
def client(ctx: click.Context, *, path: str, out: Path, hours: int, force: bool) -> None:
    """Issues a certificate that shows who calls."""
    from datetime import timedelta

    from leadglass_client.authority import issue_client

    issued = issue_client(ctx.obj, path, out, timedelta(hours=hours), force=force)
    click.echo(issued.identity)
    _say(issued.certificate, issued.key, issued.not_after.strftime("%Y-%m-%d %H:%M:%SZ"))


@issue.command("server", short_help="For an agent.")
@click.option("--name", required=True, metavar="NAME", help="Workload name, such as demo.leadglass.internal.")
@click.option("--path", metavar="PATH", help="Path of the agent's own SPIFFE id, such as /agent/demo.")
@click.option("--out", required=True, type=_FOLDER, help="Folder for the three files.")
@click.option("--hours", type=click.IntRange(1, 24), default=24, show_default=True, help="Lifetime.")
@click.option("--force", is_flag=True, help="Replace files that stand there.")
@click.pass_context
def server(ctx: click.Context, *, name: str, path: str | None, out: Path, hours: int, force: bool) -> None:
    """Issues a certificate that shows which workload answers."""
    from datetime import timedelta

    from leadglass_client.authority import issue_server

    issued = issue_server(ctx.obj, name, out, timedelta(hours=hours), path=path, force=force)
    click.echo(issued.identity)
    _say(issued.certificate, issued.key, issued.not_after.strftime("%Y-%m-%d %H:%M:%SZ"))


def _say(certificate: Path, key: Path, end: str) -> None:
    click.echo(f"certificate  {certificate}  valid until {end}")
    click.echo(f"key          {key}  readable by you alone")
