"""Compares two policy files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_client.errors import ExitCode, Failure
from leadglass_client.offline.policy_files import read_policy
from leadglass_client.output.screen import show

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_client.forms import OutputForm


def compare_policies(old: Path, new: Path, form: OutputForm, *, no_color: bool) -> None:
    """Prints every widening, and fails if there is one, or if the two cannot be compared to the end."""
    before, after = read_policy(old), read_policy(new)
    from leadglass_agent.policy.compare import widenings
    from leadglass_agent.policy.members import TooManyMembersError
    from leadglass_client.views.policy_diff import widenings_sheet

    try:
        found = widenings(before, after)
    except TooManyMembersError as error:
        what = f"{new} cannot be compared to the end, so take it as wider: {error}"
        raise Failure(ExitCode.ERROR, what, "split the change, or use fewer and plainer globs") from error
    show(widenings_sheet(found), form, no_color=no_color)
    if found:
        what = f"{new} is wider than {old} in {len(found)} {'way' if len(found) == 1 else 'ways'}"
        raise Failure(ExitCode.ERROR, what, "have it reviewed by whoever owns the access")
