"""Checks policy files and says what is in them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from leadglass_client.errors import ExitCode, Failure
from leadglass_client.offline.policy_files import read_policy
from leadglass_client.output.screen import show
from leadglass_client.output.visible import printable
from leadglass_client.views.policy_files import policies_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from leadglass_agent.policy.model import Policy
    from leadglass_client.forms import OutputForm


def check_policies(paths: Sequence[Path], form: OutputForm, *, no_color: bool) -> None:
    """Prints the policies that are right, says what is wrong in the others, and fails if there are any."""
    right: list[tuple[Path, Policy]] = []
    wrong: list[Failure] = []
    for path in paths:
        try:
            right.append((path, read_policy(path)))
        except Failure as failure:
            wrong.append(failure)
    if right:
        show(policies_sheet(right), form, no_color=no_color)
    for fault in wrong[:-1]:
        sys.stderr.write(f"leadglass: {printable(fault.what)}\n")
    if wrong:
        codes = {fault.code for fault in wrong}
        raise Failure(codes.pop() if len(codes) == 1 else ExitCode.ERROR, wrong[-1].what, wrong[-1].next_step)
