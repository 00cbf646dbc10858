"""Declares `leadglass context`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leadglass_client.forms import OutputForm
from leadglass_client.options import complete_context, global_options, with_global_options, with_output

if TYPE_CHECKING:
    from leadglass_client.settings.contexts import Context

_FILE = click.Path(exists=True, dir_okay=False)


@click.group("context", short_help="Which agents you ask, and as whom.")
def context() -> None:
    """Keeps names for agents, so that the other commands need no flags."""


@context.command("set", short_help="Add a context, or change what is given.")
@click.argument("name")
@click.option("--address", metavar="HOST:PORT", help="Address of the agent, or of a port-forward to it.")
@click.option("--server-name", metavar="NAME", help="Workload name that the agent's certificate must carry.")
@click.option("--ca", "authority", type=_FILE, metavar="FILE", help="Authorities to check the agent with.")
@click.option("--cert", "certificate", type=_FILE, metavar="FILE", help="Your certificate.")
@click.option("--key", type=_FILE, metavar="FILE", help="Its key.")
@click.option(
    "--identity",
    type=click.Path(exists=True, file_okay=False),
    metavar="DIR",
    help="Folder with tls.crt, tls.key and ca.crt, as `leadglass ca issue` makes it.",
)
def set_(
    *,
    name: str,
    address: str | None,
    server_name: str | None,
    authority: str | None,
    certificate: str | None,
    key: str | None,
    identity: str | None,
) -> None:
    """Adds a context, or changes one; the first one becomes the current one."""
    from leadglass_client.settings.contexts import Context, read_contexts, write_contexts
    from leadglass_client.settings.target import check_address, check_context_name

    check_context_name(name)
    contexts = read_contexts()
    old = next((known for known in contexts.known if known.name == name), Context(name))
    if identity is not None:
        folder = Path(identity)
        authority = authority or str(folder / "ca.crt")
        certificate, key = certificate or str(folder / "tls.crt"), key or str(folder / "tls.key")
    if address is not None:
        check_address(address)
    new = replace(
        old,
        address=old.address if address is None else address,
        server_name=old.server_name if server_name is None else server_name,
        authority=_absolute(authority, old.authority),
        certificate=_absolute(certificate, old.certificate),
        key=_absolute(key, old.key),
    )
    after = contexts.with_context(new)
    write_contexts(after)
    click.echo(f"context {name} is kept" + (" and is the current one" if after.current == name else ""))


@context.command("use", short_help="Make a context the current one.")
@click.argument("name", shell_complete=complete_context)
def use(*, name: str) -> None:
    """Makes a context the one that commands use when none is given."""
    from leadglass_client.settings.contexts import read_contexts, write_contexts

    contexts = read_contexts()
    contexts.find(name)
    write_contexts(replace(contexts, current=name))
    click.echo(f"context {name} is the current one")


@context.command("list", short_help="List the contexts.")
@with_output
@with_global_options(hidden=True)
def list_(*, form: str) -> None:
    """Lists the contexts; a star marks the current one."""
    from leadglass_client.settings.contexts import read_contexts

    contexts = read_contexts()
    _show(contexts.known, global_options().context or contexts.current, form, single=False)


@context.command("show", short_help="Show one context and where it is kept.")
@click.argument("name", default="", metavar="[NAME]", shell_complete=complete_context)
@with_output
@with_global_options(hidden=True)
def show(*, name: str, form: str) -> None:
    """Shows the current context, or the one named."""
    from leadglass_client.errors import ExitCode, Failure
    from leadglass_client.settings.contexts import read_contexts

    contexts = read_contexts()
    current = global_options().context or contexts.current
    if not (name or current):
        what = "no context is the current one"
        raise Failure(ExitCode.USAGE, what, "add one: leadglass context set NAME --address HOST:PORT ...")
    _show((contexts.find(name or current),), current, form, single=True)


@context.command("remove", short_help="Remove a context.")
@click.argument("name", shell_complete=complete_context)
def remove(*, name: str) -> None:
    """Removes a context; the files that it names stay."""
    from leadglass_client.settings.contexts import read_contexts, write_contexts

    write_contexts(read_contexts().without(name))
    click.echo(f"context {name} is removed")


def _absolute(given: str | None, old: str) -> str:
    return old if given is None else str(Path(given).absolute())


def _show(contexts: tuple[Context, ...], current: str, form: str, *, single: bool) -> None:
    from leadglass_client.output.screen import show as show_sheet
    from leadglass_client.views.contexts import context_sheet, contexts_sheet

    sheet = context_sheet(contexts[0], current) if single else contexts_sheet(contexts, current)
    show_sheet(sheet, OutputForm(form), no_color=global_options().no_color)
