"""Checks the files of a command before any of them is read, and reads them in chunks, one after the other."""

from __future__ import annotations

import os
import select
import stat
import sys
from typing import TYPE_CHECKING, Final

from leadglass_client.errors import ExitCode, Failure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TextIO

STANDARD_INPUT: Final = "-"


def check_inputs(files: Sequence[str], output: TextIO) -> int | None:
    """Sums the sizes of the files in bytes, None if one has no size to know; fails if one cannot be an input.

    A name that is wrong is found before the first byte of the output, so that half an answer is rare.
    """
    written = _regular(output)
    total: int | None = 0
    for name in files:
        size = _standard_input_bytes(written) if name == STANDARD_INPUT else _file_bytes(name, written)
        total = None if total is None or size is None else total + size
    return total


def chunks_of(files: Sequence[str], chunk_bytes: int) -> Iterator[bytes]:
    """Yields the bytes of the files in order, as soon as there are any, in chunks of at most so many."""
    for name in files:
        ours = name != STANDARD_INPUT
        try:
            with open(name if ours else 0, "rb", buffering=0, closefd=ours) as stream:
                while (chunk := stream.read(chunk_bytes)) != b"":
                    if chunk is None:  # another program made the pipe non-blocking, and nothing is there yet
                        select.select([stream], [], [])
                    else:
                        yield chunk
        except OSError as error:
            what = f"the output ends early: cannot read {_said(name)}: {error.strerror}"
            raise Failure(ExitCode.PARTIAL, what, "try this file again on its own") from error


def _standard_input_bytes(written: os.stat_result | None) -> int | None:
    if sys.stdin is None:  # started with it closed
        raise Failure(ExitCode.USAGE, "there is no standard input", "name a file")
    return _size(_regular(sys.stdin), STANDARD_INPUT, written)


def _file_bytes(name: str, written: os.stat_result | None) -> int | None:
    try:
        found = os.stat(name)  # noqa: PTH116 - a name as typed
    except OSError as error:
        code = ExitCode.NOT_FOUND if isinstance(error, FileNotFoundError | NotADirectoryError) else ExitCode.ERROR
        raise Failure(code, f"cannot read {name}: {error.strerror}", "correct the name") from error
    if stat.S_ISDIR(found.st_mode):
        raise Failure(ExitCode.USAGE, f"{name} is a folder", f"name its files: find {name} -type f -exec ... {{}} +")
    if not os.access(name, os.R_OK):
        raise Failure(ExitCode.ERROR, f"cannot read {name}: Permission denied", "run as a user who may read it")
    return _size(found if stat.S_ISREG(found.st_mode) else None, name, written)


def _size(found: os.stat_result | None, name: str, written: os.stat_result | None) -> int | None:
    if found is None:
        return None
    if written is not None and os.path.samestat(found, written):
        what = f"{_said(name)} is the file that the output goes to"
        raise Failure(ExitCode.USAGE, what, "write to another file, then rename it")
    # The kernel's own files say 0 and still have content.
    return found.st_size or None


def _regular(stream: TextIO) -> os.stat_result | None:
    try:
        found = os.fstat(stream.fileno())
    except OSError:  # also io.UnsupportedOperation: no file stands behind it
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _said(name: str) -> str:
    return "standard input" if name == STANDARD_INPUT else name
