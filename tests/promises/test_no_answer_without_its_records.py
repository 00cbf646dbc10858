"""Promise: on a disk that is full most of the time no caller gets an answer whose records are not durable."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from leadglass.v1 import audit_pb2, common_pb2, inspect_pb2
from leadglass_agent.audit.canonical import parse
from leadglass_agent.audit.tree import leaf_hash
from leadglass_agent.audit.verify import verify_segments
from running_agent import reason_of, running_agent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running_agent import Caller, RunningAgent

_CAP_SYS_ADMIN = 1 << 21  # capabilities(7): mount needs it, and root in a container may not have it
_CALLERS = 4
_SECONDS = 60.0
_QUIET_SECONDS = 0.1  # a caller that is refused does not ask again at once
_LISTING = inspect_pb2.ListEnvironmentRequest(process=common_pb2.ProcessRef(pid=os.getpid()), names=["PATH"])


def _can_mount() -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) & _CAP_SYS_ADMIN)
    return False


needs_mount = pytest.mark.skipif(not _can_mount(), reason="mounting a file system needs CAP_SYS_ADMIN")


@dataclass
class _Seen:
    """What the callers saw."""

    receipts: list[audit_pb2.Receipt] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    without_receipt: int = 0

    @property
    def calls(self) -> int:
        """Number of all calls that ended."""
        return len(self.receipts) + len(self.reasons) + self.without_receipt


@contextmanager
def _volume(directory: Path) -> Iterator[Path]:
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


def _call(caller: Caller, calls: int, seen: _Seen) -> None:
    """Makes calls, whatever becomes of them."""
    for _ in range(calls):
        try:
            reply, call = caller.inspect.ListEnvironment.with_call(
                _LISTING, timeout=_SECONDS, metadata=(("leadglass-session", caller.session_id),)
            )
        except grpc.RpcError as error:
            seen.reasons.append(reason_of(error))
            continue
        assert reply.variables
        found = [value for key, value in call.trailing_metadata() if isinstance(value, bytes) and "receipt" in key]
        if len(found) == 1:
            seen.receipts.append(audit_pb2.Receipt.FromString(found[0]))
        else:
            seen.without_receipt += 1


def _carry_away(agent: RunningAgent, kept: Path) -> None:
    """Moves the log away as an operator does, and waits until the agent writes to it no more before it is copied."""
    moved = agent.audit_log.with_name("moved")
    agent.audit_log.rename(moved)
    deadline = time.monotonic() + _SECONDS
    while not agent.audit_log.exists():
        assert time.monotonic() < deadline, "the agent did not go on in a new file"
        time.sleep(0.01)
    shutil.copy(moved, kept)
    moved.unlink()


def _is_full(agent: RunningAgent) -> bool:
    return b'"kind":"AUDIT_HALT"' in agent.audit_log.read_bytes()[-4_096:]


@needs_mount
@pytest.mark.parametrize(
    "calls", [pytest.param(500, id="500 calls"), pytest.param(10_000, id="10000 calls", marks=pytest.mark.slow)]
)
def test_every_answer_has_its_intent_and_its_outcome_on_disk(tmp_path: Path, calls: int) -> None:
    pieces: list[Path] = []
    seen = [_Seen() for _ in range(_CALLERS)]
    with _volume(tmp_path / "audit"), running_agent(tmp_path) as agent:
        callers = [agent.caller("alice" if number % 2 else "bob") for number in range(_CALLERS)]
        with ThreadPoolExecutor(_CALLERS) as pool:
            working = [
                pool.submit(_call, caller, calls // _CALLERS, one) for caller, one in zip(callers, seen, strict=True)
            ]
            while not all(one.done() for one in working):
                if _is_full(agent):
                    pieces.append(tmp_path / f"piece-{len(pieces):06}")
                    _carry_away(agent, pieces[-1])
                time.sleep(_QUIET_SECONDS)
            for one in working:
                one.result()
        agent.stop()
        pieces.append(Path(shutil.copy(agent.audit_log, tmp_path / "last")))
    assert sum(one.calls for one in seen) == calls
    assert sum(len(one.receipts) for one in seen) > calls // 100
    assert len(pieces) > 1
    assert "AUDIT_UNAVAILABLE" in {reason for one in seen for reason in one.reasons}
    _hold(pieces, seen)


def _hold(pieces: list[Path], seen: list[_Seen]) -> None:
    """Holds each answer against the log: its OUTCOME has the receipt's number and hash, its INTENT comes before."""
    records: dict[int, bytes] = {}
    intents: dict[str, int] = {}
    for piece in pieces:
        for line in piece.read_bytes().splitlines():
            fields = parse(line)
            assert isinstance(fields["seq"], int)
            records[fields["seq"]] = line
            if fields["kind"] == "INTENT":
                intents[str(fields["call_id"])] = fields["seq"]
    for one in seen:
        assert one.without_receipt == 0
        for receipt in one.receipts:
            line = records[receipt.seq]
            outcome = parse(line)
            assert leaf_hash(line) == receipt.leaf_hash
            assert outcome["kind"] == "OUTCOME"
            assert intents[str(outcome["call_id"])] < receipt.seq
    with ExitStack() as stack:
        verdict = verify_segments([stack.enter_context(piece.open("rb")) for piece in pieces])
    assert verdict.intact, verdict
