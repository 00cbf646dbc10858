"""Signs somebody else's request after it was shown in words and agreed to."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leadglass_agent.access.dsse import EnvelopeError, signed
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.offline.grant_check import GrantState, check_grant, unvouched
from leadglass_client.offline.grant_files import (
    GrantFile,
    create_grant_file,
    read_grant_file,
    replace_grant_file,
)
from leadglass_client.offline.own_identity import own_identity, own_trust
from leadglass_client.output.screen import say, show
from leadglass_client.output.sheet import Cell, Look, Sheet
from leadglass_client.output.visible import printable
from leadglass_client.views.grants import grant_sheet, grant_words

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_agent.trust import Trust
    from leadglass_client.forms import OutputForm
    from leadglass_client.offline.grant_check import CheckedGrant
    from leadglass_client.offline.own_identity import OwnIdentity
    from leadglass_client.settings.global_options import GlobalOptions


def approve_request(options: GlobalOptions, path: Path, out: Path | None, form: OutputForm, *, agreed: bool) -> None:
    """Shows on standard error what is signed, asks unless it is agreed to, and adds one's signature to the file."""
    now = datetime.now(UTC)
    file, own, trust = read_grant_file(path), own_identity(options, now), own_trust(options)
    now_unix = int(now.timestamp())
    checked = check_grant(file, trust, now_unix)
    _refuse_wrong(file, checked, own, trust)
    say(_question(checked, own, now_unix), no_color=options.no_color)
    if not agreed:
        _ask(file)
    try:
        envelope = signed(file.envelope, own.private_key, own.certificates)
    except EnvelopeError as error:
        raise Failure(
            ExitCode.ERROR, f"cannot sign: {error}", "approve with another certificate: --cert, --key"
        ) from error
    if out is None:
        replace_grant_file(file, envelope)
    else:
        create_grant_file(out, envelope)
    written = read_grant_file(out or path)
    sheet = grant_sheet(written.path, check_grant(written, trust, now_unix), now_unix)
    show(sheet, form, no_color=options.no_color)


def _refuse_wrong(file: GrantFile, checked: CheckedGrant, own: OwnIdentity, trust: Trust) -> None:
    """Fails for what agents would refuse anyhow, before anybody is asked to read it."""
    grant, signer = checked.grant, own.signer
    if signer.spiffe_id == grant.requester or signer.key_digest == grant.requester_key:
        what = "this request is your own: nobody approves what they asked for"
        raise Failure(ExitCode.DENIED, what, "send the file to somebody who may approve it")
    if checked.state is GrantState.BROKEN:
        what = f"{file.path} is broken: a signature is not valid: {checked.fault}"
        raise Failure(ExitCode.ERROR, what, "do not sign it; ask the requester for the request as it was made")
    if checked.state is GrantState.ENDED:
        raise Failure(ExitCode.ERROR, f"the time that {file.path} asks for is over", "ask for a new request")
    if any(signer.spiffe_id == one.spiffe_id or signer.key_digest == one.key_digest for one in checked.approvals):
        what = "you have approved it already: a second signature of yours counts for nothing"
        raise Failure(ExitCode.ERROR, what, "send the file to the next approver, or back to the requester")
    if fault := unvouched(signer, own.certificates, grant, trust):
        what = f"agents would not count your signature: {fault}"
        raise Failure(ExitCode.NOT_AUTHENTICATED, what, "check which one is used: leadglass context show")


def _question(checked: CheckedGrant, own: OwnIdentity, now_unix: int) -> Sheet:
    heading = (
        *grant_words(checked, now_unix),
        ("you sign as", Cell(printable(own.signer.spiffe_id), Look.HEAD)),
        ("", Cell(f"key {own.signer.key_digest}")),
    )
    return Sheet({}, (), (), (), heading)


def _ask(file: GrantFile) -> None:
    """Takes nothing but a typed yes, and only from where the words above could be read."""
    if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
        what = "nothing was signed: nobody can be asked here, as this is no terminal"
        raise Failure(ExitCode.USAGE, what, f"read it: leadglass grant inspect {file.path}; then give --yes")
    sys.stderr.write("Sign this? Type yes: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != "yes":
        raise Failure(ExitCode.ERROR, "nothing was signed", "approve it again whenever you want")
