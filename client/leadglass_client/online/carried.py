"""Reads what a session is opened with beside the reason: grants and an ID token, from files."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from leadglass_client.errors import ExitCode, Failure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Bounds of the API.
_MAX_GRANTS: Final = 8
_MAX_GRANT_BYTES: Final = 64 * 1024
_MAX_TOKEN_BYTES: Final = 16 * 1024
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def read_grants(paths: Sequence[Path]) -> list[str]:
    """Reads grants as they stand; whether they hold is for the agent to say."""
    if len(paths) > _MAX_GRANTS:
        what = f"a session carries at most {_MAX_GRANTS} grants"
        raise Failure(ExitCode.USAGE, what, "leave out those that this work does not need")
    return [_read(path, _MAX_GRANT_BYTES, is_secret=False) for path in paths]


def read_id_token(path: Path) -> str:
    """Reads an ID token from a file or pipe that nobody else can read."""
    return _read(path, _MAX_TOKEN_BYTES, is_secret=True).strip()


def _read(path: Path, most: int, *, is_secret: bool) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(most + 1)
    except OSError as error:
        code = ExitCode.NOT_FOUND if isinstance(error, FileNotFoundError) else ExitCode.ERROR
        raise Failure(code, f"cannot read {path}: {error.strerror}", "check the name") from error
    if is_secret and os.name == "posix" and mode & _OTHERS:
        what = f"{path} can be read by others (mode {stat.S_IMODE(mode):04o})"
        raise Failure(ExitCode.USAGE, what, f"keep it to yourself: chmod 600 {path}")
    if len(content) > most:
        raise Failure(ExitCode.USAGE, f"{path} has more than {most} bytes", "check the name")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Failure(ExitCode.USAGE, f"{path} is not text", "check the name") from error
