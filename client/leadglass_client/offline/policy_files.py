"""Reads policy files with the agent's own parser, and says where one is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_client.errors import ExitCode, Failure

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_agent.policy.model import Policy
    from leadglass_agent.policy.table import Case

_MAX_BYTES: Final = 1024 * 1024


def check_engine() -> None:
    """Fails unless the agent's parts are there that read a policy."""
    try:
        import leadglass_agent.policy.parse  # noqa: F401 - only whether it can be imported
    except ImportError as error:
        what = f"the policy engine is not installed here: {error.name or 'a part of it'} is missing"
        raise Failure(ExitCode.ERROR, what, "install it: pip install 'leadglass[agent]'") from error


def read_policy(path: Path) -> Policy:
    """Reads one policy; fails with the line and column of what is wrong."""
    check_engine()
    from leadglass_agent.policy.parse import parse_policy
    from leadglass_agent.strict_yaml import DocumentError

    try:
        return parse_policy(_bytes(path), str(path))
    except DocumentError as error:
        raise Failure(ExitCode.ERROR, str(error), "docs/policy.md describes each key") from error


def read_table(path: Path) -> tuple[Case, ...]:
    """Reads one file of tests; fails with the line and column of what is wrong."""
    check_engine()
    from leadglass_agent.policy.table import parse_table
    from leadglass_agent.strict_yaml import DocumentError

    try:
        return parse_table(_bytes(path), str(path))
    except DocumentError as error:
        raise Failure(ExitCode.ERROR, str(error), "docs/policies.md describes each key") from error


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES + 1)
    except OSError as error:
        code = ExitCode.NOT_FOUND if isinstance(error, FileNotFoundError) else ExitCode.ERROR
        raise Failure(code, f"cannot read {path}: {error.strerror}", "check the name") from error
