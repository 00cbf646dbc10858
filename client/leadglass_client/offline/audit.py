"""Verifies an audit log with the agent's own verifier, and with what its witnesses kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO

from leadglass_agent.audit.chain import Fault
from leadglass_agent.audit.verify import verify_segments
from leadglass_agent.audit.witnesses import WitnessesError, read_witnesses
from leadglass_agent.trust import Trust, TrustError
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.offline.segments import in_order, opened
from leadglass_client.output.screen import note, show
from leadglass_client.views.audit import OF_RECEIPTS, other_logs_of, place_of, suspects_of, verdict_sheet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from leadglass_agent.audit.verdict import Verdict
    from leadglass_agent.audit.witnesses import Witnesses
    from leadglass_client.forms import OutputForm

_DIGEST = re.compile(r"[0-9a-f]{64}")  # SHA-256
_MAX_AUTHORITY_BYTES = 1024 * 1024  # a bundle of hundreds of authorities


def verify_log(
    logs: Sequence[str],
    form: OutputForm,
    *,
    receipts: Sequence[Path],
    authority: Path | None,
    expect_head: str | None,
    no_color: bool,
) -> None:
    """Prints the verdict, and fails if the log does not verify."""
    if expect_head is not None and not _DIGEST.fullmatch(expect_head):
        what = "a head is 64 hexadecimal digits in small letters"
        raise Failure(ExitCode.USAGE, what, "take it from an earlier: leadglass audit verify LOG -o name")
    authorities_pem = None if authority is None else _authorities(authority)
    witnesses = _witnesses(receipts) if receipts else None
    files = in_order(logs)
    try:
        verdict = verify_segments(
            opened(files), expect_head=expect_head, witnesses=witnesses, authorities_pem=authorities_pem
        )
    except OSError as error:  # within a file: a disk that fails
        what = f"cannot read the log to its end: {error.strerror}"
        raise Failure(ExitCode.ERROR, what, "copy the files to a disk that is whole, and verify the copy") from error
    show(verdict_sheet(verdict, files), form, no_color=no_color)
    if verdict.witnessed.other_logs:
        note(f"{other_logs_of(verdict)}: see other logs in the answer")
    if verdict.fault is not None:
        what = f"the log does not verify: {verdict.fault.fault} {_where(verdict, files)}"
        raise Failure(
            ExitCode.AUDIT_INVALID, what, _next_step(verdict.fault.fault, has_authority=authority is not None)
        )


def _next_step(fault: Fault, *, has_authority: bool) -> str:
    if fault is Fault.KEY_UNCERTIFIED and has_authority:
        return "if an intermediate issued the agent's certificate, give root and intermediate in one file"
    if fault is Fault.SEGMENT_MISSING:
        return "name all files of the log, or their folder; if you moved the older ones away: --expect-head THEIR-HEAD"
    if fault is Fault.SIGNER_UNKNOWN:
        return "keep both: somebody made the receipt up, or took the agent's start with that key out of the log"
    return "keep the files as they are, and compare them with the copies that left the machine"


def _where(verdict: Verdict, files: Sequence[str]) -> str:
    is_receipt = verdict.fault is not None and verdict.fault.fault in OF_RECEIPTS
    where = f"in {verdict.witnessed.first_invalid}" if is_receipt else f"at {place_of(verdict, files)}"
    suspects = suspects_of(verdict)
    return where + (f"; first bad: {suspects}" if suspects else "")


def _witnesses(paths: Sequence[Path]) -> Witnesses:
    """Reads files of receipts, folders of them, and whatever else witnesses left."""
    try:
        witnesses = read_witnesses(_opened(paths))
    except OSError as error:
        code = ExitCode.NOT_FOUND if isinstance(error, FileNotFoundError) else ExitCode.ERROR
        what = f"cannot read {error.filename}: {error.strerror}"
        raise Failure(code, what, "see which receipts you have: leadglass audit receipts") from error
    except WitnessesError as error:
        raise Failure(ExitCode.USAGE, str(error), "verify with a part of them at a time") from error
    if not witnesses.logs and not witnesses.invalid:
        what = "there is no receipt and no checkpoint in what --receipts names"
        raise Failure(ExitCode.USAGE, what, "see which receipts you have: leadglass audit receipts")
    if witnesses.barren:
        named = ", ".join(witnesses.barren_names) + (", ..." if witnesses.barren > len(witnesses.barren_names) else "")
        files = "1 file has" if witnesses.barren == 1 else f"{witnesses.barren} files have"
        note(f"{files} no receipt and no checkpoint: {named}")
    return witnesses


def _opened(paths: Sequence[Path]) -> Iterator[tuple[str, BinaryIO]]:
    """Yields every file, and every regular file of a folder, each open until the next is asked for."""
    for path in paths:
        for file in sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else (path,):
            with file.open("rb") as stream:
                yield str(file), stream


def _authorities(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_AUTHORITY_BYTES)
        Trust(content)
    except OSError as error:
        code = ExitCode.NOT_FOUND if isinstance(error, FileNotFoundError) else ExitCode.ERROR
        raise Failure(code, f"cannot read {path}: {error.strerror}", "give the file of the authorities") from error
    except TrustError as error:
        raise Failure(ExitCode.USAGE, f"{path}: {error}", "give certificates of authorities as PEM") from error
    return content
