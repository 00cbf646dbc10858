"""What AuditService says of the log holds: every proof leads to a signed state, every record is the one on disk."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from certificates import Recipe, auth_context, issue, new_authority
from gates import BuiltGate, built_gate
from leadglass.v1 import audit_pb2
from leadglass_agent.api.methods import method_table
from leadglass_agent.api.peer import Peer
from leadglass_agent.audit.checkpoint import Checkpoint, open_note
from leadglass_agent.audit.log import AuditLog
from leadglass_agent.audit.page import read_page
from leadglass_agent.audit.proofs import verify_consistency, verify_inclusion
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.audit.tree import leaf_hash
from leadglass_agent.audit.view import LogView
from leadglass_agent.clock import now
from leadglass_agent.errors import InvalidRequest, KnownValue, PolicyDenied, RecordUnknown, SessionUnknown
from leadglass_agent.processes.frames import FrameBuffer, frame
from leadglass_agent.processes.messages import CheckAnswer, CheckRequest, HeldPiece, decode_request, encode_answer
from leadglass_agent.processes.reader_client import ReaderClient
from reference_tree import ReferenceTree
from running_agent import OPEN_POLICY, TRUST_DOMAIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from google.protobuf.message import Message

_AUTHORITY: Final = new_authority()
_METHODS: Final = method_table()
_FRANK: Final = issue(_AUTHORITY, Recipe(uris=(f"spiffe://{TRUST_DOMAIN}/user/frank",))).pem
_ALICE: Final = issue(_AUTHORITY, Recipe()).pem
_SERVICE: Final = "/leadglass.v1.AuditService"


@dataclass(frozen=True, slots=True)
class Asked:
    """A gate over a log."""

    built: BuiltGate

    async def answer(self, name: str, request: Message, pem: bytes = _FRANK) -> bytes:
        """Makes a call of AuditService that one message answers."""
        method = f"{_SERVICE}/{name}"
        return await self.built.gate.answer(method, _METHODS[method], _at_once(request), _peer(pem))

    async def log(self, request: audit_pb2.ReadLogRequest, pem: bytes = _FRANK) -> list[audit_pb2.ReadLogResponse]:
        """Reads records; gives the messages."""
        messages: list[audit_pb2.ReadLogResponse] = []

        async def send(wire: bytes) -> None:
            messages.append(audit_pb2.ReadLogResponse.FromString(wire))

        method = f"{_SERVICE}/ReadLog"
        await self.built.gate.relay(method, _METHODS[method], _at_once(request), send, _peer(pem))
        return messages

    async def state(self) -> Checkpoint:
        """Asks for the signed state of the log."""
        reply = audit_pb2.GetCheckpointResponse.FromString(
            await self.answer("GetCheckpoint", audit_pb2.GetCheckpointRequest())
        )
        return open_note(reply.checkpoint, reply.verifier_key)

    async def inclusion(self, seq: int, size: int) -> audit_pb2.GetInclusionProofResponse:
        """Asks for the proof that a record is in the log."""
        request = audit_pb2.GetInclusionProofRequest(seq=seq, tree_size=size)
        return audit_pb2.GetInclusionProofResponse.FromString(await self.answer("GetInclusionProof", request))

    async def consistency(self, old: int, new: int) -> audit_pb2.GetConsistencyProofResponse:
        """Asks for the proof that one state begins another."""
        request = audit_pb2.GetConsistencyProofRequest(old_size=old, new_size=new)
        return audit_pb2.GetConsistencyProofResponse.FromString(await self.answer("GetConsistencyProof", request))

    def lines(self) -> tuple[bytes, ...]:
        """Reads the records that are in the active file."""
        return tuple(self.built.log.read_bytes().rstrip(b"\0").splitlines())


def _at_once(request: Message) -> Callable[[], Awaitable[bytes]]:
    async def receive() -> bytes:
        return request.SerializeToString()

    return receive


def _peer(pem: bytes) -> Peer:
    return Peer(auth_context(pem), "ipv4:127.0.0.1:1", (), None)


_KNOWN: Final = b"a-value-of-the-pod"


@pytest.fixture
async def reader() -> AsyncIterator[ReaderClient]:
    """Gives a reader that knows one value, and finds it wherever it is."""
    ours, theirs = socket.socketpair()
    asking, answering = await asyncio.open_unix_connection(sock=theirs)

    async def look() -> None:
        buffer = FrameBuffer()
        while data := await asking.read(65_536):
            for payload in buffer.feed(data):
                request = decode_request(payload)
                assert isinstance(request, CheckRequest)
                held = (HeldPiece(1, "environment"),) if _KNOWN in request.text else ()
                for part in encode_answer(request.id, CheckAnswer(held)):
                    answering.write(frame(part))

    client = await ReaderClient.connect(ours)
    tasks = [asyncio.create_task(client.run()), asyncio.create_task(look())]
    yield client
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    answering.close()


def _filled(path: Path, count: int, *, session_id: str = "", detail: str = "", segment_bytes: int = 2**26) -> None:
    """Writes a log of that many records; every tenth is of the session."""
    log = AuditLog.open(path, now, segment_bytes=segment_bytes)
    for start in range(0, count, 100):
        log.append(
            [
                Event(
                    kind=EventKind.REVIEW_CLOSED,
                    session_id=session_id if number % 10 == 3 else f"other-{number}",
                    detail=f"{number} {detail}",
                )
                for number in range(start, min(start + 100, count))
            ]
        )
        log.rotate_if_due()
    log.close()


def _delete_oldest(folder: Path) -> int:
    """Deletes the oldest file of the log; gives the number of the first record that is left."""
    closed = sorted(folder.glob("audit.jsonl.0*"))
    assert len(closed) > 3
    closed[0].unlink()
    return int(closed[1].name.rpartition(".")[2])


async def test_every_state_that_is_signed_is_that_of_the_records_on_disk(tmp_path: Path, reader: ReaderClient) -> None:
    with built_gate(tmp_path, reader, _AUTHORITY, OPEN_POLICY) as built:
        asked = Asked(built)
        for _ in range(10):
            state = await asked.state()
            reference = ReferenceTree(asked.lines())
            # The call's own outcome is written behind the state that it gives.
            assert 0 < state.size < len(reference.entries)
            assert state.root == reference.root(state.size)


async def test_every_record_of_every_state_is_proved(tmp_path: Path, reader: ReaderClient) -> None:
    _filled(tmp_path / "audit.jsonl", 12)
    with built_gate(tmp_path, reader, _AUTHORITY, OPEN_POLICY) as built:
        asked = Asked(built)
        for size in range(1, 13):
            for seq in range(1, size + 1):
                proof = await asked.inclusion(seq, size)
                reference = ReferenceTree(asked.lines())
                assert bytes.fromhex(proof.leaf_hash) == leaf_hash(reference.entries[seq - 1])
                assert bytes.fromhex(proof.root_hash) == reference.root(size)
                assert tuple(bytes.fromhex(one) for one in proof.hashes) == reference.path(seq - 1, size)
                assert (proof.tree_size, proof.checkpoint) == (size, "")


async def test_every_state_is_proved_to_begin_every_later_one(tmp_path: Path, reader: ReaderClient) -> None:
    _filled(tmp_path / "audit.jsonl", 12)
    with built_gate(tmp_path, reader, _AUTHORITY, OPEN_POLICY) as built:
        asked = Asked(built)
        for new in range(1, 13):
            for old in range(1, new + 1):
                proof = await asked.consistency(old, new)
                reference = ReferenceTree(asked.lines())
                assert tuple(bytes.fromhex(one) for one in proof.hashes) == reference.proof(old, new)
                assert bytes.fromhex(proof.new_root_hash) == reference.root(new)
                assert (proof.new_size, proof.checkpoint) == (new, "")


async def test_a_proof_of_the_log_as_it_is_comes_with_its_signed_state(tmp_path: Path, reader: ReaderClient) -> None:
    with built_gate(tmp_path, reader, _AUTHORITY, OPEN_POLICY) as built:
        asked = Asked(built)
        earlier = await asked.state()
        key = audit_pb2.GetCheckpointResponse.FromString(
            await asked.answer("GetCheckpoint", audit_pb2.GetCheckpointRequest())
        ).verifier_key

        later = await asked.consistency(earlier.size, 0)
        state = open_note(later.checkpoint, key)
        hashes = tuple(bytes.fromhex(one) for one in later.hashes)
        assert (state.size, state.root.hex()) == (later.new_size, later.new_root_hash)
        assert verify_consistency(earlier.size, earlier.root, state.size, state.root, hashes)

        proof = await asked.inclusion(1, 0)
        state = open_note(proof.checkpoint, key)
        hashes = tuple(bytes.fromhex(one) for one in proof.hashes)
        assert verify_inclusion(leaf_hash(asked.lines()[0]), 0, state.size, hashes, state.root)


@pytest.mark.parametrize(("seq", "size"), [(3, 2), (1, 10**6), (10**6, 0), (2**64 - 1, 0), (1, 2**64 - 1)])
async def test_a_record_or_state_that_is_not_there_is_unknown(
    tmp_path: Path, reader: ReaderClient, seq: int, size: int
) -> None:
    with built_gate(tmp_path, reader, _AUTHORITY, OPEN_POLICY) as built:
        asked = Asked(built)
        with pytest.raises(RecordUnknown):
            await asked.inclusion(seq, size)
        with pytest.raises(RecordUnknown):
            await asked.consistency(seq, size)


async def test_numbers_count_from_one_and_are_not_negative(tmp_path: Path, reader: ReaderClient) -> None:
    with built_gate(tmp_path, reader, _AUTHORITY, OPEN_POLICY) as built:
        asked = Asked(built)
        with pytest.raises(InvalidRequest):
            await asked.inclusion(0, 1)
        with pytest.raises(InvalidRequest):
            await asked.consistency(0, 1)
        with pytest.raises(InvalidRequest):
            await asked.log(audit_pb2.ReadLogRequest(max_records=-1))
        with pytest.raises(SessionUnknown):
            await asked.log(audit_pb2.ReadLogRequest(session_id="x" * 1_000))


async def test_the_whole_log_is_read_as_it_lies_on_disk(tmp_path: Path, reader: ReaderClient) -> None:
    _filled(tmp_path / "audit.jsonl", 2_500, detail="x" * 300)
    with built_gate(tmp_path, reader, _AUTHORITY, OPEN_POLICY) as built:
        asked = Asked(built)
        messages = await asked.log(audit_pb2.ReadLogRequest(max_records=100_000))

    records = [record.encode() for message in messages for record in message.records]
    assert len(records) > 2_500
    assert tuple(records) == asked.lines()[: len(records)]
    # The call's own intent is the last record of the log that it reads.
    assert json.loads(records[-1])["method"] == f"{_SERVICE}/ReadLog"
    assert len(messages) > 4
    assert [message.is_last for message in messages] == [False] * (len(messages) - 1) + [True]
    assert {message.next_seq for message in messages} == {0}
    assert max(sum(len(record) for record in message.records) for message in messages) <= 256 * 1024


async def test_a_log_is_read_in_parts_without_a_gap(tmp_path: Path, reader: ReaderClient) -> None:
    _filled(tmp_path / "audit.jsonl", 95)
    with built_gate(tmp_path, reader, _AUTHORITY, OPEN_POLICY) as built:
        asked = Asked(built)
        seqs: list[int] = []
        following = 1
        while following and following <= 95:
            messages = await asked.log(audit_pb2.ReadLogRequest(first_seq=following, max_records=10))
            records = [json.loads(record) for message in messages for record in message.records]
            assert len(records) == 10
            seqs += [record["seq"] for record in records]
            following = messages[-1].next_seq

    assert seqs == list(range(1, 101))


async def test_without_a_number_a_thousand_records_are_given(tmp_path: Path, reader: ReaderClient) -> None:
    _filled(tmp_path / "audit.jsonl", 1_200)
    with built_gate(tmp_path, reader, _AUTHORITY, OPEN_POLICY) as built:
        messages = await Asked(built).log(audit_pb2.ReadLogRequest())

    assert sum(len(message.records) for message in messages) == 1_000
    assert messages[-1].next_seq == 1_001


async def test_the_records_of_one_session_are_given_and_no_others(tmp_path: Path, reader: ReaderClient) -> None:
    _filled(tmp_path / "audit.jsonl", 20_000, session_id="the-one", detail="other-5 the-one " + "x" * 200)
    with built_gate(tmp_path, reader, _AUTHORITY, OPEN_POLICY) as built:
        asked = Asked(built)
        messages = await asked.log(audit_pb2.ReadLogRequest(max_records=100_000, session_id="the-one"))
        some = await asked.log(audit_pb2.ReadLogRequest(first_seq=10, max_records=7, session_id="the-one"))
        none = await asked.log(audit_pb2.ReadLogRequest(session_id="nobodys"))

    records = [json.loads(record) for message in messages for record in message.records]
    assert len(records) == 2_000
    assert {record["session_id"] for record in records} == {"the-one"}
    assert len([record for message in some for record in message.records]) == 7
    following = json.loads(some[-1].records[-1])["seq"] + 1
    assert following <= some[-1].next_seq <= following + 10
    assert [(list(message.records), message.is_last, message.next_seq) for message in none] == [([], True, 0)]


async def test_behind_the_end_there_is_nothing_yet_and_further_on_nothing_known(
    tmp_path: Path, reader: ReaderClient
) -> None:
    with built_gate(tmp_path, reader, _AUTHORITY, OPEN_POLICY) as built:
        asked = Asked(built)
        size = (await asked.state()).size
        # Two records of that call, the intent of this one.
        messages = await asked.log(audit_pb2.ReadLogRequest(first_seq=size + 3))
        assert [(list(message.records), message.next_seq) for message in messages] == [([], 0)]
        with pytest.raises(RecordUnknown):
            await asked.log(audit_pb2.ReadLogRequest(first_seq=size + 50))
        with pytest.raises(RecordUnknown):
            await asked.log(audit_pb2.ReadLogRequest(first_seq=2**64 - 1))


async def test_records_are_read_over_segments_and_those_that_were_deleted_are_unknown(
    tmp_path: Path, reader: ReaderClient
) -> None:
    _filled(tmp_path / "audit.jsonl", 1_000, segment_bytes=40_000)
    first = _delete_oldest(tmp_path)
    with built_gate(tmp_path, reader, _AUTHORITY, OPEN_POLICY) as built:
        asked = Asked(built)
        messages = await asked.log(audit_pb2.ReadLogRequest(max_records=100_000))
        with pytest.raises(RecordUnknown):
            await asked.log(audit_pb2.ReadLogRequest(first_seq=first - 1))

    seqs = [json.loads(record)["seq"] for message in messages for record in message.records]
    assert seqs == list(range(first, seqs[-1] + 1))
    assert seqs[-1] > 1_000


async def test_proofs_still_hold_when_the_file_of_the_tree_is_lost_or_damaged(
    tmp_path: Path, reader: ReaderClient
) -> None:
    path, tree = tmp_path / "audit.jsonl", tmp_path / "audit.jsonl.tree"
    _filled(path, 300)
    tree.unlink()
    with built_gate(tmp_path, reader, _AUTHORITY, OPEN_POLICY) as built:
        asked = Asked(built)
        for seq in (1, 150, 299):
            proof = await asked.inclusion(seq, 300)
            reference = ReferenceTree(asked.lines())
            assert tuple(bytes.fromhex(one) for one in proof.hashes) == reference.path(seq - 1, 300)
        data = bytearray(tree.read_bytes())
        data[64 * 10] ^= 1
        tree.write_bytes(data)
        # Whatever the file says: a proof that does not hold is not given.
        for seq in range(1, 30):
            try:
                proof = await asked.inclusion(seq, 300)
            except RecordUnknown:
                continue
            assert tuple(bytes.fromhex(one) for one in proof.hashes) == reference.path(seq - 1, 300)


async def test_the_log_is_read_by_who_may_alone(tmp_path: Path, reader: ReaderClient) -> None:
    with built_gate(tmp_path, reader, _AUTHORITY, OPEN_POLICY) as built:
        asked = Asked(built)
        await asked.answer("GetCheckpoint", audit_pb2.GetCheckpointRequest(), _ALICE)
        with pytest.raises(PolicyDenied):
            await asked.log(audit_pb2.ReadLogRequest(), _ALICE)

        records = [json.loads(line) for line in asked.lines()]
    assert [record["kind"] for record in records][-1] == "REFUSED"


async def test_what_is_asked_is_recorded_in_words(tmp_path: Path, reader: ReaderClient) -> None:
    with built_gate(tmp_path, reader, _AUTHORITY, OPEN_POLICY) as built:
        asked = Asked(built)
        await asked.state()
        await asked.inclusion(1, 2)
        await asked.consistency(1, 2)
        await asked.log(audit_pb2.ReadLogRequest(first_seq=2, session_id="some-session"))
        records = [json.loads(line) for line in asked.lines()]

    asked_for = [record.get("arguments") for record in records if record["kind"] == "OUTCOME"]
    assert asked_for == [
        None,
        {"seq": ["1"], "tree_size": ["2"]},
        {"old_size": ["1"], "new_size": ["2"]},
        {"first_seq": ["2"], "max_records": ["1000"], "session_id": ["some-session"]},
    ]


async def test_how_many_records_were_shown_is_recorded(tmp_path: Path, reader: ReaderClient) -> None:
    _filled(tmp_path / "audit.jsonl", 50)
    with built_gate(tmp_path, reader, _AUTHORITY, OPEN_POLICY) as built:
        asked = Asked(built)
        await asked.log(audit_pb2.ReadLogRequest(first_seq=3, max_records=17))
        outcome = json.loads(asked.lines()[-1])

    assert (outcome["kind"], outcome["rows"]) == ("OUTCOME", 17)


async def test_words_that_callers_wrote_do_not_keep_the_log_from_being_read_and_all_else_does(
    tmp_path: Path, reader: ReaderClient
) -> None:
    path, value = tmp_path / "audit.jsonl", _KNOWN.decode()
    log = AuditLog.open(path, now)
    spoken = Event(kind=EventKind.INTENT, reason_text=value, ticket=value, arguments=(("paths", f"/{value}"),))
    log.append([spoken, Event(kind=EventKind.INTENT, reason_text=f"it is {value}")])
    spoken_seq = log.head.seq
    log.append([Event(kind=EventKind.REFUSED, detail=value)])
    log.close()
    with built_gate(tmp_path, reader, _AUTHORITY, OPEN_POLICY) as built:
        asked = Asked(built)
        messages = await asked.log(audit_pb2.ReadLogRequest(first_seq=1, max_records=spoken_seq))
        assert sum(record.count(value) for record in messages[0].records) == 4
        with pytest.raises(KnownValue):
            await asked.log(audit_pb2.ReadLogRequest(first_seq=spoken_seq + 1))


def test_a_page_ends_after_what_was_looked_through_and_at_the_record_that_was_the_last(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    _filled(path, 9_000, detail="x" * 300)
    log = AuditLog.open(path, now)
    view = LogView(log)

    looked = read_page(view, 1, view.last_seq, 1_000, "nobodys")
    all_of_it = read_page(view, 1, 5, 1_000, "")

    assert looked.lines == ()
    assert 2_000 < looked.next_seq < 9_000
    assert [json.loads(line)["seq"] for line in all_of_it.lines] == [1, 2, 3, 4, 5]
    assert all_of_it.next_seq == 0
    log.close()
