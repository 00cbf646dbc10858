"""Promise: certificates, authorities, policy and deny list are replaced without a restart, and nobody else notices."""

from __future__ import annotations

import hashlib
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import grpc
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from certificates import ALICE, Authority, Certificate, Recipe, issue, load_authority, new_authority
from expecting import reason, until
from leadglass.v1 import agent_pb2, inspect_pb2
from leadglass_client.authority import issue_server
from running_agent import (
    CALL_SECONDS,
    OPEN_POLICY,
    SERVER_NAME,
    TRUST_DOMAIN,
    Caller,
    RunningAgent,
    reason_of,
    running_agent,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LIST: Final = inspect_pb2.ListProcessesRequest(page_size=1)
_SELF: Final = agent_pb2.GetSelfRequest()
# Bob's role loses nothing by this; alice has none any more.
_WITHOUT_ALICE: Final = OPEN_POLICY.replace('"spiffe://test.leadglass/user/alice", ', "")
_DENY_LIST: Final = "apiVersion: leadglass.dev/v1\nkind: DenyList\nmetadata: {{name: test}}\nspec: {{{entry}}}\n"
_SERVER: Final = Recipe(
    uris=(f"spiffe://{TRUST_DOMAIN}/agent/test",), dns=(SERVER_NAME,), usages=(ExtendedKeyUsageOID.SERVER_AUTH,)
)
_NAP_SECONDS: Final = 0.02


@dataclass(slots=True)
class Steady:
    """Somebody who is on none of these files' account: calls all the time, over one connection within one session."""

    caller: Caller
    answered: int = 0
    digests: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)

    def call(self) -> None:
        """Calls until told to stop; a disk that is too busy for the audit log is nobody's fault here."""
        while not self._done.is_set():
            try:
                self.caller.call(self.caller.inspect.ListProcesses, _LIST)
                self.digests.add(self.caller.call(self.caller.agent.GetSelf, _SELF).policy_digest)
                self.answered += 1
            except grpc.RpcError as error:
                refused = reason_of(error) or error.code().name
                self.refused += [refused] * (refused != "AUDIT_UNAVAILABLE")
            time.sleep(_NAP_SECONDS)

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Calls for a with-block."""
        thread = threading.Thread(target=self.call)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    folder = tmp_path_factory.mktemp("agent")
    _write(folder / "deny.yaml", _DENY_LIST.format(entry=""))
    with running_agent(folder, rewrite=lambda config: f"{config}  denyList: {folder}/deny.yaml\n") as running_one:
        yield running_one


@pytest.fixture(autouse=True)
def steady(agent: RunningAgent) -> Iterator[Steady]:
    """Has bob call all the time; in the end not one call of his was refused, by the agent that there was before."""
    before = agent.front_pid
    one = Steady(agent.caller("bob"))
    with one.calling():
        until(lambda: one.answered > 0)
        yield one
        seen = one.answered
        until(lambda: one.answered > seen)
    assert one.refused == []
    assert [record["facts"]["front.pid"] for record in agent.records() if record["kind"] == "AGENT_STARTED"] == [before]


def _write(path: Path, text: str) -> None:
    """Puts a finished file in place, as whoever delivers it should."""
    beside = path.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _digest(policy: str) -> str:
    return f"sha256:{hashlib.sha256(policy.encode()).hexdigest()}"


def _list(caller: Caller) -> Callable[[], object]:
    return lambda: caller.call(caller.inspect.ListProcesses, _LIST)


def _self(caller: Caller) -> Callable[[], object]:
    return lambda: caller.agent.GetSelf(_SELF, timeout=CALL_SECONDS)


@contextmanager
def _connected(agent: RunningAgent, certificate: Certificate, roots: bytes) -> Iterator[Caller]:
    credentials = grpc.ssl_channel_credentials(roots, certificate.key, certificate.pem)
    options = (("grpc.ssl_target_name_override", SERVER_NAME), ("grpc.use_local_subchannel_pool", 1))
    with grpc.secure_channel(agent.address, credentials, options) as channel:
        yield Caller(channel)


def _pem(authority: Authority) -> str:
    return authority.certificate.public_bytes(Encoding.PEM).decode()


def _reloads(agent: RunningAgent, part: str, kind: str = "RELOADED") -> int:
    return sum(record["kind"] == kind and record["facts"]["part"] == part for record in agent.records())


def test_a_policy_holds_from_the_next_call_on_and_a_broken_one_never(agent: RunningAgent, steady: Steady) -> None:
    caller, file = agent.caller("alice"), agent.folder / "policy.yaml"
    assert reason(_list(caller)) == ""
    _write(file, _WITHOUT_ALICE)
    until(lambda: reason(_list(caller)) == "SESSION_ENDED")
    assert reason(caller.open) == "POLICY_DENIED"

    # What comes next would permit everything to everybody, if half of it were believed.
    _write(file, OPEN_POLICY.replace("kind: AccessPolicy", "kind: AccessPolicy\nspec: {}"))
    until(lambda: _reloads(agent, "POLICY", "RELOAD_FAILED") == 1)
    assert reason(caller.open) == "POLICY_DENIED"

    _write(file, OPEN_POLICY)
    until(lambda: reason(caller.open) == "")
    assert reason(_list(caller)) == ""
    until(lambda: steady.caller.agent.GetSelf(_SELF, timeout=CALL_SECONDS).policy_digest == _digest(OPEN_POLICY))
    assert steady.digests <= {_digest(OPEN_POLICY), _digest(_WITHOUT_ALICE)}


def test_the_deny_list_holds_on_connections_that_stand(agent: RunningAgent) -> None:
    caller, file = agent.caller("alice"), agent.folder / "deny.yaml"
    assert reason(_list(caller)) == ""
    _write(file, _DENY_LIST.format(entry=f'callers: ["{ALICE}"]'))
    until(lambda: reason(_list(caller)) == "CERTIFICATE_REVOKED")
    _write(file, _DENY_LIST.format(entry=""))
    until(lambda: reason(_list(caller)) == "SESSION_ENDED")
    caller.open()
    assert reason(_list(caller)) == ""


def test_an_authority_comes_and_goes_with_all_that_it_vouched_for(agent: RunningAgent) -> None:
    ours, theirs = load_authority(agent.authority), new_authority()
    file, roots = agent.folder / "server" / "ca.crt", _pem(load_authority(agent.authority)).encode()
    issued = issue(theirs, Recipe())
    with _connected(agent, issued, roots) as early:
        assert reason(_self(early)) == "UNAVAILABLE"
    _write(file, _pem(ours) + _pem(theirs))
    until(lambda: _is_answered(agent, issued, roots))
    with _connected(agent, issued, roots) as caller:
        caller.open()
        assert reason(_list(caller)) == ""
        _write(file, _pem(ours))
        until(lambda: reason(_list(caller)) == "CERTIFICATE_REVOKED")


def test_the_agents_own_certificate_is_another_one_on_the_next_connection(agent: RunningAgent, tmp_path: Path) -> None:
    """The new one comes from an authority that clients trust from then on, so only it can be what they are shown."""
    ours, theirs, folder = load_authority(agent.authority), new_authority(), agent.folder / "server"
    issued = issue(ours, Recipe())
    server = issue(theirs, _SERVER)
    before = _reloads(agent, "TLS")
    with _connected(agent, issued, _pem(theirs).encode()) as early:
        assert reason(_self(early)) == "UNAVAILABLE"
    for name, content in (("tls.crt", server.pem), ("tls.key", server.key)):
        _write(folder / name, content.decode())
    until(lambda: _reloads(agent, "TLS") > before)
    until(lambda: _is_answered(agent, issued, _pem(theirs).encode()))

    issue_server(agent.authority, SERVER_NAME, tmp_path / "again", path="/agent/test")
    for name in ("tls.crt", "tls.key"):
        _write(folder / name, (tmp_path / "again" / name).read_text("utf-8"))
    until(lambda: _is_answered(agent, issued, _pem(ours).encode()))


def _is_answered(agent: RunningAgent, certificate: Certificate, roots: bytes) -> bool:
    with _connected(agent, certificate, roots) as caller:
        return reason(_self(caller)) == ""
