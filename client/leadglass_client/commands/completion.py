"""Declares `leadglass completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_SHELLS = ("bash", "zsh", "fish")


@click.command("completion", short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, *, shell: str) -> None:
    """Prints a script that completes commands, options and contexts.

    \b
    bash: leadglass completion bash > ~/.local/share/bash-completion/completions/leadglass
    zsh:  leadglass completion zsh > "${fpath[1]}/_leadglass"
    fish: leadglass completion fish > ~/.config/fish/completions/leadglass.fish
    """  # noqa: D301 - click reads the control character
    found = get_completion_class(shell)
    if found is not None:
        click.echo(found(ctx.find_root().command, {}, "leadglass", "_LEADGLASS_COMPLETE").source())
