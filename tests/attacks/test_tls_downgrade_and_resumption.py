"""TLS 1.2 is refused at the gate, and no TLS session lives on past the connection that proved it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from raw_http2 import RawConnection, Way, tls_context
from running_agent import SERVER_NAME, RunningAgent, running_agent

if TYPE_CHECKING:
    from collections.abc import Iterator

_GET_SELF = "/leadglass.v1.AgentService/GetSelf"
_UNAUTHENTICATED = 16


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("agent")) as running:
        yield running


@pytest.fixture(scope="module")
def way(agent: RunningAgent) -> Way:
    issued = agent.client("alice")
    return Way(agent.address, SERVER_NAME, issued.certificate, issued.key, agent.authority / "ca.crt")


def test_tls_1_3_is_answered(way: Way) -> None:
    with RawConnection(way) as connection:
        assert connection.tls.version() == "TLSv1.3"
        assert connection.call(_GET_SELF, b"").status == 0


def test_tls_1_2_is_refused_and_recorded(agent: RunningAgent, way: Way) -> None:
    with RawConnection(way, tls_context(way, ssl.TLSVersion.TLSv1_2)) as connection:
        assert connection.tls.version() == "TLSv1.2"
        answer = connection.call(_GET_SELF, b"")
    assert (answer.status, answer.reason, answer.body) == (_UNAUTHENTICATED, "IDENTITY_REFUSED", b"")
    record = agent.records()[-1]
    assert (record["kind"], record["refusal"]) == ("REFUSED", "IDENTITY_REFUSED")
    assert record["detail"] == "the connection is not TLS 1.3"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python's ssl warns of these versions
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=lambda version: version.name)
def test_older_tls_does_not_get_a_connection(way: Way, version: ssl.TLSVersion) -> None:
    context = tls_context(way)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with pytest.raises(OSError, match=r"(?i)ssl|alert|eof|reset"):
        RawConnection(way, context)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda version: version.name)
def test_a_resumed_tls_session_is_not_answered(agent: RunningAgent, way: Way, version: ssl.TLSVersion) -> None:
    context = tls_context(way, version)
    with RawConnection(way, context) as first:
        status = first.call(_GET_SELF, b"").status
        session = first.tls.session
    assert session is not None
    with RawConnection(way, context, session) as second:
        answer = second.call(_GET_SELF, b"")
        if second.tls.session_reused:
            assert (answer.status, answer.reason, answer.body) == (_UNAUTHENTICATED, "IDENTITY_REFUSED", b"")
            assert agent.records()[-1]["refusal"] == "IDENTITY_REFUSED"
        else:
            assert answer.status == status


def test_a_client_that_speaks_no_http2_gets_nothing(way: Way) -> None:
    context = tls_context(way)
    context.set_alpn_protocols(["http/1.1"])
    try:
        with RawConnection(way, context) as connection:
            connection.tls.settimeout(10)
            connection.tls.sendall(b"GET /leadglass.v1.AgentService/GetSelf HTTP/1.1\r\nHost: agent\r\n\r\n")
            answered = connection.tls.recv(1_000)
    except OSError:
        answered = b""
    assert b"HTTP/1.1 200" not in answered
    assert b"0.1.0" not in answered
