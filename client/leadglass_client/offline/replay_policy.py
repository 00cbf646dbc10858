"""Decides a recorded session anew by another policy, and says what that changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_agent.recordings.format import RecordingError
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.offline.policy_files import read_policy
from leadglass_client.offline.recording_keys import not_verified
from leadglass_client.output.screen import note, show
from leadglass_client.replay.summary import Outcome, summary_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from leadglass_client.forms import OutputForm
    from leadglass_client.replay.policies import Policies
    from leadglass_client.replay.recording import Recording

_MOST = 2


def replay_under(recording: Recording, files: Sequence[Path], form: OutputForm, *, no_color: bool) -> None:
    """Prints what would become of each call; fails with 1 if anything is wider, with 8 if something is only narrower.

    Of two policies, the one that decided then is told by its digest.
    """
    policies = _policies(recording, files)
    from leadglass_client.replay.redecide import redecide
    from leadglass_client.views.replay_policy import redecided_sheet

    try:
        summary = summary_of(recording, policies, redecide(recording, policies))
    except (RecordingError, ValueError) as error:
        fault = (
            error if isinstance(error, RecordingError) else RecordingError("it holds what this version cannot decide")
        )
        raise not_verified(fault) from error
    show(redecided_sheet(recording, policies, summary), form, no_color=no_color)
    for line in summary.notes:
        note(line)
    match summary.outcome:
        case Outcome.WIDER:
            what = f"{summary.wider} of {len(summary.calls)} calls would show more, or may"
            next_step = "have it reviewed by whoever owns the access"
            if policies.before is None:
                next_step = "give the policy of then as well, to have the scopes compared: --policy OLD.yaml"
            raise Failure(ExitCode.ERROR, what, next_step)
        case Outcome.NARROWER:
            what = f"{summary.narrower} of {len(summary.calls)} calls would show less"
            raise Failure(ExitCode.PARTIAL, what, "see whether that is what you want; nothing would show more")
        case Outcome.SAME:
            return


def _policies(recording: Recording, files: Sequence[Path]) -> Policies:
    if len(files) > _MOST:
        raise Failure(ExitCode.USAGE, "--policy is given more than twice", "give the new one, and that of then")
    read = [read_policy(path) for path in files]
    from leadglass_client.replay.policies import Policies

    if len(read) == 1:
        return Policies(read[0])
    digests = {call.called.policy_digest for call in recording.calls} | {recording.opened.policy_digest}
    then = [policy for policy in read if policy.digest in digests]
    if not then:
        what = "neither policy is the one that decided then"
        raise Failure(ExitCode.USAGE, what, f"its digest is {recording.opened.policy_digest}: find it by sha256sum")
    before = then[-1] if len(then) == _MOST else then[0]
    after = read[0] if before is read[1] else read[1]
    return Policies(after, before)
