"""Promise: an agent that is killed at any moment leaves a log that the next one continues, with nothing lost."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from audit_logs import INTENT, OUTCOME, SteppingClock
from leadglass_agent.audit.log import AuditLog
from leadglass_agent.audit.record import Event, EventKind
from whole_logs import assert_whole, files_of, kinds_in

if TYPE_CHECKING:
    from collections.abc import Iterator

_WRITER = Path(__file__).parent.parent / "support" / "audit_writer.py"
_SHORT = Event(kind=EventKind.INTENT)
_KILLS_A_LOG = 20
_SEGMENT_BYTES = 30_000  # so that many a kill meets a change of files


def _write_until_killed(path: Path, seconds: float) -> int:
    """Runs a writer, kills it some time after its first record, and returns the last number it said was durable."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(_WRITER), str(path), str(_SEGMENT_BYTES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as writer:
        assert writer.stdout is not None
        said = writer.stdout.readline()
        time.sleep(seconds)
        writer.kill()
        said += writer.stdout.read()
    return int(said.split()[-1])


@pytest.mark.parametrize(
    "kills", [pytest.param(20, id="20 kills"), pytest.param(200, id="200 kills", marks=pytest.mark.slow)]
)
def test_every_record_that_was_durable_is_there_after_a_kill(tmp_path: Path, kills: int) -> None:
    chance = random.Random(7)  # noqa: S311  # moments of a test, not secrets
    for log in range(kills // _KILLS_A_LOG):
        _kill_again_and_again(tmp_path / f"{log}.jsonl", chance)


def _kill_again_and_again(path: Path, chance: random.Random) -> None:
    origins: set[str] = set()
    for _ in range(_KILLS_A_LOG):
        durable = _write_until_killed(path, chance.uniform(0, 0.05))

        is_named = any('"origin":' in file.read_text() for file in files_of(path))
        log = AuditLog.open(path, SteppingClock(), segment_bytes=_SEGMENT_BYTES)
        assert log.head.seq >= durable
        log.append([INTENT])
        assert_whole(log)
        if is_named:
            origins.add(log.signer.origin)
        log.close()
    assert len(origins) == 1  # it is one log, whoever continues it
    assert len(files_of(path)) > 1


@pytest.fixture
def quick_disk(tmp_path: Path) -> Iterator[Path]:
    """Gives a folder in memory where there is one: a test of a thousand starts waits for the disk otherwise."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_a_batch_that_was_cut_at_any_byte_is_repaired_and_the_log_goes_on(quick_disk: Path) -> None:
    source = quick_disk / "source" / "audit.jsonl"
    source.parent.mkdir()
    log = AuditLog.open(source, SteppingClock())
    log.append([Event(kind=EventKind.AGENT_STARTED)])
    acknowledged = source.stat().st_size
    log.append([_SHORT] * 3)
    log.close()
    before_batch = source.read_bytes()
    assert kinds_in(source)[-1] == "CHECKPOINT"

    for end in range(acknowledged, len(before_batch) + 1):
        directory = quick_disk / "cut"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        path = directory / "audit.jsonl"
        path.write_bytes(before_batch[:end])
        path.chmod(0o600)
        if end % 2:  # what is stored of the tree may be behind, or ahead
            shutil.copy(source.with_name("audit.jsonl.tree"), directory)

        again = AuditLog.open(path, SteppingClock())
        again.append([OUTCOME])
        assert_whole(again)
        again.close()

        kinds = kinds_in(path)
        whole_lines = before_batch[:end].count(b"\n")
        assert ("TAIL_REPAIRED" in kinds) is not before_batch[:end].endswith(b"\n")
        assert kinds[-1] == "OUTCOME"
        assert len(kinds) == whole_lines + 1 + ("TAIL_REPAIRED" in kinds)
