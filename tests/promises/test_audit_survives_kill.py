"""Promise: an agent that is killed at any moment leaves a log that the next one continues, with nothing lost."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audit_logs import INTENT, SteppingClock, verify_file
from leadglass_agent.audit.log import AuditLog

_WRITER = Path(__file__).parent.parent / "support" / "audit_writer.py"


def _write_until_killed(path: Path, seconds: float) -> int:
    """Runs a writer, kills it some time after its first record, and returns the last number it said was durable."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, _WRITER, path], stdout=subprocess.PIPE, env=environment) as writer:
        assert writer.stdout is not None
        said = writer.stdout.readline()
        time.sleep(seconds)
        writer.kill()
        said += writer.stdout.read()
    return int(said.split()[-1])


@pytest.mark.parametrize(
    "kills", [pytest.param(20, id="20 kills"), pytest.param(300, id="300 kills", marks=pytest.mark.slow)]
)
def test_every_record_that_was_durable_is_there_after_a_kill(tmp_path: Path, kills: int) -> None:
    path = tmp_path / "audit.jsonl"
    chance = random.Random(7)  # noqa: S311  # moments of a test, not secrets
    for _ in range(kills):
        durable = _write_until_killed(path, chance.uniform(0, 0.03))

        log = AuditLog.open(path, SteppingClock())
        assert log.head.seq >= durable
        log.append(INTENT)
        log.close()
        verdict = verify_file(path)
        assert verdict.intact
        assert verdict.head == log.head
