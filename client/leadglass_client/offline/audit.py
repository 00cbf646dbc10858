"""Verifies an audit log with the agent's own verifier."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from leadglass_agent.audit.verify import verify
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.output.screen import show
from leadglass_client.views.audit import verdict_sheet

if TYPE_CHECKING:
    from leadglass_agent.audit.verify import Verdict
    from leadglass_client.forms import OutputForm

_DIGEST = re.compile(r"[0-9a-f]{64}")  # SHA-256


def verify_log(log: str, expect_head: str | None, form: OutputForm, *, no_color: bool) -> None:
    """Prints the verdict, and fails if the log does not verify."""
    if expect_head is not None and not _DIGEST.fullmatch(expect_head):
        what = "a head is 64 hexadecimal digits in small letters"
        raise Failure(ExitCode.USAGE, what, "take it from an earlier: leadglass audit verify LOG -o name")
    verdict = _verify(log, expect_head)
    show(verdict_sheet(verdict), form, no_color=no_color)
    if verdict.fault is not None:
        where = f"line {verdict.fault.line}, byte {verdict.fault.offset}"
        what = f"the log does not verify: {verdict.fault.fault} at {where}"
        next_step = "keep the file as it is, and compare it with the copies that left the machine"
        raise Failure(ExitCode.AUDIT_INVALID, what, next_step)


def _verify(log: str, expect_head: str | None) -> Verdict:
    if log == "-":
        return verify(sys.stdin.buffer, expect_head=expect_head)
    try:
        with open(log, "rb") as stream:  # noqa: PTH123 - a name as typed
            return verify(stream, expect_head=expect_head)
    except OSError as error:
        what = f"cannot read {log}: {error.strerror}"
        next_step = "the log belongs to the agent's user: copy it out, or run as that user"
        raise Failure(
            ExitCode.NOT_FOUND if isinstance(error, FileNotFoundError) else ExitCode.ERROR, what, next_step
        ) from error
