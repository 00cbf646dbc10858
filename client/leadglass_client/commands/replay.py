"""Declares `leadglass replay`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from leadglass_client.forms import OutputForm
from leadglass_client.options import global_options, plain_text, with_global_options, with_output

if TYPE_CHECKING:
    from leadglass_client.replay.recording import Recording

_FILE = click.Path(dir_okay=False, path_type=Path, readable=False)  # told where it is opened, with what to do


@click.command("replay", short_help="A recorded session as it was, or as another policy would have it.")
@click.argument("target", type=plain_text, metavar="SESSION|FILE")
@click.option("--recording-key", type=_FILE, metavar="FILE", help="Key of the recording.  [default: FILE.key]")
@click.option("--auditor-key", type=_FILE, metavar="KEY.pem", help="The auditor's private key.")
@click.option("--timeline", is_flag=True, help="One line for each call.")
@click.option("--step", is_flag=True, help="Wait for Enter between the calls.")
@click.option("--call", type=click.IntRange(1), default=None, metavar="N", help="Only call N.")
@click.option("--flat", is_flag=True, help="Processes in a list, as `leadglass ps --flat` shows them.")
@click.option(
    "--raw-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the bytes of requests and replies to a new folder, and show nothing.",
)
@click.option(
    "--log", "logs", type=_FILE, multiple=True, metavar="LOG", help="Check each call's digest in the audit log."
)
@click.option(
    "--policy",
    "policies",
    type=_FILE,
    multiple=True,
    metavar="POLICY",
    help="Decide every call by this policy instead; give that of then as well to have the scopes compared.",
)
@with_output
@with_global_options(hidden=True)
def replay(  # noqa: PLR0913 - one for each option
    *,
    target: str,
    recording_key: Path | None,
    auditor_key: Path | None,
    timeline: bool,
    step: bool,
    call: int | None,
    flat: bool,
    raw_dir: Path | None,
    logs: tuple[Path, ...],
    policies: tuple[Path, ...],
    form: str,
) -> None:
    """Shows what somebody was shown in a session, to the byte: the answers on standard output, all else beside them.

    FILE was saved by `leadglass recording fetch`; a SESSION is fetched, and kept nowhere. Nothing is asked anew, and
    no secret is in a recording: it holds what had been masked already.

    With --policy: exit code 0 if every call would be answered as it was, 1 if one would show more or may, 8 if some
    would show less and none more.
    """
    from leadglass_client.offline.replay import (
        HowToShow,
        note_if_cut,
        say_if_cut,
        show_session,
        show_timeline,
        write_raw,
    )

    _refuse_together(timeline=timeline, step=step, raw=raw_dir is not None, policy=bool(policies))
    options = global_options()
    recording = _load(target, recording_key, auditor_key)
    is_proved: bool | None = None
    if logs:
        from leadglass_client.offline.replay_log import check_against_log

        is_proved = check_against_log(recording, logs)
    if policies:
        from leadglass_client.offline.replay_policy import replay_under

        note_if_cut(recording)
        replay_under(recording, policies, OutputForm(form), no_color=options.no_color)
        return
    if raw_dir is not None:
        write_raw(recording, raw_dir, call or 0)
    elif timeline:
        show_timeline(recording, OutputForm(form), no_color=options.no_color)
    else:
        how = HowToShow(call or 0, flat=flat, step=step, no_color=options.no_color)
        show_session(recording, how, OutputForm(form))
    say_if_cut(recording, is_proved=is_proved)


def _refuse_together(**given: bool) -> None:
    names = [f"--{name}" for name, is_given in given.items() if is_given]
    if len(names) > 1:
        message = f"{' and '.join(names)} do not go together"
        raise click.UsageError(message)


def _load(target: str, recording_key: Path | None, auditor_key: Path | None) -> Recording:
    """Reads the file of this name if there is one, else fetches the session."""
    from leadglass_client.names import is_session_id
    from leadglass_client.offline.recording_files import load, new_recipient, opened_key, read_fetched

    if Path(target).exists() or not is_session_id(target):
        return load(Path(target), recording_key, auditor_key)
    from leadglass_client.online.recordings import fetch_recording

    recipient = new_recipient()
    fetched = fetch_recording(global_options(), target, recipient.public_key().public_bytes_raw())
    return read_fetched(fetched.data, opened_key(fetched, recipient, auditor_key))
