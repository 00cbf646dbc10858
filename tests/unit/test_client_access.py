"""Sessions that carry grants, those of others, reviews, and the warning before the end, against a simulated agent."""

from __future__ import annotations

import csv
import io
import json
import threading
from typing import TYPE_CHECKING

import grpc
import pytest
import yaml

from fake_agent import (
    GRANT_ID,
    SESSION_ID,
    FakeAgent,
    Identities,
    carrying_session,
    giving,
    halt_review,
    make_identities,
    plain_answers,
    reading,
    refusing,
    review,
    serving,
    session,
)
from leadglass.v1 import access_pb2, common_pb2
from leadglass_cli import Home, flags

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from google.protobuf.message import Message

    from fake_agent import Answer

OPEN = ("session", "open", "--reason", "looking for the cause of 502s")


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Identities:
    return make_identities(tmp_path_factory.mktemp("identities"))


@pytest.fixture
def agent() -> FakeAgent:
    return FakeAgent(plain_answers())


@pytest.fixture
def home(tmp_path: Path, agent: FakeAgent, identities: Identities) -> Iterator[Home]:
    with serving(agent, identities.server) as address:
        home = Home(tmp_path)
        added = home.run_here("context", "set", "demo", *flags(address, identities.client))
        assert added.code == 0, added.err
        yield home


def telling(answer: Answer, seconds: str) -> Answer:
    """Makes an answer that says beside its message how long the session has left."""

    def told(request: Message, context: grpc.ServicerContext) -> Message:
        context.send_initial_metadata((("leadglass-session-seconds-left", seconds),))
        return answer(request, context)

    return told


def test_a_session_carries_grants_token_and_target_to_the_agent(home: Home, agent: FakeAgent) -> None:
    one, two, token = (home.folder / name for name in ("one.json", "two.json", "token"))
    one.write_text('{"one": 1}\n')
    two.write_text('{"two": 2}\n')
    token.write_text("a.b.c\n")
    token.chmod(0o600)
    carried = ("--grant", str(one), "--grant", str(two), "--id-token-file", str(token), "--pid", "17@1017")
    outcome = home.run_here(*OPEN, *carried)
    assert outcome.code == 0, outcome.err
    assert agent.calls[0].request == access_pb2.OpenSessionRequest(
        reason="looking for the cause of 502s",
        grants=['{"one": 1}\n', '{"two": 2}\n'],
        id_token="a.b.c",
        target=common_pb2.ProcessRef(pid=17, start_ticks=1017),
    )


def test_an_id_token_that_others_can_read_is_not_sent(home: Home, agent: FakeAgent) -> None:
    token = home.folder / "token"
    token.write_text("a.b.c")
    token.chmod(0o640)
    outcome = home.run_here(*OPEN, "--id-token-file", str(token))
    assert outcome.code == 2
    assert "can be read by others (mode 0640)" in outcome.err
    assert "a.b.c" not in outcome.err
    assert agent.calls == []


def test_files_that_no_agent_would_take_are_not_sent(home: Home, agent: FakeAgent) -> None:
    large, odd, token = (home.folder / name for name in ("large.json", "odd.json", "token"))
    large.write_bytes(b"x" * (64 * 1024 + 1))
    odd.write_bytes(b"\xff")
    token.write_bytes(b"x" * (16 * 1024 + 1))
    token.chmod(0o600)
    nine = [word for _ in range(9) for word in ("--grant", str(odd))]
    for carried in (["--grant", str(large)], ["--grant", str(odd)], ["--id-token-file", str(token)], nine):
        assert home.run_here(*OPEN, *carried).code == 2
    assert home.run_here(*OPEN, "--grant", str(home.folder / "gone")).code == 4
    assert agent.calls == []


def test_a_session_shows_its_grants_and_how_much_of_its_budget_is_spent(home: Home, agent: FakeAgent) -> None:
    agent.answers["GetSession"] = giving(access_pb2.GetSessionResponse(session=carrying_session()))
    lines = home.run_here("session", "show", SESSION_ID).out.splitlines()
    assert f"grants      {GRANT_ID}" in lines
    assert "ID token    accepted" in lines
    assert "ends with   process 17@1017" in lines
    assert "from        10.0.0.7:41234" in lines
    assert lines[-3:] == [
        "SPENT  ALLOWED  OF     COUNTED IN",
        f"   40      100  rows   all sessions with grant {GRANT_ID}",
        "    7      500  calls  this session",
    ]
    document = json.loads(home.run_here("session", "show", SESSION_ID, "-o", "json").out)
    assert document["budget"][0] == {"grant_id": GRANT_ID, "what": "rows", "spent": 40, "allowed": 100}


def test_every_end_of_a_session_is_said_in_words(home: Home, agent: FakeAgent) -> None:
    seen = set()
    for number in sorted(access_pb2.SessionState.values())[2:]:
        ended = session(number)
        agent.answers["GetSession"] = giving(access_pb2.GetSessionResponse(session=ended))
        state = home.run_here("session", "show", SESSION_ID).out.splitlines()[1]
        assert "_" not in state, state
        seen.add(state)
    assert len(seen) == len(access_pb2.SessionState.values()) - 2


def test_the_sessions_of_all_are_listed_and_ended(home: Home, agent: FakeAgent) -> None:
    lines = home.run_here("session", "list", "--ended", "--limit", "7").out.splitlines()
    assert lines[0].split() == ["SESSION", "STATE", "LEFT", "CALLS", "GRANTS", "TICKET", "CALLER"]
    assert lines[2].split() == [SESSION_ID, "open", "-", "7", "1", "INC-1234", "spiffe://demo.leadglass/user/alice"]
    assert agent.calls[0].request == access_pb2.ListSessionsRequest(page_size=7, include_ended=True)
    ended = home.run_here("session", "end", SESSION_ID, "--reason", "left open over night")
    assert ended.code == 0
    assert "state       ended by an administrator" in ended.out
    assert agent.calls[1].request == access_pb2.EndSessionRequest(session_id=SESSION_ID, reason="left open over night")


def test_the_pages_of_sessions_are_followed(home: Home, agent: FakeAgent) -> None:
    def answer(request: object, _context: object) -> access_pb2.ListSessionsResponse:
        assert isinstance(request, access_pb2.ListSessionsRequest)
        number = int(request.page_token or 0)
        one = session()
        one.session_id = f"s-{number}"
        return access_pb2.ListSessionsResponse(sessions=[one], next_page_token=str(number + 1) if number < 2 else "")

    agent.answers["ListSessions"] = answer
    assert home.run_here("session", "list", "-o", "name").out.splitlines() == ["s-0", "s-1", "s-2"]


def test_owed_reviews_are_listed_and_closed(home: Home, agent: FakeAgent) -> None:
    lines = home.run_here("review", "list").out.splitlines()
    assert lines[1].split()[:6] == [
        "r-1",
        "reveal",
        "2026-01-01",
        "12:00:00Z",
        "spiffe://demo.leadglass/user/alice",
        "DATABASE_URL",
    ]
    closed = home.run_here("review", "close", "r-1", "--finding", "needed for the incident, rotated since")
    assert closed.code == 0
    assert "variable  DATABASE_URL" in closed.out
    assert agent.calls[1].request == access_pb2.CloseReviewRequest(
        review_id="r-1", finding="needed for the incident, rotated since"
    )


def test_the_review_of_a_halt_says_who_was_halted_and_why(home: Home, agent: FakeAgent) -> None:
    def both(_request: Message, _context: grpc.ServicerContext) -> access_pb2.ListReviewsResponse:
        return access_pb2.ListReviewsResponse(reviews=[review(), halt_review()])

    agent.answers["ListReviews"] = both
    agent.answers["CloseReview"] = lambda _request, _context: access_pb2.CloseReviewResponse(review=halt_review())

    line = home.run_here("review", "list").out.splitlines()[2]
    assert line.split()[:7] == [
        "r-2",
        "halt",
        "2026-01-01",
        "12:01:00Z",
        "spiffe://demo.leadglass/user/mallory",
        "SENSITIVE_PATHS",
        "INC-1300",
    ]
    assert "  s-9a2e  " in home.run_here("review", "list", "-o", "wide").out
    closed = home.run_here("review", "close", "r-2", "--finding", "a script of the deployment, not an attack")
    assert closed.code == 0
    assert "cause    SENSITIVE_PATHS" in closed.out
    assert "session  s-9a2e" in closed.out


@pytest.mark.parametrize("command", [("session", "list"), ("session", "end", "x", "--reason", "y"), ("review", "list")])
def test_every_form_says_the_same_of_what_administrators_see(home: Home, command: tuple[str, ...]) -> None:
    document = json.loads(home.run_here(*command, "-o", "json").out)
    assert yaml.safe_load(home.run_here(*command, "-o", "yaml").out) == document
    lines = [json.loads(line) for line in home.run_here(*command, "-o", "jsonl").out.splitlines()]
    rows = list(csv.reader(io.StringIO(home.run_here(*command, "-o", "csv").out, newline="")))
    assert len(rows) == len(lines) + 1
    assert {len(row) for row in rows} == {len(rows[0])}
    assert len(home.run_here(*command, "-o", "name").out.splitlines()) == len(lines)


def test_a_missing_grant_is_its_own_exit_code_and_says_how_to_ask_for_one(home: Home, agent: FakeAgent) -> None:
    agent.answers["ListEnvironment"] = refusing(grpc.StatusCode.PERMISSION_DENIED, "APPROVAL_NEEDED")
    outcome = home.run_here("env", "17")
    assert (outcome.code, outcome.out) == (9, "")
    assert "leadglass request" in outcome.err


@pytest.mark.parametrize("seconds", ["299", "0"])
def test_the_end_of_a_session_is_warned_of_once(home: Home, agent: FakeAgent, seconds: str) -> None:
    names = [f"NAME_{number}" for number in range(201)]  # two calls
    agent.answers["ListEnvironment"] = telling(agent.answers["ListEnvironment"], seconds)
    outcome = home.run_here("env", "17", *names)
    assert len(agent.calls) == 2
    assert outcome.code == 0
    assert outcome.err.count("note: the session ends in ") == 1


@pytest.mark.parametrize("seconds", ["300", "-1", "12x", "", "9" * 30, "1e2"])
def test_an_end_that_is_far_or_said_in_another_way_is_no_warning(home: Home, agent: FakeAgent, seconds: str) -> None:
    agent.answers["ListEnvironment"] = telling(agent.answers["ListEnvironment"], seconds)
    outcome = home.run_here("env", "17")
    assert (outcome.code, outcome.err) == (0, "")


def test_a_stream_warns_when_its_session_nears_its_end(home: Home, agent: FakeAgent) -> None:
    warned = threading.Event()

    def slow(request: Message, context: grpc.ServicerContext) -> Message:
        context.send_initial_metadata((("leadglass-session-seconds-left", "301"),))
        # Nothing is written to the file meanwhile: the warning must come by itself.
        assert warned.wait(60)
        return reading("a line")(request, context)

    agent.answers["ReadText"] = slow

    def seen() -> str:
        warned.set()
        return ""

    outcome = home.converse("cat", "17", "/app.log", replies=[("the session ends in 5m", seen)])
    assert outcome.code == 0
    assert outcome.out.index("the session ends") < outcome.out.index("a line")


def test_a_stream_that_ends_in_time_warns_of_nothing(home: Home, agent: FakeAgent) -> None:
    agent.answers["ReadText"] = telling(agent.answers["ReadText"], "4000")
    outcome = home.run("cat", "17", "/app.log")
    assert (outcome.code, outcome.err) == (0, "")
