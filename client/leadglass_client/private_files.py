"""Writes files whole or not at all, readable by their owner alone unless asked otherwise."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from leadglass_client.errors import ExitCode, Failure

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE = 0o600
PUBLIC = 0o644
_DIRECTORY = 0o700
_CHOOSE = "choose another name, or move the old one away"


def make_directory(path: Path) -> None:
    """Makes a directory of mode 0700 with its parents; one that stands already is left as it is."""
    try:
        path.mkdir(mode=_DIRECTORY, parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot(path, error) from error


def require_absent(path: Path, next_step: str = _CHOOSE) -> None:
    """Fails if anything has this name, before the first of several files is written."""
    if path.is_symlink() or path.exists():
        raise _exists(path, next_step)


def create(path: Path, content: bytes, mode: int = PRIVATE) -> None:
    """Writes a new file; refuses if anything, even a dangling link, has its name."""
    try:
        _write_new(path, content, mode)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise _cannot(path, error) from error


def replace(path: Path, content: bytes, mode: int = PRIVATE) -> None:
    """Writes a file in place of the old one in one step: a reader sees the old or the new, nothing between."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write_new(new, content, mode)
        new.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise _cannot(path, error) from error


def _write_new(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _exists(path: Path, next_step: str = _CHOOSE) -> Failure:
    what = f"{path} exists already and is not overwritten"
    return Failure(ExitCode.USAGE, what, next_step)


def _cannot(path: Path, error: OSError) -> Failure:
    what = f"cannot write {path}: {error.strerror}"
    return Failure(ExitCode.ERROR, what, "check the folder's owner, permissions and free space")
