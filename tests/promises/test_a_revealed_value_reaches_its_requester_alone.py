"""Promise: a value revealed in an emergency leaves the reader sealed to its requester, and is nowhere else in clear.

Not in a reply, header, log, audit record, journal or metric, in no file, and not in the memory of the front.
"""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from expecting import refusal
from granting import POLICY, envelope, grant_of, open_with
from leadglass.v1 import access_pb2, common_pb2
from leadglass_client.unsealing import RevealKey, UnsealingError, new_key, open_sealed
from planted_secrets import Planted, plant
from process_memory import is_in_memory, leaks_in_memory, why_unreadable
from running_agent import CALL_SECONDS, RunningAgent, running_agent
from sample_processes import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import grpc

    from running_agent import Caller

_NAMES: Final = ("SAMPLE_FIRST", "SAMPLE_SECOND")
_METHOD: Final = "/leadglass.v1.AccessService/Reveal"


@dataclass(frozen=True, slots=True)
class Revealed:
    """Two values that were revealed to two people: the keys to open them, and every byte that came back."""

    folder: Path
    agent: RunningAgent
    planted: Planted
    pid: int
    keys: tuple[RevealKey, ...]
    replies: tuple[bytes, ...]
    headers: bytes


@pytest.fixture(scope="module")
def revealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Revealed]:
    folder, planted = tmp_path_factory.mktemp("reveal"), plant(*_NAMES)
    with (
        running_agent(
            folder, POLICY, exporter="stdout", rewrite=lambda config: f"{config}  pod: {{namespace: shop}}\n"
        ) as agent,
        running(environment={name: planted[name] for name in _NAMES}) as pid,
    ):
        keys, replies, headers = [], [], b""
        for name, user in zip(_NAMES, ("alice", "bob"), strict=True):
            key, caller = new_key(), agent.caller(user, session=False)
            open_with(caller, _approved(agent, user, name))
            reply, call = _reveal(caller, pid, name, key)
            keys.append(key)
            replies.append(reply)
            headers += repr((call.initial_metadata(), call.trailing_metadata(), call.details())).encode()
            assert refusal(lambda: _reveal(caller, pid, name, key)) in {"REVIEW_OWED", "REVEAL_REFUSED"}  # noqa: B023
        yield Revealed(folder, agent, planted, pid, tuple(keys), tuple(replies), headers)


def _approved(agent: RunningAgent, user: str, name: str) -> str:
    now = int(time.time())
    grant = grant_of(
        agent,
        user,
        permissions=("env.reveal",),
        names=(name,),
        reveals=True,
        not_before_unix=now - 10,
        not_after_unix=now + 240,
    )
    return envelope(agent, grant, "carol", "dave")


def _reveal(caller: Caller, pid: int, name: str, key: RevealKey) -> tuple[bytes, grpc.Call]:
    """Makes the call, and gives the very bytes of its reply."""
    request = access_pb2.RevealRequest(
        process=common_pb2.ProcessRef(pid=pid), name=name, recipient_key=key.recipient_key
    )
    multi: grpc.UnaryUnaryMultiCallable[bytes, bytes] = caller.channel.unary_unary(_METHOD)
    metadata = (("leadglass-session", caller.session_id),)
    return multi.with_call(request.SerializeToString(), timeout=CALL_SECONDS, metadata=metadata)


def _sealed(reply: bytes) -> str:
    return access_pb2.RevealResponse.FromString(reply).sealed_value


def test_each_value_opens_with_its_requesters_key_alone(revealed: Revealed) -> None:
    for at, name in enumerate(_NAMES):
        sealed = _sealed(revealed.replies[at])
        opened = open_sealed(sealed, revealed.keys[at], pid=revealed.pid, name=name)
        assert opened.decode() == revealed.planted[name]
        with pytest.raises(UnsealingError):
            open_sealed(sealed, revealed.keys[1 - at], pid=revealed.pid, name=name)


def test_no_reply_and_no_header_holds_it(revealed: Revealed) -> None:
    for reply in revealed.replies:
        assert revealed.planted.leaks(reply + base64.b64decode(_sealed(reply))) == ()
    assert revealed.planted.leaks(revealed.headers) == ()


def test_the_memory_of_the_front_does_not_hold_it(revealed: Revealed) -> None:
    front = revealed.agent.front_pid
    why_not = why_unreadable(front)
    if why_not:
        pytest.skip(why_not)
    # The search finds what is there: a value in the process that was given it, and in the front what passed it.
    assert {leak.split()[0] for leak in leaks_in_memory(revealed.pid, revealed.planted)} == set(_NAMES)
    assert is_in_memory(front, b"spiffe://test.leadglass/user/alice")
    assert leaks_in_memory(front, revealed.planted) == set()


def test_no_file_log_record_or_metric_holds_it(revealed: Revealed) -> None:
    assert revealed.agent.stop() == 0  # what is written at the end is written
    output = revealed.agent.output.read_bytes()
    assert b"rpc.response.status_code" in output
    files = {file.name: file.read_bytes() for file in revealed.folder.rglob("*") if file.is_file()}
    assert {"audit.jsonl", "audit.jsonl.spent", "out", "err"} <= set(files)
    assert [name for name, content in files.items() if revealed.planted.leaks(content)] == []
    kinds = [record["kind"] for record in revealed.agent.records()]
    assert kinds.count("REVEALED") == len(_NAMES)
