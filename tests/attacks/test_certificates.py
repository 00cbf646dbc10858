"""A live agent refuses every certificate that is wrong in any one way, and records what reaches its gate."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import grpc
import pytest

from certificates import (
    ALICE,
    BAD_RECIPES,
    GOOD_RECIPES,
    Certificate,
    Recipe,
    bad_certificates,
    issue,
    load_authority,
)
from leadglass.v1 import agent_pb2, inspect_pb2
from running_agent import OPEN_POLICY, SERVER_NAME, Caller, RunningAgent, reason_of, running_agent

if TYPE_CHECKING:
    from collections.abc import Iterator

# TLS itself refuses these, so that nobody is there to be told a reason.
_REFUSED_BY_TLS = {
    "expired",
    "not yet valid",
    "a server's key usage",
    "another authority",
    "an authority of the same name",
    "its own signature",
}
_NAMES = [*BAD_RECIPES, "another authority", "an authority of the same name", "its own signature"]
# Whoever holds a certificate may do everything, whatever its id: only the identity can refuse.
_ANYBODY = OPEN_POLICY.replace('"spiffe://test.leadglass/user/bob"', '"spiffe://test.leadglass/**"')


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("agent"), _ANYBODY) as running:
        yield running


@pytest.fixture(scope="module")
def bad(agent: RunningAgent) -> dict[str, Certificate]:
    return {bad.name: bad.certificate for bad in bad_certificates(load_authority(agent.authority))}


def _channel(agent: RunningAgent, certificate: Certificate | None) -> grpc.Channel:
    credentials = grpc.ssl_channel_credentials(
        (agent.authority / "ca.crt").read_bytes(),
        certificate.key if certificate else None,
        certificate.pem if certificate else None,
    )
    options = (("grpc.ssl_target_name_override", SERVER_NAME), ("grpc.use_local_subchannel_pool", 1))
    return grpc.secure_channel(agent.address, credentials, options)


def _refused(channel: grpc.Channel) -> tuple[grpc.StatusCode, str]:
    """Asks the agent about itself and gives how it refuses."""
    with channel, pytest.raises(grpc.RpcError) as caught:
        Caller(channel).agent.GetSelf(agent_pb2.GetSelfRequest(), timeout=5)
    return caught.value.code(), reason_of(caught.value)


def test_every_bad_certificate_is_tried(bad: dict[str, Certificate]) -> None:
    assert set(bad) == set(_NAMES)


@pytest.mark.parametrize("name", _NAMES)
def test_a_bad_certificate_is_refused_and_recorded(agent: RunningAgent, bad: dict[str, Certificate], name: str) -> None:
    before = len(agent.records())
    status, reason = _refused(_channel(agent, bad[name]))
    # Failed handshakes are summed up, some time later.
    new = [record for record in agent.records()[before:] if record["kind"] != "HANDSHAKES_FAILED"]
    if name in _REFUSED_BY_TLS:
        assert status is grpc.StatusCode.UNAVAILABLE
        assert new == []
    else:
        assert (status, reason) == (grpc.StatusCode.UNAUTHENTICATED, "IDENTITY_REFUSED")
        assert [(record["kind"], record["refusal"]) for record in new] == [("REFUSED", "IDENTITY_REFUSED")]
        assert new[0]["method"] == "/leadglass.v1.AgentService/GetSelf"
        assert new[0]["peer"].startswith("ipv4:127.0.0.1:")
        assert "caller" not in new[0]


@pytest.mark.parametrize("name", GOOD_RECIPES)
def test_an_unusual_certificate_that_is_good_is_accepted(agent: RunningAgent, name: str) -> None:
    certificate = issue(load_authority(agent.authority), GOOD_RECIPES[name])
    with _channel(agent, certificate) as channel:
        assert Caller(channel).agent.GetSelf(agent_pb2.GetSelfRequest(), timeout=5).version
    outcomes = [record for record in agent.records() if record["kind"] == "OUTCOME"]
    assert outcomes[-1]["caller"] == ALICE


def test_a_caller_without_certificate_does_not_get_in(agent: RunningAgent) -> None:
    assert _refused(_channel(agent, None)) == (grpc.StatusCode.UNAVAILABLE, "")


def test_a_caller_without_tls_does_not_get_in(agent: RunningAgent) -> None:
    assert _refused(grpc.insecure_channel(agent.address)) == (grpc.StatusCode.UNAVAILABLE, "")


def test_a_caller_with_the_key_of_another_does_not_get_in(agent: RunningAgent) -> None:
    authority = load_authority(agent.authority)
    stolen = Certificate(issue(authority, Recipe()).pem, issue(authority, Recipe()).key)
    status, _ = _refused(_channel(agent, stolen))
    assert status is grpc.StatusCode.UNAVAILABLE


def test_an_open_connection_ends_with_its_certificate(agent: RunningAgent) -> None:
    certificate = issue(load_authority(agent.authority), Recipe(ends_in=timedelta(seconds=3)))
    with _channel(agent, certificate) as channel:
        caller = Caller(channel)
        assert caller.agent.GetSelf(agent_pb2.GetSelfRequest(), timeout=5).version
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                caller.agent.GetSelf(agent_pb2.GetSelfRequest(), timeout=5)
            except grpc.RpcError as error:
                refusal = (error.code(), reason_of(error))
                break
            time.sleep(0.2)
        # Refused by the gate on the connection that stands, and not by the handshake of a new one.
        assert refusal == (grpc.StatusCode.UNAUTHENTICATED, "CERTIFICATE_EXPIRED")
    assert agent.records()[-1]["refusal"] == "CERTIFICATE_EXPIRED"


def test_a_session_does_not_pass_to_another_key_of_the_same_id(agent: RunningAgent) -> None:
    authority = load_authority(agent.authority)
    with _channel(agent, issue(authority, Recipe())) as first, _channel(agent, issue(authority, Recipe())) as second:
        owner, thief = Caller(first), Caller(second)
        thief.session_id = owner.open().session_id
        with pytest.raises(grpc.RpcError) as caught:
            thief.call(thief.inspect.ListProcesses, inspect_pb2.ListProcessesRequest())
        assert reason_of(caught.value) == "SESSION_UNKNOWN"
        assert owner.call(owner.inspect.ListProcesses, inspect_pb2.ListProcessesRequest()).processes
