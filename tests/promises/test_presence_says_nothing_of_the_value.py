"""Promise: of an environment variable it is said whether it is unset, empty or present, and nothing about its value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadglass.v1 import common_pb2, inspect_pb2
from running_agent import Caller, running_agent
from sample_processes import running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    with running_agent(tmp_path_factory.mktemp("agent")) as agent:
        yield agent.caller()


def _replies(alice: Caller, environment: Mapping[bytes, bytes]) -> tuple[bytes, bytes]:
    """Asks for the names, and for all names, of a process with this environment; gives both replies as they came."""
    with running(environment=environment) as pid:
        replies = [
            alice.call(
                alice.inspect.ListEnvironment,
                inspect_pb2.ListEnvironmentRequest(process=common_pb2.ProcessRef(pid=pid), names=names),
            )
            for names in (["SECRET", "NO_SUCH"], [])
        ]
    for reply in replies:
        reply.ClearField("process")  # number and start differ from one process to the next
    return replies[0].SerializeToString(), replies[1].SerializeToString()


def test_replies_for_values_of_each_length_are_byte_for_byte_the_same(alice: Caller) -> None:
    replies = {_replies(alice, {b"SECRET": b"x" * length, b"LANG": b"C"}) for length in range(1, 65)}

    assert len(replies) == 1


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=400).filter(lambda value: b"\0" not in value))
def test_replies_for_any_value_are_the_same(alice: Caller, value: bytes) -> None:
    assert _replies(alice, {b"SECRET": value, b"LANG": b"C"}) == _replies(alice, {b"SECRET": b"x", b"LANG": b"C"})


def test_unset_empty_and_present_are_told_apart(alice: Caller) -> None:
    replies = {_replies(alice, environment) for environment in ({}, {b"SECRET": b""}, {b"SECRET": b"0"})}

    assert len(replies) == 3


def test_the_answer_has_a_name_and_a_presence_and_no_other_field() -> None:
    fields = {field.name for field in inspect_pb2.EnvironmentVariable.DESCRIPTOR.fields}

    assert fields == {"name", "presence"}
