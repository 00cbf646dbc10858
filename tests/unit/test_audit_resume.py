"""A log that is opened again has the name, the tree and the stored nodes that it had, or makes them anew."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_logs import INTENT, OUTCOME, START, SteppingClock, lines_of
from leadglass_agent.audit.checkpoint import parse_verifier_key
from leadglass_agent.audit.log import AuditLog
from leadglass_agent.audit.node_store import NodeUnknown
from leadglass_agent.audit.proofs import root_at
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.audit.tree import EMPTY, leaf_hash
from whole_logs import assert_whole, files_of, lines_in, verify_whole

if TYPE_CHECKING:
    from pathlib import Path

    from leadglass_agent.audit.tree import Frontier

_STARTED = Event(kind=EventKind.AGENT_STARTED)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def _tree(path: Path) -> Path:
    return path.with_name(f"{path.name}.tree")


def _open(path: Path) -> AuditLog:
    return AuditLog.open(path, SteppingClock(), segment_bytes=20_000)


def _filled(path: Path, records: int) -> Frontier:
    log = _open(path)
    log.append([_STARTED])
    for _ in range(records):
        log.append([INTENT])
        log.rotate_if_due()
    log.close()
    return log.frontier


def _frontier_of(path: Path) -> Frontier:
    frontier = EMPTY
    for file in files_of(path):
        for line in file.read_bytes().splitlines():
            frontier = frontier.plus(leaf_hash(line))
    return frontier


def test_a_new_log_gets_a_name_of_its_own(tmp_path: Path) -> None:
    first = AuditLog.open(tmp_path / "a", SteppingClock(), origin_base="demo.leadglass/agent")
    second = AuditLog.open(tmp_path / "b", SteppingClock(), origin_base="demo.leadglass/agent")

    base, _, number = first.signer.origin.rpartition("/")
    assert base == "demo.leadglass/agent/log"
    assert len(bytes.fromhex(number)) == 8
    assert first.signer.origin != second.signer.origin
    assert first.last_time is None
    first.close()
    second.close()


def test_a_log_keeps_its_name_and_has_another_key_at_each_start(path: Path) -> None:
    _filled(path, 1)
    first = AuditLog.open(path, SteppingClock(), origin_base="other/agent")
    second_key = parse_verifier_key(first.signer.verifier_key)
    first.close()
    second = AuditLog.open(path, SteppingClock())

    assert first.signer.origin == second.signer.origin
    assert first.signer.origin.startswith("leadglass.dev/unnamed/log/")
    assert parse_verifier_key(second.signer.verifier_key).key_id != second_key.key_id
    second.close()


def test_a_log_that_was_killed_before_its_first_checkpoint_keeps_the_name_of_its_boot_record(path: Path) -> None:
    log = _open(path)
    log.append([Event(kind=EventKind.AGENT_STARTED, verifier_key=log.signer.verifier_key)])
    log.append([INTENT])
    killed = path.read_bytes()
    log.close()
    path.write_bytes(killed)

    again = _open(path)
    assert again.signer.origin == log.signer.origin
    assert again.frontier == _frontier_of(path)
    again.close()


@pytest.mark.parametrize("records", [0, 1, 62, 63, 64, 65, 200, 700])
def test_the_tree_is_as_it_was_with_the_stored_nodes_and_without(path: Path, records: int) -> None:
    before = _filled(path, records)
    for damage in ("none", "missing", "empty", "short", "longer", "other"):
        _damage(_tree(path), damage)

        log = _open(path)
        assert log.frontier == before == _frontier_of(path)
        assert_whole(log)
        log.close()


def _damage(tree: Path, how: str) -> None:
    size = tree.stat().st_size
    match how:
        case "missing":
            tree.unlink()
        case "empty":
            os.truncate(tree, 0)
        case "short":
            os.truncate(tree, size // 2)
        case "longer":
            with tree.open("ab") as stream:
                stream.write(b"\xaa" * 640)
        case "other":
            tree.write_bytes(b"\xbb" * size)
        case _:
            pass


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["append", "batch", "reopen", "kill", "lose", "rotate"]), max_size=25))
def test_any_order_of_writes_kills_and_losses_of_the_tree_leaves_one_log(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    path = tmp_path_factory.mktemp("log") / "audit.jsonl"
    log = AuditLog.open(path, SteppingClock(), segment_bytes=3_000)
    log.append([Event(kind=EventKind.AGENT_STARTED, verifier_key=log.signer.verifier_key)])
    origin = log.signer.origin
    for step in steps:
        match step:
            case "append":
                log.append([OUTCOME])
            case "batch":
                log.append([INTENT] * 40)
            case "rotate":
                log.rotate_if_due()
            case _:
                left = path.read_bytes()
                log.close()
                if step != "reopen":
                    path.write_bytes(left)  # as if nothing had been written at the end
                if step == "lose":
                    _tree(path).unlink()
                log = AuditLog.open(path, SteppingClock(), segment_bytes=3_000)
                log.append([_STARTED])
        assert log.signer.origin == origin
        assert log.frontier == _frontier_of(path)
        assert root_at(log.head.seq, log.nodes.node) == log.frontier.root()
    log.close()


def test_the_end_of_a_large_log_is_found_without_reading_its_beginning(path: Path) -> None:
    _filled(path, 0)
    log = AuditLog.open(path, SteppingClock())
    log.append([_STARTED])
    for _ in range(60):
        log.append([INTENT] * 100)
    log.close()
    with path.open("r+b") as stream:  # whoever reads it from the start gets another tree
        stream.seek(200)
        stream.write(b"\x00" * 1_000)

    again = AuditLog.open(path, SteppingClock())
    assert again.frontier == log.frontier
    again.close()


def test_a_log_whose_older_files_are_gone_has_its_tree_from_the_first_file_that_is_here(path: Path) -> None:
    before = _filled(path, 120)
    for file in files_of(path)[:2]:
        file.unlink()
    _tree(path).unlink()

    log = _open(path)
    assert log.frontier == before
    assert root_at(log.head.seq, log.nodes.node) == before.root()
    with pytest.raises(NodeUnknown):
        log.nodes.node(0, 0)
    assert log.first_seq > 1
    log.close()
    again = _open(path)
    assert again.frontier == before
    again.close()


def test_a_log_of_an_agent_that_knew_no_checkpoints_gets_its_tree(path: Path) -> None:
    path.write_bytes(b"".join(lines_of([INTENT, OUTCOME] * 300)))
    path.chmod(0o600)

    log = _open(path)
    assert log.frontier == _frontier_of(path)
    assert log.frontier.size == 600
    assert_whole(log)
    log.close()


def test_a_log_of_such_an_agent_that_begins_in_the_middle_goes_on_with_its_numbers(path: Path) -> None:
    lines = lines_of([INTENT, OUTCOME] * 10)
    path.write_bytes(b"".join(lines[7:]))
    path.chmod(0o600)

    log = _open(path)
    log.append([_STARTED])
    log.append([OUTCOME])
    log.close()

    assert log.frontier.size == log.head.seq == 24
    assert lines_in(path)[-1]["tree_size"] == 23
    again = _open(path)
    assert again.frontier == log.frontier
    again.close()


def test_records_that_vanished_leave_a_tree_that_goes_on_at_every_start(path: Path) -> None:
    log = _open(path)
    log.append([_STARTED])
    log.append([INTENT])
    size = path.stat().st_size
    log.append([OUTCOME] * 5)
    os.truncate(path, size)
    assert not log.probe()
    log.append([OUTCOME])
    log.close()
    before = log.frontier

    for lose in (False, True):
        if lose:
            _tree(path).unlink()
        again = _open(path)
        assert again.frontier == before
        again.close()
    assert not verify_whole(path).intact


def test_what_was_last_written_before_this_start_is_known(path: Path) -> None:
    clock = SteppingClock()
    log = AuditLog.open(path, clock)
    log.append([_STARTED])
    log.append([INTENT])
    killed = path.read_bytes()
    log.close()
    path.write_bytes(killed)

    again = AuditLog.open(path, SteppingClock())
    assert again.last_time is not None
    assert (again.last_time.kind, again.last_time.seq) == ("INTENT", 3)
    line = json.loads(killed.splitlines()[-1])
    assert again.last_time.boot_ns == line["boot_ns"]
    assert again.last_time.unix_ns // 1_000_000_000 == START.unix_ns // 1_000_000_000 + (
        (line["boot_ns"] - START.boot_ns) // 1_000_000_000
    )
    again.close()


def test_the_checkpoint_at_the_end_of_a_clean_stop_does_not_hide_the_stop(path: Path) -> None:
    log = _open(path)
    log.append([_STARTED])
    log.append([Event(kind=EventKind.AGENT_STOPPED)])
    log.close()
    assert lines_in(path)[-1]["kind"] == "CHECKPOINT"

    again = _open(path)
    assert again.last_time is not None
    assert again.last_time.kind == "AGENT_STOPPED"
    again.close()


def test_a_copy_of_the_log_without_its_tree_is_opened_as_the_log(path: Path, tmp_path: Path) -> None:
    _filled(path, 150)
    other = tmp_path / "copy"
    other.mkdir()
    for file in files_of(path):
        shutil.copy(file, other)

    log = _open(other / path.name)
    assert_whole(log)
    log.close()
