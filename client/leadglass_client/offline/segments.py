"""Puts the files of one log in the order in which they were written, as far as a damaged file still tells."""

from __future__ import annotations

import os
import re
import stat
import sys
from typing import TYPE_CHECKING, BinaryIO, Final

from leadglass_client.errors import ExitCode, Failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STANDARD_INPUT: Final = "-"
_CLOSED: Final = re.compile(r"(?P<log>.+)\.(?P<first>[0-9]{12,19})")
_SEQ: Final = re.compile(rb',"seq":([0-9]{1,19}),')
_LOOKED_AT: Final = 24_576  # a record and its newline
_MAX_FILES: Final = 100_000


def in_order(logs: Sequence[str]) -> tuple[str, ...]:
    """Gives the files of the log, of which some may be named by their folder, the oldest first.

    Raises Failure if one cannot be looked at, or a folder holds no log, or several.
    """
    if len(logs) == 1 and not os.path.isdir(logs[0]):  # noqa: PTH112 - a name as typed
        return tuple(logs)
    files = [name for log in logs for name in (_in_folder(log) if os.path.isdir(log) else (log,))]  # noqa: PTH112
    if STANDARD_INPUT in files:
        raise Failure(ExitCode.USAGE, "standard input is a whole log", "give - alone, or files alone")
    return tuple(sorted(dict.fromkeys(files), key=_place_of))  # pipes stay as they were given


def opened(files: Sequence[str]) -> Iterator[BinaryIO]:
    """Yields the files one after the other, each open until the next is asked for; raises Failure."""
    for name in files:
        if name == STANDARD_INPUT:
            if sys.stdin is None:  # started with it closed
                raise Failure(ExitCode.USAGE, "there is no standard input", "name a file")
            yield sys.stdin.buffer
            continue
        try:
            with open(name, "rb") as stream:  # noqa: PTH123 - a name as typed
                yield stream
        except OSError as error:
            raise _unreadable(name, error) from error


def _in_folder(folder: str) -> tuple[str, ...]:
    try:
        with os.scandir(folder) as entries:
            every = [entry.name for entry in entries if entry.is_file()]
    except OSError as error:
        raise _unreadable(folder, error) from error
    closed = {name: match["log"] for name in every if (match := _CLOSED.fullmatch(name))}
    names = set(closed.values()) or {name for name in every if name.endswith(".jsonl")}
    if len(names) != 1:
        what = f"{folder} holds {'several logs' if names else 'no log'}"
        raise Failure(ExitCode.USAGE if names else ExitCode.NOT_FOUND, what, "name the files of one log")
    found = [name for name in every if name in names or name in closed][:_MAX_FILES]
    return tuple(os.path.join(folder, name) for name in found)  # noqa: PTH118 - a name as typed


def _place_of(name: str) -> tuple[int, str]:
    """Looks which record a file begins with: its first line says so, else its name, else it is taken as the newest."""
    try:
        if not stat.S_ISREG(os.stat(name).st_mode):  # noqa: PTH116 - a name as typed
            return sys.maxsize, ""  # a pipe would lose what is looked at
        with open(name, "rb") as stream:  # noqa: PTH123 - a name as typed
            line = stream.readline(_LOOKED_AT)
    except OSError as error:
        raise _unreadable(name, error) from error
    found = _SEQ.findall(line)
    if found:
        return int(found[-1]), name
    by_name = _CLOSED.fullmatch(os.path.basename(name))  # noqa: PTH119 - a name as typed
    return sys.maxsize if by_name is None else int(by_name["first"]), name


def _unreadable(name: str, error: OSError) -> Failure:
    what = f"cannot read {name}: {error.strerror}"
    if isinstance(error, FileNotFoundError):
        return Failure(ExitCode.NOT_FOUND, what, "check the name; a log's folder may be named as well")
    return Failure(ExitCode.ERROR, what, "the log belongs to the agent's user: copy it out, or run as that user")
