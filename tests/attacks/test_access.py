"""Nobody has standing access: each look is under a grant that others signed, and ends when it should."""

from __future__ import annotations

import base64
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from granting import POLICY, envelope, grant_of, granting_agent, open_with, person_of
from grants import envelope_of
from leadglass.v1 import access_pb2, common_pb2, inspect_pb2
from leadglass_agent.access.dsse import Envelope, Signature, write_envelope
from leadglass_agent.access.grant import GrantBudget, PodSelector
from leadglass_agent.access.grant_json import write_grant
from leadglass_agent.access.sealing import info
from running_agent import CALL_SECONDS, REASON, TICKET, reason_of, running_again
from sample_processes import running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from leadglass_agent.access.grant import Grant
    from running_agent import Caller, RunningAgent

_LIST = inspect_pb2.ListProcessesRequest(page_size=1)
_WAIT_SECONDS = 30.0


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with granting_agent(tmp_path_factory.mktemp("granting")) as running_one:
        yield running_one


def _refusal(call: Callable[[], object]) -> str:
    """Gives the reason for which a call is refused."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return reason_of(caught.value)


def _until(holds: Callable[[], bool]) -> None:
    """Waits until something holds."""
    end = time.monotonic() + _WAIT_SECONDS
    while not holds():
        assert time.monotonic() < end, "it never held"
        time.sleep(0.05)


def _list(caller: Caller) -> inspect_pb2.ListProcessesResponse:
    return caller.call(caller.inspect.ListProcesses, _LIST)


def test_without_a_grant_a_session_shows_nothing(agent: RunningAgent) -> None:
    caller = agent.caller("alice")
    assert _refusal(lambda: _list(caller)) == "APPROVAL_NEEDED"
    assert agent.records()[-1]["detail"] == "processes.list: GRANT_NEEDED sre"


def test_a_grant_shows_what_it_names_and_each_record_says_by_which(agent: RunningAgent) -> None:
    caller = agent.caller("alice", session=False)
    grant = grant_of(agent)
    session = open_with(caller, envelope(agent, grant, "carol"))
    assert list(session.grant_ids) == [grant.grant_id]
    assert _list(caller).processes
    outcome = agent.records()[-1]
    assert (outcome["kind"], outcome["grants"]) == ("OUTCOME", [grant.grant_id])
    used = next(record for record in reversed(agent.records()) if record["kind"] == "GRANT_USED")
    assert used["facts"]["approver1"] == "spiffe://test.leadglass/user/carol"
    asked = inspect_pb2.StatFilesRequest(process=common_pb2.ProcessRef(pid=os.getpid()), paths=["/"])
    assert _refusal(lambda: caller.call(caller.inspect.StatFiles, asked)) == "APPROVAL_NEEDED"


def test_every_reply_says_who_asks_by_which_grant_and_how_soon_that_ends(agent: RunningAgent) -> None:
    caller = agent.caller("alice", session=False)
    grant = grant_of(agent)
    open_with(caller, envelope(agent, grant, "carol"))
    metadata = (("leadglass-session", caller.session_id),)
    _, call = caller.inspect.ListProcesses.with_call(_LIST, timeout=CALL_SECONDS, metadata=metadata)
    headers = dict(call.initial_metadata())
    assert headers["leadglass-caller"] == "spiffe://test.leadglass/user/alice"
    assert headers["leadglass-grants"] == grant.grant_id
    assert 0 < int(headers["leadglass-session-seconds-left"]) <= 600


def _edited(text: str) -> str:
    return text.replace('"payload":"', '"payload":"ew', 1)


def _swapped(agent: RunningAgent, grant: Grant) -> str:
    """Puts another grant's payload under carol's signature."""
    signed = envelope_of(grant, person_of(agent, "carol"))
    other = write_grant(replace(grant, permissions=(*grant.permissions, "files.list")))
    return write_envelope(Envelope(signed.payload_type, other, signed.signatures))


def _other_type(agent: RunningAgent, grant: Grant) -> str:
    signed = envelope_of(grant, person_of(agent, "carol"))
    return write_envelope(Envelope("application/json", signed.payload, signed.signatures))


def _twice(agent: RunningAgent, grant: Grant) -> str:
    signed = envelope_of(grant, person_of(agent, "carol"))
    return write_envelope(Envelope(signed.payload_type, signed.payload, signed.signatures * 2))


def _as_dave(agent: RunningAgent, grant: Grant) -> str:
    """Shows dave's certificate beside a signature of alice's own key."""
    signed = envelope_of(grant, person_of(agent, "alice"))
    dave = person_of(agent, "dave")
    forged = Signature(dave.key_digest, signed.signatures[0].signature, dave.certificates)
    return write_envelope(Envelope(signed.payload_type, signed.payload, (forged,)))


_NOW = int(time.time())
_FORGERIES: dict[str, Callable[[RunningAgent], str]] = {
    "approved by the requester": lambda agent: envelope(agent, grant_of(agent), "alice"),
    "approved by the requester as well": lambda agent: envelope(agent, grant_of(agent), "carol", "alice"),
    "approved by nobody": lambda agent: envelope(agent, grant_of(agent)),
    "approved by somebody without the role": lambda agent: envelope(agent, grant_of(agent), "bob"),
    "signed twice by one person": lambda agent: _twice(agent, grant_of(agent)),
    "signed by another key than the certificate's": lambda agent: _as_dave(agent, grant_of(agent)),
    "edited": lambda agent: _edited(envelope(agent, grant_of(agent), "carol")),
    "with another payload": lambda agent: _swapped(agent, grant_of(agent)),
    "of another payload type": lambda agent: _other_type(agent, grant_of(agent)),
    "made out to somebody else": lambda agent: envelope(agent, grant_of(agent, "bob"), "carol"),
    "for another pod": lambda agent: envelope(agent, grant_of(agent, pods=(PodSelector(namespace="other"),)), "carol"),
    "for a pod by its uid": lambda agent: envelope(
        agent, grant_of(agent, pods=(PodSelector(uid="8c1b3a52-0000-4000-8000-000000000000"),)), "carol"
    ),
    "for the other tier": lambda agent: envelope(agent, grant_of(agent, tier="non-prod"), "carol"),
    "expired": lambda agent: envelope(
        agent, grant_of(agent, not_before_unix=_NOW - 3_600, not_after_unix=_NOW - 1), "carol"
    ),
    "not valid yet": lambda agent: envelope(
        agent, grant_of(agent, not_before_unix=_NOW + 3_600, not_after_unix=_NOW + 3_660), "carol"
    ),
    "under another policy": lambda agent: envelope(agent, grant_of(agent, policy_digest="sha256:" + "0" * 64), "carol"),
    "for another ticket": lambda agent: envelope(agent, grant_of(agent, ticket="T-2"), "carol"),
    "no envelope": lambda _: "{}",
    "a request that nobody signed": lambda agent: write_envelope(envelope_of(grant_of(agent))),
}


@pytest.mark.parametrize("forgery", _FORGERIES)
def test_a_grant_that_is_not_what_others_signed_opens_nothing_and_is_recorded(
    agent: RunningAgent, forgery: str
) -> None:
    caller = agent.caller("alice", session=False)
    text = _FORGERIES[forgery](agent)
    assert _refusal(lambda: open_with(caller, text)) == "GRANT_REFUSED"
    assert agent.records()[-1]["refusal"] == "GRANT_REFUSED"


def test_a_grant_that_is_over_long_is_refused_before_it_is_read(agent: RunningAgent) -> None:
    caller = agent.caller("alice", session=False)
    assert _refusal(lambda: open_with(caller, " " * 65_537)) == "INVALID_REQUEST"


def test_one_approval_is_not_two(agent: RunningAgent) -> None:
    caller = agent.caller("alice", session=False)
    grant = grant_of(agent, permissions=("env.reveal",), names=("SAMPLE_VALUE",), reveals=True)
    grant = replace(grant, not_before_unix=int(time.time()) - 10, not_after_unix=int(time.time()) + 200)
    open_with(caller, envelope(agent, grant, "carol"))
    assert _refusal(lambda: _reveal(caller, os.getpid(), "SAMPLE_VALUE")) == "APPROVAL_NEEDED"


def test_a_stolen_session_id_is_of_no_use(agent: RunningAgent) -> None:
    caller = agent.caller("alice", session=False)
    open_with(caller, envelope(agent, grant_of(agent), "carol"))
    thief = agent.caller("bob", session=False)
    thief.session_id = caller.session_id
    assert _refusal(lambda: _list(thief)) == "SESSION_UNKNOWN"


def test_many_opens_at_once_do_not_exceed_what_is_allowed(agent: RunningAgent) -> None:
    caller = agent.caller("bob", session=False)

    def open_one(_: int) -> str:
        try:
            request = access_pb2.OpenSessionRequest(reason=REASON, ticket=TICKET)
            caller.access.OpenSession(request, timeout=CALL_SECONDS)
        except grpc.RpcError as error:
            return reason_of(error)
        return ""

    with ThreadPoolExecutor(16) as pool:
        ends = list(pool.map(open_one, range(40)))
    assert ends.count("") == 20
    assert set(ends) == {"", "SESSION_LIMIT"}


def test_a_budget_ends_exactly_over_sessions_and_parallel_calls_and_a_restart(tmp_path: Path) -> None:
    with granting_agent(tmp_path) as agent:
        grant = grant_of(agent, budget=GrantBudget(rows=25))
        text = envelope(agent, grant, "carol")
        callers = [agent.caller("alice", session=False) for _ in range(4)]
        for caller in callers:
            open_with(caller, text)

        refused: list[str] = []

        def look(number: int) -> int:
            try:
                return len(_list(callers[number % 4]).processes)
            except grpc.RpcError as error:
                refused.append(reason_of(error))
                return 0

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(look, range(20))) == 20
        assert not refused
        shown = (
            callers[0]
            .access.GetSession(access_pb2.GetSessionRequest(session_id=callers[0].session_id), timeout=CALL_SECONDS)
            .session
        )
        assert [(line.grant_id, line.what, line.spent, line.allowed) for line in shown.budget] == [
            (grant.grant_id, "rows", 20, 25)
        ]
    with running_again(tmp_path) as agent:
        caller = agent.caller("alice", session=False)
        open_with(caller, text)
        assert sum(len(_list(caller).processes) for _ in range(5)) == 5
        assert _refusal(lambda: _list(caller)) == "BUDGET_SPENT"


def test_an_administrator_sees_and_ends_the_sessions_of_others(agent: RunningAgent) -> None:
    caller = agent.caller("alice", session=False)
    session = open_with(caller, envelope(agent, grant_of(agent), "carol"))
    erin = agent.caller("erin", session=False)
    listed = erin.access.ListSessions(access_pb2.ListSessionsRequest(), timeout=CALL_SECONDS).sessions
    assert session.session_id in {found.session_id for found in listed}
    ended = erin.access.EndSession(
        access_pb2.EndSessionRequest(session_id=session.session_id, reason="the incident is over"),
        timeout=CALL_SECONDS,
    ).session
    assert ended.state == access_pb2.SESSION_STATE_ENDED_BY_ADMIN
    assert _refusal(lambda: _list(caller)) == "SESSION_ENDED"
    assert (
        _refusal(lambda: caller.access.ListSessions(access_pb2.ListSessionsRequest(), timeout=CALL_SECONDS))
        == "POLICY_DENIED"
    )


def test_a_stream_ends_when_its_session_is_ended(agent: RunningAgent, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("started\n", encoding="utf-8")
    caller = agent.caller("alice", session=False)
    session = open_with(caller, envelope(agent, grant_of(agent, permissions=("text.redacted",)), "carol"))
    request = inspect_pb2.ReadTextRequest(process=common_pb2.ProcessRef(pid=os.getpid()), path=str(log), follow=True)
    metadata = (("leadglass-session", caller.session_id),)
    following = caller.inspect.ReadText(request, timeout=_WAIT_SECONDS, metadata=metadata)
    assert next(following).lines
    erin = agent.caller("erin", session=False)
    erin.access.EndSession(
        access_pb2.EndSessionRequest(session_id=session.session_id, reason="the incident is over"),
        timeout=CALL_SECONDS,
    )
    assert _refusal(lambda: list(following)) == "SESSION_ENDED"


def test_a_session_ends_with_the_process_that_it_is_about(agent: RunningAgent) -> None:
    caller = agent.caller("alice", session=False)
    text = envelope(agent, grant_of(agent), "carol")
    with running() as pid:
        session = open_with(caller, text, pid=pid)
        assert session.target.pid == pid
        assert _list(caller).processes
    _until(lambda: _state(caller) == access_pb2.SESSION_STATE_TARGET_GONE)
    assert _refusal(lambda: open_with(caller, text, pid=pid)) == "PROCESS_NOT_FOUND"


def _state(caller: Caller) -> int:
    request = access_pb2.GetSessionRequest(session_id=caller.session_id)
    return int(caller.access.GetSession(request, timeout=CALL_SECONDS).session.state)


def test_a_denied_grant_a_denied_key_and_a_tighter_policy_end_sessions(tmp_path: Path) -> None:
    denied = tmp_path / "deny.yaml"

    def deny(entry: str) -> None:
        denied.write_text(
            f"apiVersion: leadglass.dev/v1\nkind: DenyList\nmetadata: {{name: test}}\nspec: {{{entry}}}\n",
            encoding="utf-8",
        )

    deny("")
    with granting_agent(tmp_path, more=f"  denyList: {denied}\n") as agent:
        caller = agent.caller("alice", session=False)
        grant = grant_of(agent)
        open_with(caller, envelope(agent, grant, "carol"))
        assert _list(caller).processes
        deny(f'grants: ["{grant.grant_id}"]')
        _until(lambda: _state(caller) == access_pb2.SESSION_STATE_GRANT_ENDED)
        deny("")
        open_with(caller, envelope(agent, grant_of(agent), "carol"))
        (tmp_path / "policy.yaml").write_text(POLICY.replace("approvals: 1,", "approvals: 2,"), encoding="utf-8")
        _until(lambda: _state(caller) == access_pb2.SESSION_STATE_POLICY_TIGHTENED)
        deny('callers: ["spiffe://test.leadglass/user/alice"]')
        _until(lambda: _is_revoked(caller))
        (tmp_path / "policy.yaml").write_text("half a pol", encoding="utf-8")
        _until(lambda: any(record["kind"] == "RELOAD_FAILED" for record in agent.records()))
        assert _refusal(lambda: _list(caller)) == "CERTIFICATE_REVOKED"


def _is_revoked(caller: Caller) -> bool:
    try:
        _state(caller)
    except grpc.RpcError as error:
        return reason_of(error) == "CERTIFICATE_REVOKED"
    return False


def _reveal(caller: Caller, pid: int, name: str, key: X25519PrivateKey | None = None) -> access_pb2.RevealResponse:
    public = (key or X25519PrivateKey.generate()).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    request = access_pb2.RevealRequest(
        process=common_pb2.ProcessRef(pid=pid), name=name, recipient_key=base64.b64encode(public).decode()
    )
    return caller.call(caller.access.Reveal, request)


def test_a_reveal_is_sealed_happens_once_and_owes_a_review(tmp_path: Path) -> None:
    value = "marker-" + os.urandom(12).hex()
    with granting_agent(tmp_path) as agent, running(environment={"SAMPLE_VALUE": value}) as pid:
        caller = agent.caller("alice", session=False)

        def open_reveal() -> str:
            now = int(time.time())
            grant = grant_of(
                agent,
                permissions=("env.reveal",),
                names=("SAMPLE_VALUE",),
                reveals=True,
                not_before_unix=now - 10,
                not_after_unix=now + 240,
            )
            open_with(caller, envelope(agent, grant, "carol", "dave"))
            return grant.grant_id

        open_reveal()
        key = X25519PrivateKey.generate()
        reply = _reveal(caller, pid, "SAMPLE_VALUE", key)
        suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
        plain = suite.decrypt(base64.b64decode(reply.sealed_value), key, info=info(pid, b"SAMPLE_VALUE"))
        assert plain[4 : 4 + int.from_bytes(plain[:4])].decode() == value
        assert reply.review_id
        assert _refusal(lambda: _reveal(caller, pid, "SAMPLE_VALUE")) in {"REVIEW_OWED", "REVEAL_REFUSED"}
        open_reveal()
        assert _refusal(lambda: _reveal(caller, pid, "SAMPLE_VALUE")) == "REVIEW_OWED"
        finding = access_pb2.CloseReviewRequest(review_id=reply.review_id, finding="the value was needed to compare it")
        erin = agent.caller("erin", session=False)
        owed = erin.access.ListReviews(access_pb2.ListReviewsRequest(), timeout=CALL_SECONDS).reviews
        assert [(review.name, review.caller) for review in owed] == [
            ("SAMPLE_VALUE", "spiffe://test.leadglass/user/alice")
        ]
        erin.access.CloseReview(finding, timeout=CALL_SECONDS)
        assert _reveal(caller, pid, "SAMPLE_VALUE").is_set
        erin.access.CloseReview(
            access_pb2.CloseReviewRequest(
                review_id=erin.access.ListReviews(access_pb2.ListReviewsRequest(), timeout=CALL_SECONDS)
                .reviews[0]
                .review_id,
                finding="the value was needed to compare it",
            ),
            timeout=CALL_SECONDS,
        )
        open_reveal()
        assert _refusal(lambda: _reveal(caller, pid, "SAMPLE_VALUE")) == "REVEAL_REFUSED"  # two a month
        written = b"".join(
            file.read_bytes() for file in tmp_path.rglob("*") if file.is_file() and file.suffix != ".key"
        )
        assert value.encode() not in written
        assert base64.b64encode(value.encode()) not in written
        kinds = [record["kind"] for record in agent.records()]
        assert kinds.count("REVEALED") == 2
        assert kinds.count("REVIEW_CLOSED") == 2
        assert {record["severity"] for record in agent.records() if record["kind"] == "REVEALED"} == {"CRITICAL"}


def test_a_sweep_is_halted_and_its_streams_and_sessions_with_it(tmp_path: Path) -> None:
    policy = POLICY.replace("missingPids: 100000", "missingPids: 30")
    with granting_agent(tmp_path, policy) as agent:
        caller = agent.caller("alice", session=False)
        open_with(caller, envelope(agent, grant_of(agent), "carol"))

        def sweep() -> str:
            for pid in range(3_000_000, 3_000_200):
                asked = inspect_pb2.ListEnvironmentRequest(process=common_pb2.ProcessRef(pid=pid), names=["A"])
                reason = _refusal(lambda: caller.call(caller.inspect.ListEnvironment, asked))  # noqa: B023 - asked now
                if reason != "PROCESS_NOT_FOUND":
                    return f"{reason} after {pid - 3_000_000}"
            return "never"

        assert sweep() == "HALTED after 31"
        assert _refusal(lambda: _list(caller)) == "HALTED"
        halts = [record for record in agent.records() if record["kind"] == "HALTED"]
        assert [(halt["facts"]["cause"], halt["severity"]) for halt in halts] == [("MISSING_PIDS", "CRITICAL")]
        # Others are not.
        bob = agent.caller("bob", session=False)
        open_with(bob, envelope(agent, grant_of(agent, "bob"), "carol"))
        assert _list(bob).processes
