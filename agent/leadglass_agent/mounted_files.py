"""Reads files that somebody may replace meanwhile, several as one set.

Kubernetes swaps a whole mounted directory at once: each file is a link into `..data`, a link that is renamed. Whoever
reads three files one after the other may get two of before and one of after.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from typing import Final

_ATTEMPTS: Final = 8


class FilesUnread(Exception):
    """The files cannot be had as one set; the text names the file, and never quotes it."""


@dataclass(frozen=True, slots=True)
class FileSet:
    """Contents that were there at one moment.

    With `is_swapped` they came through a directory that is only ever replaced as a whole: nobody is still writing them.
    """

    contents: tuple[bytes, ...]
    is_swapped: bool

    def __repr__(self) -> str:
        """Shows no content: one of the files may be a key."""
        return f"FileSet({len(self.contents)} files)"


def read_set(paths: tuple[str, ...], max_bytes: int) -> FileSet:
    """Reads regular files of at most `max_bytes` each; raises FilesUnread."""
    fault = "the files change faster than they can be read"
    for _ in range(_ATTEMPTS):
        places = tuple(map(os.path.realpath, paths))
        try:
            contents = tuple(_read(place, path, max_bytes) for place, path in zip(places, paths, strict=True))
        except FilesUnread as error:
            fault = str(error)
            if tuple(map(os.path.realpath, paths)) == places:
                raise
            continue
        if tuple(map(os.path.realpath, paths)) == places:
            return FileSet(contents, all(map(_is_swapped, places)))
    raise FilesUnread(fault)


def digest_of(contents: tuple[bytes, ...]) -> str:
    """Gives `sha256:` and the hex digest; of several contents, that of their own digests in a row."""
    if len(contents) == 1:
        return f"sha256:{hashlib.sha256(contents[0]).hexdigest()}"
    return digest_of((b"".join(hashlib.sha256(content).digest() for content in contents),))


def _read(place: str, path: str, max_bytes: int) -> bytes:
    try:
        with os.fdopen(_open_regular(place), "rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise FilesUnread(message) from None
    if len(content) > max_bytes:
        message = f"{path} is larger than {max_bytes} bytes"
        raise FilesUnread(message)
    return content


def _open_regular(place: str) -> int:
    # Not blocking: a pipe in the file's place would hold the reader for ever.
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is no regular file")


def _is_swapped(place: str) -> bool:
    """Says whether a resolved path leads through a directory such as `..2026_11_22_08_51_15.1`, as `..data` does."""
    return any(part.startswith("..") and part != ".." for part in place.split("/"))
