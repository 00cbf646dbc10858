"""A value that is revealed leaves the reader as ciphertext alone, and the reader keeps nothing of how it was sealed."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from leadglass.v1 import access_pb2
from leadglass_agent.errors import Reason
from leadglass_agent.processes.messages import (
    AgentAnswer,
    AgentRequest,
    CheckAnswer,
    CheckRequest,
    RefusedAnswer,
    RevealAnswer,
    RevealRequest,
)
from leadglass_agent.views.rows import ProcessRef
from leadglass_client.unsealing import RevealKey, new_key, open_sealed
from planted_secrets import plant
from reader_process import ReaderProcess, reader_process, soon
from sample_processes import EVERY_NAME, names_scope, running

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 30.0


@pytest.fixture(scope="module")
def reader() -> Iterator[ReaderProcess]:
    with reader_process() as one:
        yield one


def _request(number: int, pid: int, name: str, key: RevealKey) -> RevealRequest:
    return RevealRequest(
        number,
        soon(),
        process=ProcessRef(pid, 0),
        name=name,
        scope=EVERY_NAME,
        recipient_key=base64.b64decode(key.recipient_key),
    )


def _text(answer: object) -> str:
    assert isinstance(answer, RevealAnswer), answer
    return base64.b64encode(answer.sealed).decode()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _wait_until_alone(pid: int) -> None:
    deadline = time.monotonic() + _SECONDS
    while _children(pid):
        assert time.monotonic() < deadline, "a process that sealed is still there"
        time.sleep(0.05)


def test_the_value_crosses_as_ciphertext_that_the_recipient_alone_opens(reader: ReaderProcess) -> None:
    planted = plant("value", "other")
    key = new_key()
    with running(environment={"TOKEN": planted["value"], "OTHER": planted["other"]}) as pid:
        before = len(reader.received)
        sealed = _text(reader.ask_one(_request(1, pid, "TOKEN", key)))
        received = bytes(reader.received[before:])
    assert planted.leaks(received + sealed.encode() + base64.b64decode(sealed)) == ()
    assert open_sealed(sealed, key, pid=pid, name="TOKEN") == planted["value"].encode()
    assert len(received) > 256, "nothing was searched"


def test_an_empty_variable_is_sealed_and_one_that_is_not_set_is_not(reader: ReaderProcess) -> None:
    key = new_key()
    with running(environment={"NONE": ""}) as pid:
        empty = reader.ask_one(_request(2, pid, "NONE", key))
        assert (isinstance(empty, RevealAnswer), open_sealed(_text(empty), key, pid=pid, name="NONE")) == (True, b"")
        assert reader.ask_one(_request(3, pid, "MISSING", key)) == RevealAnswer(is_set=False, sealed=b"")


def test_two_reveals_of_one_value_have_nothing_in_common(reader: ReaderProcess) -> None:
    key = new_key()
    with running(environment={"TOKEN": "value"}) as pid:
        first, second = reader.ask(_request(4, pid, "TOKEN", key), _request(5, pid, "TOKEN", key)).values()
    assert isinstance(first, RevealAnswer)
    assert isinstance(second, RevealAnswer)
    assert len(first.sealed) == len(second.sealed)
    assert not {first.sealed[at : at + 8] for at in range(300)} & {second.sealed[at : at + 8] for at in range(300)}


def test_a_refusal_says_why_and_quotes_neither_value_nor_key(reader: ReaderProcess) -> None:
    planted = plant("value", "key")
    key = new_key()
    large = planted["value"] * 1_400
    with running(environment={"TOKEN": planted["value"], "LARGE": large}) as pid:
        good = _request(6, pid, "TOKEN", key)
        hidden = msgspec.structs.replace(good, scope=names_scope("OTHER"))
        cases = (
            (hidden, Reason.POLICY_DENIED),
            (msgspec.structs.replace(good, process=ProcessRef(pid, 1)), Reason.PROCESS_NOT_FOUND),
            (msgspec.structs.replace(good, name="A=B"), Reason.INVALID_REQUEST),
            (msgspec.structs.replace(good, name="LARGE"), Reason.REVEAL_REFUSED),
            (msgspec.structs.replace(good, recipient_key=planted["key"].encode()), Reason.INVALID_REQUEST),
            (msgspec.structs.replace(good, recipient_key=bytes(32)), Reason.INVALID_REQUEST),
        )
        before = len(reader.received)
        for request, reason in cases:
            answer = reader.ask_one(request)
            assert isinstance(answer, RefusedAnswer)
            assert answer.reason is reason
        assert planted.leaks(bytes(reader.received[before:])) == ()


def test_no_more_than_two_values_are_sealed_at_once(reader: ReaderProcess) -> None:
    key = new_key()
    with running(environment={"TOKEN": "value"}) as pid:
        answers = reader.ask(*(_request(number, pid, "TOKEN", key) for number in (10, 11, 12)))
        assert [type(answers[number]) for number in (10, 11, 12)] == [RevealAnswer, RevealAnswer, RefusedAnswer]
        refused = answers[12]
        assert isinstance(refused, RefusedAnswer)
        assert refused.reason is Reason.RATE_LIMITED
        assert isinstance(reader.ask_one(_request(13, pid, "TOKEN", key)), RevealAnswer)


def test_the_reader_holds_no_cryptography_and_no_process_afterwards(reader: ReaderProcess) -> None:
    with running(environment={"TOKEN": "value"}) as pid:
        assert isinstance(reader.ask_one(_request(20, pid, "TOKEN", new_key())), RevealAnswer)
    assert isinstance(reader.ask_one(AgentRequest(21, soon(), attempt=False)), AgentAnswer)
    _wait_until_alone(reader.pid)
    try:
        maps = Path(f"/proc/{reader.pid}/maps").read_text()
    except PermissionError:
        pytest.skip("root alone may read the maps of a process that is not dumpable")
    assert "hyperscan" in maps, "the maps do not show what the reader does hold"
    assert "cryptography" not in maps


def test_the_barrier_lets_the_ciphertext_pass_and_not_the_value(reader: ReaderProcess) -> None:
    planted = plant("value")
    key = new_key()
    with running(environment={"TOKEN": planted["value"]}) as pid:
        for number in range(30, 50, 2):
            sealed = _text(reader.ask_one(_request(number, pid, "TOKEN", key)))
            reply = access_pb2.RevealResponse(sealed_value=sealed, is_set=True, review_id="r", grant_id="0" * 32)
            passed = reader.ask_one(CheckRequest(number + 1, soon(), pid=pid, text=reply.SerializeToString()))
            assert passed == CheckAnswer(())
        leaked = access_pb2.RevealResponse(sealed_value=planted["value"], is_set=True).SerializeToString()
        held = reader.ask_one(CheckRequest(60, soon(), pid=pid, text=leaked))
        assert isinstance(held, CheckAnswer)
        assert held.held
