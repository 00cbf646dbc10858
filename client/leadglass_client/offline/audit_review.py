"""Answers an auditor's questions from logs: what happened in a session, which there were, who looked at something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_agent.audit.looks import PathNamed, ProcessNumbered, VariableNamed, looks_at
from leadglass_agent.audit.session_list import session_list
from leadglass_agent.audit.text import shown
from leadglass_agent.audit.timeline import timeline
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.offline.log_files import log_reader
from leadglass_client.output.screen import note, show
from leadglass_client.views.logged_sessions import logged_sessions_sheet
from leadglass_client.views.looks import looks_sheet
from leadglass_client.views.timeline import timeline_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass_agent.audit.looks import Subject
    from leadglass_client.forms import OutputForm

_MAX_TEXT = 1_024  # as long as the log keeps an argument


def show_timeline(session_id: str, logs: Sequence[str], form: OutputForm, *, no_color: bool) -> None:
    """Prints one session from its opening to its end."""
    reader = log_reader(logs)
    story = timeline(reader.records(), session_id)
    if story is None:
        reader.tell_unread()
        what = f"no record names the session {session_id}"
        raise Failure(ExitCode.NOT_FOUND, what, "leadglass audit sessions LOG lists those that the log knows")
    show(timeline_sheet(story), form, no_color=no_color)
    _tell_left_out(story.left_out)
    reader.tell_unread()


def show_looks(subject: Subject, logs: Sequence[str], form: OutputForm, *, no_color: bool) -> None:
    """Prints who looked at something or tried to; an empty answer is an answer."""
    reader = log_reader(logs)
    found = looks_at(reader.records(), subject)
    show(looks_sheet(found.looks), form, no_color=no_color)
    if not found.looks:
        note("nobody, as far as these logs go")
    _tell_left_out(found.left_out)
    reader.tell_unread()


def show_sessions(logs: Sequence[str], form: OutputForm, *, no_color: bool) -> None:
    """Prints the sessions that the logs tell of."""
    reader = log_reader(logs)
    found = session_list(reader.records())
    show(logged_sessions_sheet(found.sessions), form, no_color=no_color)
    _tell_left_out(found.left_out)
    reader.tell_unread()


def subject_of(text: str, pid: int, start_ticks: int) -> Subject:
    """Says what is asked for: a process if it has a number, a path if it begins with a slash, else a variable."""
    if pid:
        return ProcessNumbered(pid, start_ticks)
    # The log shows text escaped; so is what it is compared with.
    escaped, _ = shown(text, _MAX_TEXT)
    return PathNamed(escaped.rstrip("/") or "/") if text.startswith("/") else VariableNamed(escaped)


def _tell_left_out(count: int) -> None:
    if count:
        what = f"{count} more were left out"
        raise Failure(
            ExitCode.PARTIAL, what, "ask a shorter log: leadglass audit export LOG --format jsonl --from TIME"
        )
