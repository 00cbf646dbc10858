"""A role that asks for a fresh sign-in shows nothing without one; a token is of use to one key and its grants alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import grpc
import pytest

from granting import POLICY, envelope, grant_of, granting_agent, person_of
from id_tokens import AUDIENCE, CLAIMS, ISSUER, Token, jwks
from leadglass.v1 import access_pb2, inspect_pb2
from leadglass_agent.access.evidence_nonce import evidence_nonce
from running_agent import CALL_SECONDS, REASON, TICKET, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from running_agent import Caller, RunningAgent

_LIST = inspect_pb2.ListProcessesRequest(page_size=1)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    folder: Path = tmp_path_factory.mktemp("evidence")
    (folder / "jwks.json").write_bytes(jwks())
    source = f"  evidence: {{issuer: {ISSUER}, jwks: {folder}/jwks.json, audience: {AUDIENCE}, algorithms: [ES256]}}\n"
    policy = POLICY.replace("  roles:\n", f"{source}  roles:\n", 1).replace(
        "      grant: {approvals: 1,",
        "      conditions: {evidence: {amr: [mfa], maxMinutes: 30}}\n      grant: {approvals: 1,",
    )
    with granting_agent(folder, policy) as running_one:
        yield running_one


def _token(nonce: str, **claims: object) -> str:
    now = int(time.time())
    times = {"iat": now - 5, "exp": now + 300, "auth_time": now - 30}
    return Token(claims={**times, "nonce": nonce, **claims}).text()


def _open(caller: Caller, grant: str, id_token: str) -> access_pb2.Session:
    request = access_pb2.OpenSessionRequest(reason=REASON, ticket=TICKET, grants=[grant], id_token=id_token)
    session = caller.access.OpenSession(request, timeout=CALL_SECONDS).session
    caller.session_id = session.session_id
    return session


def _refusal(caller: Caller, grant: str, id_token: str) -> str:
    with pytest.raises(grpc.RpcError) as caught:
        _open(caller, grant, id_token)
    return reason_of(caught.value)


def test_a_fresh_sign_in_for_this_key_and_grant_opens_what_the_role_gives(agent: RunningAgent) -> None:
    caller = agent.caller("alice", session=False)
    grant = grant_of(agent)
    fresh = _token(evidence_nonce(person_of(agent, "alice").key_digest, [grant.grant_id]))
    assert _open(caller, envelope(agent, grant, "carol"), fresh).has_evidence
    assert caller.call(caller.inspect.ListProcesses, _LIST).processes
    assert fresh not in agent.audit_log.read_text()
    assert fresh.rpartition(".")[2] not in agent.audit_log.read_text()
    opened = next(record for record in reversed(agent.records()) if record["kind"] == "SESSION_OPENED")
    assert opened["facts"]["evidence_subject"] == CLAIMS["sub"]


def test_without_a_sign_in_the_session_shows_nothing(agent: RunningAgent) -> None:
    caller = agent.caller("alice", session=False)
    assert not _open(caller, envelope(agent, grant_of(agent), "carol"), "").has_evidence
    with pytest.raises(grpc.RpcError) as caught:
        caller.call(caller.inspect.ListProcesses, _LIST)
    assert reason_of(caught.value) == "CONDITION_UNMET"


def test_a_sign_in_without_the_method_that_the_role_asks_for_shows_nothing(agent: RunningAgent) -> None:
    caller = agent.caller("alice", session=False)
    grant = grant_of(agent)
    nonce = evidence_nonce(person_of(agent, "alice").key_digest, [grant.grant_id])
    _open(caller, envelope(agent, grant, "carol"), _token(nonce, amr=["pwd"]))
    with pytest.raises(grpc.RpcError) as caught:
        caller.call(caller.inspect.ListProcesses, _LIST)
    assert reason_of(caught.value) == "CONDITION_UNMET"


def test_a_token_of_another_grant_or_another_key_is_refused(agent: RunningAgent) -> None:
    alice, bob = agent.caller("alice", session=False), agent.caller("bob", session=False)
    grant = grant_of(agent)
    text = envelope(agent, grant, "carol")
    key_digest = person_of(agent, "alice").key_digest
    assert _refusal(alice, text, _token(evidence_nonce(key_digest, [grant_of(agent).grant_id]))) == "EVIDENCE_REFUSED"
    stolen = _token(evidence_nonce(key_digest, [grant.grant_id]))
    assert _refusal(bob, envelope(agent, grant_of(agent, "bob"), "carol"), stolen) == "EVIDENCE_REFUSED"
    old = _token(evidence_nonce(key_digest, [grant.grant_id]), exp=int(time.time()) - 600)
    assert _refusal(alice, text, old) == "EVIDENCE_REFUSED"
    assert _refusal(alice, text, "x" * 16_385) == "EVIDENCE_REFUSED"


def test_a_grant_that_asks_for_a_sign_in_is_refused_without_one(agent: RunningAgent) -> None:
    caller = agent.caller("alice", session=False)
    grant = grant_of(agent, needs_evidence=True)
    assert _refusal(caller, envelope(agent, grant, "carol"), "") == "GRANT_REFUSED"
