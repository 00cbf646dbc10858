"""The plain port tells health and nothing else, and what it tells is whether a call could be answered now."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from audit_logs import verify_file
from blocked_logs import blocked
from leadglass.v1 import agent_pb2, inspect_pb2
from leadglass_agent.api.methods import METHODS
from running_agent import RunningAgent, reason_of, running_agent

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 20.0
_CHECK = health_pb2.HealthCheckRequest()
_SERVING, _NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("agent")) as running:
        yield running


@pytest.fixture
def plain(agent: RunningAgent) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(agent.health_address, (("grpc.use_local_subchannel_pool", 1),)) as channel:
        yield channel


def _wait_for(channel: grpc.Channel, wanted: int) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    deadline = time.monotonic() + _SECONDS
    while health.Check(_CHECK, timeout=_SECONDS).status != wanted:
        assert time.monotonic() < deadline, "health did not change"
        time.sleep(0.05)


@pytest.mark.parametrize(
    "method",
    [
        *(method.name for method in METHODS),
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.channelz.v1.Channelz/GetServers",
        "/grpc.health.v1.Health/List",
        "/",
    ],
)
def test_the_plain_port_has_no_other_method(agent: RunningAgent, plain: grpc.Channel, method: str) -> None:
    before = agent.records()
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = plain.unary_unary(method)
    with pytest.raises(grpc.RpcError) as caught:
        call(b"", timeout=_SECONDS)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert agent.records() == before


def test_the_plain_port_answers_a_probe(plain: grpc.Channel) -> None:
    _wait_for(plain, _SERVING)


def test_a_service_that_is_asked_for_by_name_is_not_known(plain: grpc.Channel) -> None:
    request = health_pb2.HealthCheckRequest(service="leadglass.v1.InspectService")
    with pytest.raises(grpc.RpcError) as caught:
        health_pb2_grpc.HealthStub(plain).Check(request, timeout=_SECONDS)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_the_api_s_port_serves_no_health(agent: RunningAgent) -> None:
    caller = agent.caller(session=False)
    with pytest.raises(grpc.RpcError) as caught:
        health_pb2_grpc.HealthStub(caller.channel).Check(_CHECK, timeout=_SECONDS)
    assert reason_of(caught.value) == "METHOD_UNKNOWN"


def test_watches_are_refused_and_keep_no_probe_out(plain: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(plain)
    for _ in range(70):
        with pytest.raises(grpc.RpcError) as refused:
            next(health.Watch(health_pb2.HealthCheckRequest(), timeout=20))
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert health.Check(health_pb2.HealthCheckRequest(), timeout=20).status == _SERVING


def test_connections_that_say_nothing_keep_no_probe_out(agent: RunningAgent) -> None:
    host, _, port = agent.health_address.rpartition(":")
    with ExitStack() as stack:
        for _ in range(70):
            with suppress(OSError):
                stack.enter_context(socket.create_connection((host, int(port)), timeout=_SECONDS))
        with grpc.insecure_channel(agent.health_address, (("grpc.use_local_subchannel_pool", 1),)) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            assert health.Check(_CHECK, timeout=_SECONDS, wait_for_ready=True).status == _SERVING


def test_a_log_that_takes_no_record_stops_every_answer_until_it_does_again(
    agent: RunningAgent, plain: grpc.Channel
) -> None:
    _wait_for(plain, _SERVING)
    caller = agent.caller()
    listing = inspect_pb2.ListProcessesRequest(page_size=1)
    assert caller.call(caller.inspect.ListProcesses, listing).processes
    with blocked(agent.audit_log):
        for _ in range(3):
            with pytest.raises(grpc.RpcError) as caught:
                caller.call(caller.inspect.ListProcesses, listing)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            assert reason_of(caught.value) == "AUDIT_UNAVAILABLE"
        with pytest.raises(grpc.RpcError) as caught:
            caller.call(caller.agent.GetSelf, agent_pb2.GetSelfRequest())
        assert reason_of(caught.value) == "AUDIT_UNAVAILABLE"
        _wait_for(plain, _NOT_SERVING)
        assert agent.process.poll() is None
    _wait_for(plain, _SERVING)
    assert caller.call(caller.inspect.ListProcesses, listing).processes
    assert "AUDIT_RECOVERED" in {record["kind"] for record in agent.records()}
    assert verify_file(agent.audit_log).intact


def test_health_ends_before_the_agent_does(agent: RunningAgent) -> None:
    with grpc.insecure_channel(agent.health_address, (("grpc.use_local_subchannel_pool", 1),)) as channel:
        _wait_for(channel, _SERVING)
        assert agent.stop() == 0
        with pytest.raises(grpc.RpcError) as caught:
            health_pb2_grpc.HealthStub(channel).Check(_CHECK, timeout=_SECONDS)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
