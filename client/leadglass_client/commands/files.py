"""Declares `leadglass ls` and `leadglass stat`."""

from __future__ import annotations

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


@click.command("ls", short_help="Entries of a directory, as the process sees it.")
@click.argument("process", type=process_name, metavar="PID")
@click.argument("path", type=plain_text, metavar="PATH")
@with_limit
@with_output
@with_global_options(hidden=True)
def ls(*, process: ProcessName, path: str, limit: int | None, form: str) -> None:
    """Lists a directory as the process sees it; what the policy hides is not listed. Times are UTC."""
    from leadglass.v1.common_pb2 import ProcessRef
    from leadglass_client.online.files import list_directory

    reference = ProcessRef(pid=process.pid, start_ticks=process.start_ticks)
    list_directory(global_options(), reference, path, limit, OutputForm(form))


@click.command("stat", short_help="Metadata of files, never their content.")
@click.argument("process", type=process_name, metavar="PID")
@click.argument("paths", nargs=-1, required=True, type=plain_text, metavar="PATH...")
@click.option("-L", "--follow", is_flag=True, help="Follow a symbolic link at the end of a path.")
@with_output
@with_global_options(hidden=True)
def stat(*, process: ProcessName, paths: tuple[str, ...], follow: bool, form: str) -> None:
    """Shows mode, owner, size and times of files as the process sees them. Times are UTC."""
    from leadglass.v1.common_pb2 import ProcessRef
    from leadglass_client.online.files import stat_files

    reference = ProcessRef(pid=process.pid, start_ticks=process.start_ticks)
    stat_files(global_options(), reference, paths, OutputForm(form), follow=follow)
