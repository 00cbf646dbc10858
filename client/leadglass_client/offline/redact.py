"""Runs files or standard input through the agent's redaction engine, in memory that does not grow with them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final, Protocol

from leadglass_client.errors import ExitCode, Failure, OutputLostError
from leadglass_client.offline.byte_output import ByteOutput
from leadglass_client.offline.byte_progress import ByteProgress
from leadglass_client.offline.input_files import STANDARD_INPUT, check_inputs, chunks_of
from leadglass_client.offline.redaction_report import Totals, check_report, write_report

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from leadglass_agent.redaction.findings import RuleId

_CHUNK_BYTES: Final = 256 * 1024


class Cleaned(Protocol):
    """What a stream gives: text without secrets."""

    @property
    def data(self) -> bytes:
        """Holds the text."""


class Stream(Protocol):
    """The engine's stream, as far as this command uses it."""

    @property
    def counts(self) -> Mapping[RuleId, int]:
        """Counts what was masked so far, by rule."""

    def feed(self, chunk: bytes, /) -> Cleaned:
        """Takes raw bytes and gives the clean text that is ready."""

    def finish(self) -> Cleaned:
        """Gives the rest."""


def is_left_alone() -> bool:
    """Tells whether a person typed the command with nothing to read and nowhere to write but the terminal."""
    return _is_terminal(sys.stdin) and _is_terminal(sys.stdout)


def redact_files(files: Sequence[str], profile: str, report: Path | None, *, no_color: bool) -> None:
    """Masks the files as one text onto standard output, then writes the report if one is asked for."""
    if sys.stdout is None:  # started with it closed
        what = "there is no standard output"
        raise OutputLostError(what)
    total_bytes = check_inputs(files, sys.stdout)
    if report is not None:
        check_report(report, files)
    stream = _open_stream(profile)
    output = ByteOutput(sys.stdout)
    # Bars and text on one terminal would tear each other apart, as would bars and typing.
    typing = STANDARD_INPUT in files and _is_terminal(sys.stdin)
    with ByteProgress(total_bytes, wanted=not output.is_terminal and not typing, no_color=no_color) as progress:
        totals = pump(chunks_of(files, _CHUNK_BYTES), stream, output, progress)
    if report is not None:
        write_report(report, profile, totals)


def pump(chunks: Iterable[bytes], stream: Stream, output: ByteOutput, progress: ByteProgress) -> Totals:
    """Feeds each chunk to the stream and writes what comes out of it; a failed redaction ends it with no further text.

    When an input breaks off, what was read of it is still written, masked, before the failure goes on.
    """
    from leadglass_agent.redaction.findings import RedactionError

    bytes_read = 0
    broken: Failure | None = None
    try:
        try:
            for chunk in chunks:
                output.write(stream.feed(chunk).data)
                bytes_read += len(chunk)
                progress.reach(bytes_read)
        except Failure as failure:
            broken = failure
        output.write(stream.finish().data)
    except RedactionError as error:
        # Fixed text and nothing else: what made the engine fail may be a value.
        raise Failure(ExitCode.ERROR, str(error), "") from None
    finally:
        output.end()
    if broken is not None:
        raise broken
    return Totals(bytes_read, output.bytes_written, dict(stream.counts))


def _open_stream(profile: str) -> Stream:
    try:
        from leadglass_agent.redaction.redactor import Redactor
    except ImportError as error:
        what = f"the redaction engine is not installed here: {error.name or 'a part of it'} is missing"
        raise Failure(ExitCode.ERROR, what, "install it (Linux): pip install 'leadglass[agent]'") from error
    return Redactor(profile).stream()


def _is_terminal(stream: object) -> bool:
    isatty = getattr(stream, "isatty", None)
    return isatty is not None and bool(isatty())
