"""The questions of AuditService about the log: its signed state, proofs, and its records."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from leadglass.v1 import audit_pb2
from leadglass_agent.api.access import session_id_of
from leadglass_agent.api.question import Call, LiveCall, Ports, Question, Reply, StreamQuestion, parse
from leadglass_agent.api.request_bounds import arguments_of
from leadglass_agent.audit.page import read_page
from leadglass_agent.errors import InvalidRequest, RecordUnknown

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

# The bounds that the contract states beside each field.
_DEFAULT_RECORDS: Final = 1_000
_MAX_RECORDS: Final = 100_000

# An orderly last message instead of a deadline that passed.
_MARGIN_SECONDS: Final = 1.0


def get_checkpoint(wire: bytes) -> Question:
    """Reads a GetCheckpointRequest."""
    parse(audit_pb2.GetCheckpointRequest, wire)

    async def answer(ports: Ports, _call: Call) -> Reply:
        state = ports.audit_log.checkpoint()
        return Reply(
            audit_pb2.GetCheckpointResponse(
                checkpoint=state.note,
                verifier_key=state.verifier_key,
                certificate=state.certificate,
                key_signature=state.key_signature,
            )
        )

    return Question(arguments=(), answer=answer)


def get_inclusion_proof(wire: bytes) -> Question:
    """Reads a GetInclusionProofRequest."""
    request = parse(audit_pb2.GetInclusionProofRequest, wire)
    _check_numbered(request.seq)

    async def answer(ports: Ports, _call: Call) -> Reply:
        proof = await asyncio.to_thread(ports.audit_log.inclusion, request.seq, request.tree_size)
        return Reply(
            audit_pb2.GetInclusionProofResponse(
                leaf_hash=proof.leaf_hash.hex(),
                hashes=[one.hex() for one in proof.hashes],
                tree_size=proof.size,
                root_hash=proof.root.hex(),
                checkpoint=proof.note,
            )
        )

    arguments = arguments_of(("seq", str(request.seq)), ("tree_size", str(request.tree_size or "")))
    return Question(arguments=arguments, answer=answer)


def get_consistency_proof(wire: bytes) -> Question:
    """Reads a GetConsistencyProofRequest."""
    request = parse(audit_pb2.GetConsistencyProofRequest, wire)
    _check_numbered(request.old_size)

    async def answer(ports: Ports, _call: Call) -> Reply:
        proof = await asyncio.to_thread(ports.audit_log.consistency, request.old_size, request.new_size)
        return Reply(
            audit_pb2.GetConsistencyProofResponse(
                hashes=[one.hex() for one in proof.hashes],
                new_size=proof.size,
                new_root_hash=proof.root.hex(),
                checkpoint=proof.note,
            )
        )

    arguments = arguments_of(("old_size", str(request.old_size)), ("new_size", str(request.new_size or "")))
    return Question(arguments=arguments, answer=answer)


def read_log(wire: bytes) -> StreamQuestion:
    """Reads a ReadLogRequest."""
    request = parse(audit_pb2.ReadLogRequest, wire)
    if request.max_records < 0:
        detail = "max_records is negative"
        raise InvalidRequest(detail)
    most = min(request.max_records or _DEFAULT_RECORDS, _MAX_RECORDS)
    session_id = session_id_of(request.session_id) if request.session_id else ""

    def answers(ports: Ports, live: LiveCall) -> AsyncGenerator[Reply, None]:
        return _replies(ports, live, request.first_seq, most, session_id)

    return StreamQuestion(
        arguments=arguments_of(
            ("first_seq", str(request.first_seq or "")), ("max_records", str(most)), ("session_id", session_id)
        ),
        answers=answers,
    )


async def _replies(
    ports: Ports, live: LiveCall, first_seq: int, most: int, session_id: str
) -> AsyncGenerator[Reply, None]:
    """Reads page after page, up to the record that was the last when the call began."""
    ends = asyncio.get_running_loop().time() + live.seconds - _MARGIN_SECONDS
    last = ports.audit_log.last_seq
    oldest = await asyncio.to_thread(lambda: ports.audit_log.first_seq)
    seq = first_seq or oldest
    # Just behind the end there is nothing yet: whoever reads on from time to time asks for that.
    if not oldest <= seq <= last + 1:
        detail = f"record {seq} is not between {oldest} and {last}"
        raise RecordUnknown(detail)
    while True:
        page = await asyncio.to_thread(read_page, ports.audit_log, seq, last, most, session_id)
        seq, most = page.next_seq, most - len(page.lines)
        is_last = seq == 0 or most == 0 or asyncio.get_running_loop().time() >= ends
        if page.lines or is_last:
            yield Reply(
                audit_pb2.ReadLogResponse(records=page.lines, is_last=is_last, next_seq=seq if is_last else 0),
                rows=len(page.lines),
                own_words=page.spoken,
                is_last=is_last,
            )
        if is_last:
            return


def _check_numbered(number: int) -> None:
    if number == 0:
        detail = "records are counted from 1"
        raise InvalidRequest(detail)
