"""Finds the files of audit logs, puts segments in order, and reads their records."""

from __future__ import annotations

import os
import re
import stat
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from leadglass_agent.audit.reading import lines_of, number_of
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.output.screen import note

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from leadglass_agent.audit.canonical import Json
    from leadglass_agent.audit.reading import Line

STANDARD_INPUT: Final = "-"
_SEGMENT: Final = re.compile(r"(?P<log>.+)\.[0-9]{12}")
_MAX_FILES: Final = 10_000
_WHOSE: Final = "the log belongs to the agent's user: copy it out, or run as that user"


@dataclass(slots=True)
class LogReader:
    """The records of several files as one stream; counts lines that are no records, and never hides them."""

    files: Sequence[str]
    unread: int = 0
    first_unread: str = ""

    def lines(self) -> Iterator[Line]:
        """Yields every line that is a record, file after file; raises Failure if a file cannot be read on."""
        for name in self.files:
            try:
                with open(0 if name == STANDARD_INPUT else name, "rb", closefd=name != STANDARD_INPUT) as stream:
                    yield from self._records(name, stream)
            except OSError as error:
                raise _unreadable(name, error) from error

    def records(self) -> Iterator[dict[str, Json]]:
        """Yields the records alone."""
        for line in self.lines():
            if line.record is not None:
                yield line.record

    def tell_unread(self) -> None:
        """Fails as a partial answer if there were lines that are no records."""
        if self.unread:
            lines = "1 line is no record" if self.unread == 1 else f"{self.unread} lines are no records"
            what = f"{lines} and was left out, the first is {self.first_unread}"
            what = what if self.unread == 1 else what.replace("was left", "were left")
            raise Failure(ExitCode.PARTIAL, what, "leadglass audit verify LOG says where the log does not hold")

    def _records(self, name: str, stream: BinaryIO) -> Iterator[Line]:
        for number, line in enumerate(lines_of(stream), start=1):
            if line.record is None:
                self.unread += 1
                self.first_unread = self.first_unread or f"line {number} of {_said(name)}"
            else:
                yield line


def log_reader(logs: Sequence[str]) -> LogReader:
    """Opens logs given as files, folders or `-`; the segments of a log are read from the oldest on.

    Raises Failure if one cannot be read or holds no log, before anything is printed.
    """
    found: list[tuple[int, str]] = []
    for name in logs:
        if name == STANDARD_INPUT:
            if sys.stdin is None:
                raise Failure(ExitCode.USAGE, "there is no standard input", "name a file")
            found.append((sys.maxsize, name))  # nobody can look ahead in it: it comes last
        elif os.path.isdir(name):  # noqa: PTH112 - a name as typed
            found += _in_folder(name)
        else:
            found.append((_first_seq(name) or 0, name))
    names = [name for _, name in sorted(found, key=lambda item: item[0])]
    return LogReader(tuple(dict.fromkeys(names)))


def _in_folder(folder: str) -> list[tuple[int, str]]:
    """Finds the logs of a folder by what they hold; a segment is one by its name, however damaged it is."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for _, entry in zip(range(_MAX_FILES), entries, strict=False))
    except OSError as error:
        raise _unreadable(folder, error) from error
    of_segments = {match["log"] for name in names if (match := _SEGMENT.fullmatch(name)) is not None}
    found: list[tuple[int, str]] = []
    others: list[str] = []
    for name in names:
        path = os.path.join(folder, name)  # noqa: PTH118 - a name as typed
        if not stat.S_ISREG(os.stat(path, follow_symlinks=False).st_mode):  # noqa: PTH116 - a name as typed
            continue
        seq = _first_seq(path)
        if seq is not None or name in of_segments or _SEGMENT.fullmatch(name) or name.endswith(".jsonl"):
            found.append((seq or 0, path))
        else:
            others.append(name)
    if not found:
        raise Failure(ExitCode.NOT_FOUND, f"{folder} holds no audit log", "name the folder or the files of a log")
    if others:
        note(f"not read, as they hold no records: {', '.join(others)}")
    return found


def _first_seq(name: str) -> int | None:
    """Looks which number the first record of a file has; None if there is no record at its beginning."""
    try:
        if not stat.S_ISREG(os.stat(name).st_mode):  # noqa: PTH116 - a name as typed
            return None  # a pipe would lose what is looked at
        with open(name, "rb") as stream:  # noqa: PTH123 - a name as typed
            first = next(lines_of(stream), None)
    except OSError as error:
        raise _unreadable(name, error) from error
    return None if first is None or first.record is None else number_of(first.record, "seq")


def _unreadable(name: str, error: OSError) -> Failure:
    what = f"cannot read {_said(name)}: {error.strerror}"
    if isinstance(error, FileNotFoundError):
        return Failure(ExitCode.NOT_FOUND, what, "check the name; a log's folder may be named as well")
    return Failure(ExitCode.ERROR, what, _WHOSE)


def _said(name: str) -> str:
    return "standard input" if name == STANDARD_INPUT else name
