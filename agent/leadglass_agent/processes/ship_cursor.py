"""Keeps how far the audit sink is in a file beside the log, replaced as a whole: number and hash of one record."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.chain import GENESIS, MAX_SEQ, Head
from leadglass_agent.audit.file import sync_names

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_agent.audit.record import Fact

_MAX_BYTES: Final = 256
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def cursor_path(audit_path: Path) -> Path:
    """Gives the file's path."""
    return audit_path.with_name(f"{audit_path.name}.shipped")


def read_cursor(path: Path) -> Head:
    """Reads the file; without one the beginning of the log is given: better twice than never."""
    try:
        with path.open("rb") as file:
            fields: object = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError):
        return GENESIS
    match fields:
        case {"seq": int(seq), "hash": str(digest)} if 0 < seq <= MAX_SEQ and _DIGEST.fullmatch(digest):
            return Head(seq, digest)
        case _:
            return GENESIS


def lost_facts(audit_path: Path, head: Head) -> tuple[Fact, ...]:
    """Gives what a boot record says of a log that ends before a record which the sink has; nothing if it does not."""
    shipped = read_cursor(cursor_path(audit_path))
    if shipped.seq <= head.seq:
        return ()
    return (("log_shrank", True), ("shipped_seq", shipped.seq), ("shipped_hash", shipped.digest))


def write_cursor(path: Path, shipped: Head) -> None:
    """Replaces the file durably; raises OSError, and leaves the old one then."""
    text = json.dumps({"hash": shipped.digest, "seq": shipped.seq}, separators=(",", ":")).encode("ascii")
    fresh = path.with_name(f"{path.name}.new")
    with suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, text)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    fresh.replace(path)
    sync_names(path)
