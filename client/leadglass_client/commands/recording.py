"""Declares `leadglass recording`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leadglass_client.errors import ExitCode, Failure
from leadglass_client.forms import OutputForm
from leadglass_client.options import global_options, plain_text, with_global_options, with_limit, with_output

if TYPE_CHECKING:
    from collections.abc import Callable

_FILE = click.Path(dir_okay=False, path_type=Path)
_session = click.argument("session_id", type=plain_text, metavar="SESSION")


def _with_reason(function: Callable[..., None]) -> Callable[..., None]:
    text = "Why, in a sentence of 20 to 500 characters; written to the agent's audit log."
    return click.option("--reason", type=plain_text, required=True, metavar="TEXT", help=text)(function)


@click.group("recording", short_help="List, fetch, hold and destroy the recordings of sessions.")
def recording() -> None:
    """Sessions that the agent recorded: what was asked, and what was shown of it, each encrypted with its own key.

    `leadglass replay` shows a recording as it was.
    """


@recording.command("list", short_help="The recordings that the agent has; needs the permission recordings.list.")
@with_limit
@with_output
@with_global_options(hidden=True)
def list_(*, limit: int | None, form: str) -> None:
    """Lists whose sessions were recorded, when, and until when that is kept; nothing of what they hold."""
    from leadglass_client.online.recordings import list_recordings

    list_recordings(global_options(), limit, OutputForm(form))


@recording.command("fetch", short_help="Save one, encrypted, with its key; needs the permission recordings.read.")
@_session
@click.option("-O", "--to-file", "to_file", type=_FILE, required=True, metavar="FILE", help="Where to save it.")
@click.option(
    "--auditor-key", type=_FILE, metavar="KEY.pem", help="The auditor's private key, to open the recording's key with."
)
@with_global_options(hidden=True)
def fetch(*, session_id: str, to_file: Path, auditor_key: Path | None) -> None:
    """Saves a recording to FILE as it lies on the agent's disk, encrypted, and its key to FILE.key.

    Where recordings are sealed to an auditor, FILE.key is of use with the auditor's private key alone; else it opens
    the recording for whoever has both files. Only you can read them.
    """
    from leadglass_client.offline.recording_files import new_recipient, opened_key, save
    from leadglass_client.online.recordings import fetch_recording
    from leadglass_client.output.screen import note
    from leadglass_client.private_files import require_absent

    require_absent(to_file)
    recipient = new_recipient()
    fetched = fetch_recording(global_options(), session_id, recipient.public_key().public_bytes_raw())
    kept = opened_key(fetched, recipient, auditor_key)
    save(to_file, fetched.data, kept)
    how = "sealed to the auditor" if kept.is_sealed else "opened: whoever has both files can read the recording"
    note(f"{len(fetched.data)} bytes in {to_file}; its key is in {to_file}.key, {how}")


@recording.command("hold", short_help="Keep one, whatever the retention says; needs recordings.hold.")
@_session
@_with_reason
@with_output
@with_global_options(hidden=True)
def hold(*, session_id: str, reason: str, form: str) -> None:
    """Keeps a recording from being deleted or destroyed, until it is released."""
    from leadglass_client.online.recordings import hold_recording

    hold_recording(global_options(), session_id, reason, OutputForm(form), hold=True)


@recording.command("release", short_help="Let go of one that is held; needs recordings.hold.")
@_session
@_with_reason
@with_output
@with_global_options(hidden=True)
def release(*, session_id: str, reason: str, form: str) -> None:
    """Lets the retention delete a recording again when its time is over."""
    from leadglass_client.online.recordings import hold_recording

    hold_recording(global_options(), session_id, reason, OutputForm(form), hold=False)


@recording.command("shred", short_help="Destroy one for good; needs the permission recordings.shred.")
@_session
@_with_reason
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_output
@with_global_options(hidden=True)
def shred(*, session_id: str, reason: str, yes: bool, form: str) -> None:
    """Destroys the key of a recording at the agent: nobody can read it there any more. Copies are not reached.

    The audit log keeps who destroyed it and why.
    """
    from leadglass_client.online.recordings import check_session_id, shred_recording

    check_session_id(session_id)
    if not yes:
        if not (sys.stdin is not None and sys.stdin.isatty()):
            what = "a recording is not destroyed without being asked twice"
            raise Failure(ExitCode.USAGE, what, "say that you mean it: --yes")
        click.confirm(f"Destroy the recording of session {session_id} for good?", abort=True, err=True)
    shred_recording(global_options(), session_id, reason, OutputForm(form))
