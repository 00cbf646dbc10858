"""A caller who holds a call back, leaves it, or lets it overlap with another gains nothing and hides nothing by it."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from certificates import Recipe, auth_context, issue, new_authority
from gates import BuiltGate, built_gate
from leadglass.v1 import access_pb2, agent_pb2
from leadglass_agent.api.methods import Method, method_table
from leadglass_agent.api.peer import Peer
from leadglass_agent.api.question import Call, Ports, Question, Reply
from leadglass_agent.errors import SessionEnded
from leadglass_agent.policy.model import Permission
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.processes.frames import FrameBuffer, frame
from leadglass_agent.processes.messages import CheckAnswer, decode_request, encode_answer
from leadglass_agent.processes.reader_client import ReaderClient
from running_agent import OPEN_POLICY, REASON, TICKET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from google.protobuf.message import Message

_AUTHORITY: Final = new_authority()
_METHODS: Final = method_table()
_ACCESS: Final = "/leadglass.v1.AccessService"
_TIGHTER: Final = parse_policy(OPEN_POLICY.replace("spec:\n", "spec:\n  redaction: strict\n", 1).encode(), "tighter")


@dataclass(frozen=True, slots=True)
class Slow:
    """A gate whose reader finds nothing in any reply, and says so while `may_answer` is set."""

    built: BuiltGate
    pem: bytes
    asked: asyncio.Event
    may_answer: asyncio.Event

    def peer(self, *session_ids: str, announce: Callable[[object], Awaitable[None]] | None = None) -> Peer:
        """Gives the one caller, in these sessions."""

        async def nothing(_: object) -> None:
            pass

        return Peer(auth_context(self.pem), "ipv4:127.0.0.1:1", session_ids, None, announce or nothing)

    async def call(self, name: str, request: Message, peer: Peer) -> bytes:
        """Makes a call of AccessService whose request is there at once."""

        async def receive() -> bytes:
            return request.SerializeToString()

        method = f"{_ACCESS}/{name}"
        return await self.built.gate.answer(method, _METHODS[method], receive, peer)

    async def opened(self) -> access_pb2.Session:
        """Opens a session."""
        return _session(await self.call("OpenSession", _OPEN, self.peer()))

    def records(self) -> list[dict[str, object]]:
        """Reads the audit log."""
        return [json.loads(line) for line in self.built.log.read_bytes().splitlines()]


_OPEN: Final = access_pb2.OpenSessionRequest(reason=REASON, ticket=TICKET)


def _session(reply: bytes) -> access_pb2.Session:
    return access_pb2.OpenSessionResponse.FromString(reply).session


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[Slow]:
    ours, theirs = socket.socketpair()
    asking, answering = await asyncio.open_unix_connection(sock=theirs)
    asked, may_answer = asyncio.Event(), asyncio.Event()
    may_answer.set()

    async def find_nothing() -> None:
        buffer = FrameBuffer()
        while data := await asking.read(65_536):
            for payload in buffer.feed(data):
                asked.set()
                await may_answer.wait()
                for part in encode_answer(decode_request(payload).id, CheckAnswer(())):
                    answering.write(frame(part))

    reader = await ReaderClient.connect(ours)
    tasks = [asyncio.create_task(reader.run()), asyncio.create_task(find_nothing())]
    with built_gate(tmp_path, reader, _AUTHORITY, OPEN_POLICY) as built:
        yield Slow(built, issue(_AUTHORITY, Recipe()).pem, asked, may_answer)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    answering.close()


async def test_a_request_that_comes_late_is_decided_by_the_policy_of_its_coming(slow: Slow) -> None:
    came, asked_for = asyncio.Event(), asyncio.Event()

    async def receive() -> bytes:
        asked_for.set()
        await came.wait()
        return _OPEN.SerializeToString()

    method = f"{_ACCESS}/OpenSession"
    call = asyncio.create_task(slow.built.gate.answer(method, _METHODS[method], receive, slow.peer()))
    await asked_for.wait()
    slow.built.live.policy = _TIGHTER
    came.set()
    assert _session(await call).policy_digest == _TIGHTER.digest
    decided = [record for record in slow.records() if record["kind"] in {"INTENT", "SESSION_OPENED", "OUTCOME"}]
    assert [record["policy_digest"] for record in decided] == [_TIGHTER.digest] * 3


async def test_no_session_opens_under_a_policy_that_was_tightened_meanwhile(slow: Slow) -> None:
    async def tighten(_: object) -> None:
        slow.built.live.policy = _TIGHTER

    with pytest.raises(SessionEnded):
        await slow.call("OpenSession", _OPEN, slow.peer(announce=tighten))
    assert "SESSION_OPENED" not in {record["kind"] for record in slow.records()}


async def test_what_was_made_for_a_session_that_ended_meanwhile_does_not_leave(slow: Slow) -> None:
    session = await slow.opened()

    async def end_it(ports: Ports, call: Call) -> Reply:
        ports.sessions.close(session.session_id, call.caller.spiffe_id, call.caller.key_digest, call.now)
        return Reply(agent_pb2.GetSelfResponse(version="9"))

    async def receive() -> bytes:
        return b""

    method = Method("/test", Permission.AGENT_SELF, lambda _: Question((), end_it))
    with pytest.raises(SessionEnded):
        await slow.built.gate.answer("/test", method, receive, slow.peer(session.session_id))
    assert slow.records()[-1]["kind"] == "REFUSED"


async def test_a_change_has_its_record_though_its_caller_went_away(slow: Slow) -> None:
    session = await slow.opened()
    slow.may_answer.clear()
    slow.asked.clear()
    request = access_pb2.CloseSessionRequest(session_id=session.session_id)
    closing = asyncio.create_task(slow.call("CloseSession", request, slow.peer()))
    await slow.asked.wait()  # it is closed by now, and its answer is on the way
    closing.cancel()
    await asyncio.sleep(0)
    slow.may_answer.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert [record["kind"] for record in slow.records()][-2:] == ["SESSION_ENDED", "OUTCOME"]
