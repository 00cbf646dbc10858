"""Writes what a redaction did as counts, never a value."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leadglass_client import private_files
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.offline.input_files import STANDARD_INPUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from leadglass_agent.redaction.findings import RuleId


@dataclass(frozen=True, slots=True)
class Totals:
    """What went through: bytes read and written, and how often each rule masked."""

    bytes_read: int
    bytes_written: int
    redactions_by_rule: Mapping[RuleId, int]


def check_report(report: Path, inputs: Sequence[str]) -> None:
    """Fails before the work begins if the report could not be written, or would replace an input."""
    if not report.absolute().parent.is_dir():
        raise Failure(ExitCode.USAGE, f"there is no folder for the report {report}", "make it, or name another file")
    for name in inputs:
        if name != STANDARD_INPUT and report.exists() and report.samefile(name):
            raise Failure(ExitCode.USAGE, f"the report would replace the input {name}", "name another file")


def write_report(report: Path, profile: str, totals: Totals) -> None:
    """Writes the report as one JSON object, whole or not at all."""
    document = {
        "profile": profile,
        "bytes_read": totals.bytes_read,
        "bytes_written": totals.bytes_written,
        "redactions": sum(totals.redactions_by_rule.values()),
        "redactions_by_rule": dict(sorted(totals.redactions_by_rule.items())),
    }
    text = f"{json.dumps(document, indent=2)}\n".encode()
    if report.exists() and not report.is_file():  # /dev/stderr, /dev/fd/3, a named pipe
        try:
            report.write_bytes(text)
        except OSError as error:
            what = f"cannot write {report}: {error.strerror}"
            raise Failure(ExitCode.ERROR, what, "name another file") from error
        return
    private_files.replace(Path(os.path.realpath(report)), text, private_files.PUBLIC)
