"""Over the wire, an agent's log proves itself to whoever may ask, and shows its records to auditors alone."""

from __future__ import annotations

import base64
import io
import json
import time
from typing import TYPE_CHECKING

import grpc
import pytest

from leadglass.v1 import agent_pb2, audit_pb2
from leadglass_agent.audit.checkpoint import Checkpoint, open_note
from leadglass_agent.audit.log_key import check_certified
from leadglass_agent.audit.proofs import verify_consistency, verify_inclusion
from leadglass_agent.audit.tree import leaf_hash
from leadglass_agent.audit.verify import verify
from leadglass_cli import Home, flags
from reference_tree import ReferenceTree
from running_agent import SERVER_NAME, TRUST_DOMAIN, reason_of, running_again, running_agent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from running_agent import Caller, RunningAgent

_RECEIPT = "leadglass-receipt-bin"


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("agent")) as running:
        yield running


def _lines(agent: RunningAgent) -> tuple[bytes, ...]:
    return tuple(agent.audit_log.read_bytes().rstrip(b"\0").splitlines())


def _state(caller: Caller) -> Checkpoint:
    reply = caller.call(caller.audit.GetCheckpoint, audit_pb2.GetCheckpointRequest())
    return open_note(reply.checkpoint, reply.verifier_key)


def _raw(hashes: Iterable[str]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(one) for one in hashes)


def _read(caller: Caller, **wanted: int | str) -> list[bytes]:
    records: list[bytes] = []
    for message in caller.audit.ReadLog(audit_pb2.ReadLogRequest(**wanted), timeout=60):  # type: ignore[arg-type] # by name
        records += [record.encode() for record in message.records]
    return records


def test_the_signed_state_is_that_of_the_file_and_its_key_is_the_agents(agent: RunningAgent) -> None:
    frank = agent.caller("frank", session=False)

    reply = frank.call(frank.audit.GetCheckpoint, audit_pb2.GetCheckpointRequest())

    state = open_note(reply.checkpoint, reply.verifier_key)
    assert state.root == ReferenceTree(_lines(agent)).root(state.size)
    assert state.origin.startswith(f"{TRUST_DOMAIN}/agent/test/log/")
    authorities = (agent.authority / "ca.crt").read_bytes()
    certified = check_certified(
        reply.verifier_key,
        reply.certificate,
        reply.key_signature,
        authorities_pem=authorities,
        at_unix=time.time(),
    )
    assert certified.spiffe_id == f"spiffe://{TRUST_DOMAIN}/agent/test"
    boot = agent.records()[0]
    assert boot["kind"] == "AGENT_STARTED"
    assert (boot["verifier_key"], boot["certificate"]) == (reply.verifier_key, reply.certificate)
    assert boot["key_signature"] == reply.key_signature


def test_each_call_comes_with_a_receipt_that_the_log_keeps(agent: RunningAgent) -> None:
    alice = agent.caller("alice", session=False)
    frank = agent.caller("frank", session=False)
    for _ in range(20):
        _, call = alice.agent.GetSelf.with_call(agent_pb2.GetSelfRequest(), timeout=10)
        wire = next(value for key, value in call.trailing_metadata() if key == _RECEIPT)
        assert isinstance(wire, bytes)
        receipt = audit_pb2.Receipt.FromString(wire)
        state = open_note(receipt.checkpoint, receipt.verifier_key)
        assert verify_inclusion(receipt.leaf_hash, receipt.seq - 1, state.size, receipt.hashes, state.root)
        line = _lines(agent)[receipt.seq - 1]
        assert receipt.leaf_hash == leaf_hash(line)
        record = json.loads(line)
        assert (record["kind"], record["caller"]) == ("OUTCOME", f"spiffe://{TRUST_DOMAIN}/user/alice")

        later = frank.call(frank.audit.GetConsistencyProof, audit_pb2.GetConsistencyProofRequest(old_size=state.size))
        now = open_note(later.checkpoint, receipt.verifier_key)
        assert verify_consistency(state.size, state.root, now.size, now.root, _raw(later.hashes))


def test_a_refused_call_has_a_receipt_too(agent: RunningAgent) -> None:
    alice = agent.caller("alice", session=False)

    with pytest.raises(grpc.RpcError) as refused:
        list(alice.audit.ReadLog(audit_pb2.ReadLogRequest(), timeout=10))

    assert reason_of(refused.value) == "POLICY_DENIED"
    assert isinstance(refused.value, grpc.Call)
    wire = next(value for key, value in refused.value.trailing_metadata() if key == _RECEIPT)
    assert isinstance(wire, bytes)
    receipt = audit_pb2.Receipt.FromString(wire)
    record = json.loads(_lines(agent)[receipt.seq - 1])
    assert (record["kind"], record["refusal"]) == ("REFUSED", "POLICY_DENIED")


def test_records_are_read_as_they_lie_on_disk(agent: RunningAgent) -> None:
    alice, frank = agent.caller("alice"), agent.caller("frank", session=False)

    records = _read(frank, max_records=100_000)
    mine = [json.loads(record) for record in _read(frank, session_id=alice.session_id)]

    assert tuple(records) == _lines(agent)[: len(records)]
    assert len(records) > 5
    assert {record["session_id"] for record in mine} == {alice.session_id}
    assert "SESSION_OPENED" in {record["kind"] for record in mine}


def test_what_is_not_there_is_unknown_and_what_is_no_number_is_refused(agent: RunningAgent) -> None:
    frank = agent.caller("frank", session=False)
    for request, reason in (
        (audit_pb2.GetInclusionProofRequest(seq=10**9), "RECORD_UNKNOWN"),
        (audit_pb2.GetInclusionProofRequest(seq=5, tree_size=4), "RECORD_UNKNOWN"),
        (audit_pb2.GetInclusionProofRequest(), "INVALID_REQUEST"),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            frank.call(frank.audit.GetInclusionProof, request)
        assert reason_of(refused.value) == reason
    with pytest.raises(grpc.RpcError) as refused:
        _read(frank, first_seq=10**9)
    assert reason_of(refused.value) == "RECORD_UNKNOWN"


def test_a_log_goes_on_over_a_restart_under_a_new_key(tmp_path: Path) -> None:
    with running_agent(tmp_path) as agent:
        before = _state(agent.caller("frank", session=False))
    with running_again(tmp_path) as agent:
        frank = agent.caller("frank", session=False)
        reply = frank.call(frank.audit.GetCheckpoint, audit_pb2.GetCheckpointRequest())
        after = open_note(reply.checkpoint, reply.verifier_key)
        proof = frank.call(
            frank.audit.GetConsistencyProof,
            audit_pb2.GetConsistencyProofRequest(old_size=before.size, new_size=after.size),
        )

    assert after.origin == before.origin
    assert base64.b64encode(after.root).decode() in reply.checkpoint
    assert verify_consistency(before.size, before.root, after.size, after.root, _raw(proof.hashes))


def test_the_command_proves_the_log_saves_it_and_checks_the_copy(agent: RunningAgent, tmp_path: Path) -> None:
    home, given = Home(tmp_path), flags(agent.address, agent.client("frank"), SERVER_NAME)

    first = home.run(*given, "audit", "checkpoint")
    second = home.run(*given, "audit", "checkpoint", "-o", "json")
    copied = home.run(*given, "audit", "log")
    some = home.run(*given, "audit", "log", "--from", "2", "--max", "3")

    assert (first.code, second.code, copied.code, some.code) == (0, 0, 0, 0), first.err + second.err + copied.err
    assert "the first state of the log that you have" in first.out
    shown = json.loads(second.out)
    assert 0 < shown["proved_from_size"] < shown["size"]
    assert open_note(shown["checkpoint"], shown["verifier_key"]).root.hex() == shown["root_hash"]
    lines = copied.out.encode().splitlines()
    assert tuple(lines) == _lines(agent)[: len(lines)]
    assert verify(io.BytesIO(copied.out.encode())).intact
    assert some.out.encode().splitlines() == lines[1:4]
    assert some.err.strip().endswith("there may be more: --from 5")
    copy = tmp_path / "copy.jsonl"
    copy.write_text(copied.out)
    verified = home.run("audit", "verify", str(copy), "--receipts", str(home.folder / "state/leadglass/receipts"))
    assert verified.code == 0, verified.out + verified.err


def test_who_may_not_read_the_log_is_told_so_and_can_check_it_all_the_same(agent: RunningAgent, tmp_path: Path) -> None:
    home, given = Home(tmp_path), flags(agent.address, agent.client("alice"), SERVER_NAME)

    assert home.run_here(*given, "audit", "log").code == 3
    assert home.run_here(*given, "audit", "checkpoint").code == 0
