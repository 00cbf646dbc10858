"""Declares `leadglass redact`."""

from __future__ import annotations

from pathlib import Path

import click

from leadglass_client.options import global_options, with_global_options

_PROFILES = ("balanced", "strict")


@click.command("redact", short_help="Mask the secrets in files, or in what a pipe brings.")
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(allow_dash=True))
@click.option(
    "--profile",
    type=click.Choice(_PROFILES),
    default=_PROFILES[0],
    show_default=True,
    help="balanced is for logs; strict, for configuration, masks whatever looks like a token beside any name.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write how many secrets each rule masked, as JSON; never a value.",
)
@with_global_options(hidden=True)
@click.pass_context
def redact(ctx: click.Context, *, files: tuple[str, ...], profile: str, report: Path | None) -> None:
    """Masks the secrets in FILEs, or in standard input, and writes the rest unchanged.

    Needs no agent. Several files are one text, as with cat: what was found once is masked in all of them; - is
    standard input.

    \b
    kubectl logs web-0 | leadglass redact | less
    leadglass redact --report counts.json app.log old.log > shareable.log
    """  # noqa: D301 - click reads the control character
    from leadglass_client.offline.redact import is_left_alone, redact_files

    if not files and is_left_alone():
        message = "nothing to read: give a FILE, or pipe something in"
        raise click.UsageError(message, ctx)
    redact_files(files or ("-",), profile, report, no_color=global_options().no_color)
