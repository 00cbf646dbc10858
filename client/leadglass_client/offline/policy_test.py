"""Runs the tests of a policy file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_client.errors import ExitCode, Failure
from leadglass_client.offline.policy_files import read_policy, read_table
from leadglass_client.output.screen import show

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from leadglass_client.forms import OutputForm


def run_policy_tests(path: Path, tables: Sequence[Path], form: OutputForm, *, no_color: bool) -> None:
    """Prints each test that failed, and fails if there is one."""
    policy = read_policy(path)
    from leadglass_agent.policy.members import TooManyMembersError
    from leadglass_agent.policy.table import run_table
    from leadglass_client.views.policy_tests import outcomes_sheet

    try:
        ran = [(table, outcome) for table in tables for outcome in run_table(policy, read_table(table))]
    except TooManyMembersError as error:
        next_step = "leave less open: name the process, and the variable or the path"
        raise Failure(ExitCode.ERROR, f"cannot look at all that a case leaves open: {error}", next_step) from error
    show(outcomes_sheet(ran), form, no_color=no_color)
    failed = sum(bool(outcome.fault) for _, outcome in ran)
    if failed:
        what = f"{failed} of {len(ran)} tests failed"
        raise Failure(ExitCode.ERROR, what, f"ask why: leadglass policy explain {path} --caller ... --permission ...")
