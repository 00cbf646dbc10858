"""Names the permissions of a policy that audit logs show no use of."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from leadglass_client.errors import ExitCode, Failure
from leadglass_client.offline.policy_files import read_policy
from leadglass_client.output.screen import note, show

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from leadglass_agent.audit.usage import Usage
    from leadglass_client.forms import OutputForm


def suggest_narrower(path: Path, logs: Sequence[Path], form: OutputForm, *, no_color: bool) -> None:
    """Prints what was not used, and over how many days; the fewer the days, the less that says."""
    policy = read_policy(path)
    usage = _usage(logs)
    from leadglass_agent.policy.unused import unused
    from leadglass_client.views.policy_unused import unused_sheet

    show(unused_sheet(unused(policy, usage), usage), form, no_color=no_color)
    if usage.unread:
        note(f"{usage.unread} lines are no records and were left out: leadglass audit verify LOG")
    if usage.policies - {policy.digest}:
        note(f"the logs also hold calls under other policies than {path}")


def _usage(logs: Sequence[Path]) -> Usage:
    from leadglass_agent.api.methods import METHODS
    from leadglass_agent.audit.usage import usage_of

    widens = {method.name: tuple(permission.value for permission in method.widens) for method in METHODS}
    with ExitStack() as files:
        try:
            usage = usage_of([files.enter_context(log.open("rb")) for log in logs], widens)
        except OSError as error:
            code = ExitCode.NOT_FOUND if isinstance(error, FileNotFoundError) else ExitCode.ERROR
            what = f"cannot read {error.filename}: {error.strerror}"
            raise Failure(
                code, what, "the log belongs to the agent's user: copy it out, or run as that user"
            ) from error
    if not usage.first_time:
        raise Failure(ExitCode.ERROR, "the logs hold no record", "name an agent's audit log")
    return usage
