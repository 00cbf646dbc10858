"""Shows a recorded session as it was: call by call, as a timeline, or as the bytes that were sent."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leadglass_agent.recordings.format import RecordingError
from leadglass_client import private_files
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.offline.recording_keys import not_verified
from leadglass_client.output.screen import note, say, show
from leadglass_client.output.sheet import Sheet
from leadglass_client.replay.messages import short_method
from leadglass_client.replay.rendering import render
from leadglass_client.replay.screens import screen_of, screens_of
from leadglass_client.views.replay_timeline import call_heading, session_heading, timeline_sheet

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_client.forms import OutputForm
    from leadglass_client.output.sheet import Cell
    from leadglass_client.replay.recording import RecordedCall, Recording


@dataclass(frozen=True, slots=True)
class HowToShow:
    """What of a session is shown, and how; `call` 0 is all calls."""

    call: int
    flat: bool
    step: bool
    no_color: bool


def show_session(recording: Recording, how: HowToShow, form: OutputForm) -> None:
    """Prints what each call showed, on standard output as it was then, with who asked for what beside it."""
    if how.step and not (sys.stdin is not None and sys.stdin.isatty()):
        raise Failure(ExitCode.USAGE, "--step waits for a key, and there is no terminal", "leave it out")
    try:
        screens = screens_of(recording) if not how.call else (screen_of(_call(recording, how.call)),)
    except RecordingError as error:
        raise not_verified(error) from error
    if not how.call:
        _beside(session_heading(recording), no_color=how.no_color)
    for at, screen in enumerate(screens):
        if how.step and at and not _goes_on(at, len(screens)):
            return
        _beside(call_heading(recording, screen.calls), no_color=how.no_color)
        render(screen, form, flat=how.flat, no_color=how.no_color)


def show_timeline(recording: Recording, form: OutputForm, *, no_color: bool) -> None:
    """Prints one line for each call."""
    show(timeline_sheet(recording), form, no_color=no_color)


def write_raw(recording: Recording, folder: Path, call: int) -> None:
    """Writes the bytes of requests and replies to files of a new folder, which only its owner can read."""
    private_files.require_absent(folder)
    private_files.make_directory(folder)
    files = 0
    for one in recording.calls if not call else (_call(recording, call),):
        name = f"{one.number:04d}-{_file_word(one)}"
        parts = [("request", one.called.request)]
        parts += [(f"reply-{reply.number:04d}", reply.message) for reply in one.replied if not reply.withheld]
        for part, content in parts:
            private_files.create(folder / f"{name}.{part}.bin", content)
            files += 1
    note(f"{files} files in {folder}")


def say_if_cut(recording: Recording, *, is_proved: bool | None) -> None:
    """Fails if the recording stops before its session's end, and nothing shows that this is all there ever was.

    `is_proved` says whether the audit log reaches the session's end; None if there is no log.
    """
    if recording.is_complete:
        return
    if is_proved:
        note(f"{_cut(recording)}; the audit log has no call that is missing")
        return
    next_step = "which of these it was, the audit log tells: --log LOG"
    if is_proved is not None:
        next_step = "the audit log has no end of the session either: give the one that goes on behind it as well"
    raise Failure(ExitCode.PARTIAL, _cut(recording), next_step)


def note_if_cut(recording: Recording) -> None:
    """Says that the recording stops before its session's end."""
    if not recording.is_complete:
        note(_cut(recording))


def _cut(recording: Recording) -> str:
    last = len(recording.calls)
    return f"the recording has no end: behind call {last} the session goes on, the agent was killed, or it was cut off"


def _call(recording: Recording, number: int) -> RecordedCall:
    if number > len(recording.calls):
        what = f"the recording has {len(recording.calls)} calls, and no call {number}"
        raise Failure(ExitCode.NOT_FOUND, what, "see which there are: --timeline")
    return recording.calls[number - 1]


def _beside(heading: tuple[tuple[str, Cell], ...], *, no_color: bool) -> None:
    say(Sheet(document={}, records=(), fields=(), identifiers=(), heading=heading), no_color=no_color)


def _goes_on(at: int, screens: int) -> bool:
    sys.stderr.write(f"-- {at} of {screens}: Enter for the next, q to stop ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    return bool(line) and not line.startswith("q")


def _file_word(call: RecordedCall) -> str:
    """Gives the method's name for a file; a recording may name anything."""
    name = short_method(call.called.method)
    return name[:60] if name.isascii() and name.isalnum() else "call"
