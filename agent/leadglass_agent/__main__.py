"""The program leadglass-agent: reads its configuration and policy, then runs or checks."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from leadglass_agent.build import VERSION
from leadglass_agent.config import Config, parse_config
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.sandbox.floor import require_glass
from leadglass_agent.sandbox.posture import is_opaque
from leadglass_agent.start import StartRefused
from leadglass_agent.strict_yaml import DocumentError

if TYPE_CHECKING:
    from leadglass_agent.policy.model import Policy

_EXIT_REFUSED = 2
_MAX_FILE = 1024 * 1024 + 1  # one byte more than the loader accepts, so that it says so


def main() -> int:
    """Runs the agent, or checks its files; exit 0 if told to stop, 1 on a failure, 2 if it cannot start."""
    arguments = _arguments()
    # Asked before anything else: what is true now, the kernel decided when it started the interpreter.
    one_way_glass = is_opaque()
    try:
        config, policy = _load(arguments.config)
        if arguments.command == "check":
            from leadglass_agent.processes.live import read_live  # noqa: PLC0415 - running, it is the front's alone

            read_live(config, policy)
            sys.stdout.write(f"ok: policy {policy.name} {policy.digest}\n")
            return 0
        _refuse_root(config)
        require_glass(is_there=one_way_glass, is_required=config.glass_required)
    except (DocumentError, StartRefused) as error:
        sys.stderr.write(f"leadglass-agent: {error}\n")
        return _EXIT_REFUSED
    # Imported late: `check` needs neither the redaction engine nor /proc.
    from leadglass_agent.processes.supervisor import supervise  # noqa: PLC0415

    return supervise(config, policy, one_way_glass=one_way_glass)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="leadglass-agent", description="Read-only, masked views of this pod over mutual TLS."
    )
    parser.add_argument("--version", action="version", version=f"leadglass-agent {VERSION}")
    parser.add_argument(
        "command", nargs="?", choices=("run", "check"), default="run", help="check: read the files and stop"
    )
    parser.add_argument("--config", type=Path, required=True, help="the AgentConfig file (YAML)")
    return parser.parse_args()


def _load(path: Path) -> tuple[Config, Policy]:
    config = parse_config(_read(path), str(path))
    return config, parse_policy(_read(Path(config.policy)), config.policy)


def _refuse_root(config: Config) -> None:
    if os.geteuid() == 0 and not config.unsafe_run_as_root:
        message = "refuses to run as root: give it the app's user id (runAsUser), or set spec.unsafeRunAsRoot"
        raise StartRefused(message)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_FILE)
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise StartRefused(message) from None


if __name__ == "__main__":
    sys.exit(main())
