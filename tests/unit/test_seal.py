"""The processes that seal: each has one request, and none outlives it, its deadline or the reader."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from children_process import children_process
from leadglass_agent.errors import Reason
from leadglass_agent.processes.frames import frame
from leadglass_agent.processes.messages import (
    Part,
    RefusedAnswer,
    RevealAnswer,
    RevealRequest,
    decode_answer,
    encode_part,
)
from leadglass_agent.processes.seal import Sealers, Unsealed
from leadglass_agent.views.rows import ProcessRef
from leadglass_client.unsealing import new_key
from sample_processes import EVERY_NAME, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from children_process import ChildrenProcess

_SECONDS = 60.0
_NS = 1_000_000_000
_TRIES = 20


class _Loop:
    """The reader's part: it watches connections and asks for what came."""

    def __init__(self, started: ChildrenProcess) -> None:
        self.watched: list[socket.socket] = []
        self.started = started
        self.sealers = Sealers(started.spawner, self.watched.append, self.watched.remove)

    def results(self) -> list[Part | Unsealed]:
        """Waits until nothing is watched any more and gives all that came."""
        found: list[Part | Unsealed] = []
        deadline = time.monotonic() + _SECONDS
        while self.watched:
            assert time.monotonic() < deadline, "no answer came"
            for connection in select.select(tuple(self.watched), (), (), 1.0)[0]:
                found.extend(self.sealers.receive(connection))
        return found


@pytest.fixture
def loop() -> Iterator[_Loop]:
    with children_process() as started:
        one = _Loop(started)
        yield one
        one.sealers.close()


def _request(number: int, pid: int, deadline_ns: int = 0) -> RevealRequest:
    return RevealRequest(
        number,
        deadline_ns or time.monotonic_ns() + int(_SECONDS) * _NS,
        process=ProcessRef(pid, 0),
        name="TOKEN",
        scope=EVERY_NAME,
        recipient_key=new_key().private.public_key().public_bytes_raw(),
    )


def _started(loop: _Loop, request: RevealRequest) -> int:
    """Submits a request and gives the number of the process that it was given to."""
    before = loop.started.children()
    assert loop.sealers.submit(request, time.monotonic_ns()) is None
    deadline = time.monotonic() + _SECONDS
    while not (started := loop.started.children() - before):
        assert time.monotonic() < deadline, "no process was started"
    return next(iter(started))


def _wait_until_gone(loop: _Loop, pid: int) -> None:
    deadline = time.monotonic() + _SECONDS
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, "the process is still there"
        list(loop.sealers.expire(0))
        time.sleep(0.02)


def test_an_answer_comes_in_parts_and_its_process_is_gone(loop: _Loop) -> None:
    with running(environment={"TOKEN": "value"}) as pid:
        sealer = _started(loop, _request(1, pid))
        results = loop.results()
    pieces = [part.piece for part in results if isinstance(part, Part)]
    answer = decode_answer(b"".join(pieces))
    assert len(pieces) == len(results)
    assert isinstance(answer, RevealAnswer)
    assert len(answer.sealed) == 32 + 256 + 16
    _wait_until_gone(loop, sealer)
    assert loop.sealers.next_deadline_ns() is None


def test_a_process_that_is_late_is_killed_and_its_request_refused(loop: _Loop) -> None:
    with running(environment={"TOKEN": "value"}) as pid:
        request = _request(1, pid)
        sealer = _started(loop, request)
        os.kill(sealer, signal.SIGSTOP)  # now it does not end by itself
        deadline = loop.sealers.next_deadline_ns()
        assert deadline is not None
        assert list(loop.sealers.expire(deadline - 1)) == []
        late = list(loop.sealers.expire(deadline))
    assert late == [Unsealed(request, RefusedAnswer(Reason.TIMED_OUT, "the value was not sealed in time"))]
    assert loop.watched == []
    _wait_until_gone(loop, sealer)


def test_nobody_waits_longer_for_a_value_than_the_caller_does(loop: _Loop) -> None:
    now = time.monotonic_ns()
    with running() as pid:
        loop.sealers.submit(_request(1, pid, now + 3 * _NS), now)
        assert loop.sealers.next_deadline_ns() == now + 3 * _NS
        loop.sealers.submit(_request(2, pid, now + 60 * _NS), now)
        loop.sealers.close()
        loop.sealers.submit(_request(3, pid, now + 60 * _NS), now)
        assert loop.sealers.next_deadline_ns() == now + 10 * _NS


def test_a_process_that_dies_leaves_a_refusal(loop: _Loop) -> None:
    with running(environment={"TOKEN": "value"}) as pid:
        for number in range(1, _TRIES):
            request = _request(number, pid)
            os.kill(_started(loop, request), signal.SIGKILL)
            results = loop.results()
            if isinstance(results[0], Unsealed):  # else it was faster than the signal
                break
    assert results == [Unsealed(request, RefusedAnswer(Reason.INTERNAL, "the process that seals broke off"))]


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff" * 64,
        frame(b"\x80"),
        frame(encode_part(Part(2, b"x", last=True))),
        frame(encode_part(Part(1, b"x" * (64 * 1024 + 1), last=True))),
    ],
    ids=["noise", "no part", "another's", "too large"],
)
def test_a_process_that_breaks_the_protocol_is_ended_and_its_request_refused(loop: _Loop, sent: bytes) -> None:
    with running(environment={"TOKEN": "value"}) as pid:
        request = _request(1, pid)
        sealer = _started(loop, request)
        os.kill(sealer, signal.SIGSTOP)
        ours, theirs = socket.socketpair()
        os.dup2(ours.fileno(), loop.watched[0].fileno())  # from here on, another process answers
        theirs.sendall(sent)
        assert loop.results() == [Unsealed(request, RefusedAnswer(Reason.INTERNAL, "the process that seals broke off"))]
        _wait_until_gone(loop, sealer)
        ours.close()
        theirs.close()


def test_processes_end_with_the_reader(loop: _Loop) -> None:
    with running(environment={"TOKEN": "value"}) as pid:
        sealers = [_started(loop, _request(number, pid)) for number in (1, 2)]
        for sealer in sealers:
            os.kill(sealer, signal.SIGSTOP)
        loop.sealers.close()
        for sealer in sealers:
            _wait_until_gone(loop, sealer)
    assert loop.watched == []


def test_places_are_free_again_after_each_answer(loop: _Loop) -> None:
    with running(environment={"TOKEN": "value"}) as pid:
        for number in range(1, 4):
            assert loop.sealers.submit(_request(2 * number, pid), time.monotonic_ns()) is None
            assert loop.sealers.submit(_request(2 * number + 1, pid), time.monotonic_ns()) is None
            refused = loop.sealers.submit(_request(99, pid), time.monotonic_ns())
            assert refused == RefusedAnswer(Reason.RATE_LIMITED, "other values are being revealed")
            assert {result.id for result in loop.results() if isinstance(result, Part)} == {2 * number, 2 * number + 1}
