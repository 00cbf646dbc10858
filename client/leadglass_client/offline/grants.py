"""Shows requests and grants that lie in files, and what an ID token has to say to fit them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from leadglass_agent.access.evidence_nonce import evidence_nonce
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.offline.grant_check import CheckedGrant, GrantState, check_grant
from leadglass_client.offline.grant_files import is_grant_file, read_grant_file
from leadglass_client.offline.own_identity import own_identity, own_trust
from leadglass_client.output.screen import note, show
from leadglass_client.output.sheet import Cell, Sheet
from leadglass_client.views.grants import grant_sheet, grants_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from leadglass_client.forms import OutputForm
    from leadglass_client.output.records import Record
    from leadglass_client.settings.global_options import GlobalOptions

_MAX_FILES: Final = 1_000


def inspect_grant(options: GlobalOptions, path: Path, form: OutputForm) -> None:
    """Prints everything that a file says and whether its signatures hold; fails if it is good for nothing."""
    now_unix = _now()
    checked = check_grant(read_grant_file(path), own_trust(options), now_unix)
    show(grant_sheet(path, checked, now_unix), form, no_color=options.no_color)
    if checked.state is GrantState.BROKEN:
        what = f"a signature in {path} is not valid: {checked.fault}"
        raise Failure(ExitCode.ERROR, what, "no agent takes it; ask for a new request, and keep the file as it is")
    if checked.state is GrantState.ENDED:
        raise Failure(ExitCode.ERROR, f"the time of {path} is over", "make a new one: leadglass request")
    if checked.state is GrantState.REQUESTED:
        what = f"nobody has approved {path} yet"
        raise Failure(ExitCode.APPROVAL_PENDING, what, f"an approver runs: leadglass approve {path}")


def list_grants(options: GlobalOptions, folder: Path, form: OutputForm) -> None:
    """Prints the requests and grants among the files of a folder."""
    now_unix, trust = _now(), own_trust(options)
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    except OSError as error:
        raise Failure(ExitCode.ERROR, f"cannot list {folder}: {error.strerror}", "check the name") from error
    checked: list[tuple[Path, CheckedGrant]] = []
    for path in files[:_MAX_FILES]:
        if not is_grant_file(path):
            continue
        try:
            checked.append((path, check_grant(read_grant_file(path), trust, now_unix)))
        except Failure as failure:
            note(failure.what)
    show(grants_sheet(checked, now_unix), form, no_color=options.no_color)
    if len(files) > _MAX_FILES:
        what = f"{folder} has more than {_MAX_FILES} such files, and the rest was not looked at"
        raise Failure(ExitCode.PARTIAL, what, "list a smaller folder")


def show_nonce(options: GlobalOptions, paths: Sequence[Path], form: OutputForm) -> None:
    """Prints the nonce that binds an ID token to one's key and these grants."""
    signer = own_identity(options, datetime.now(UTC)).signer
    grant_ids = sorted({read_grant_file(path).grant.grant_id for path in paths})
    nonce = evidence_nonce(signer.key_digest, grant_ids)
    whole: Record = {"nonce": nonce, "key_digest": signer.key_digest, "grant_ids": list(grant_ids)}
    carried = (("and grant", Cell(grant_id)) for grant_id in grant_ids)
    heading = (("nonce", Cell(nonce)), ("for key", Cell(signer.key_digest)), *carried)
    show(Sheet(whole, (whole,), tuple(whole), (nonce,), heading), form, no_color=options.no_color)


def _now() -> int:
    return int(datetime.now(UTC).timestamp())
