"""Promise: who sweeps, guesses or floods is halted: each session, each stream and each new try, and nobody else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest

from expecting import reason, refusal, until
from leadglass.v1 import access_pb2, common_pb2, inspect_pb2
from leadglass_agent.access.journal import journal_path
from leadglass_cli import Home, flags
from running_agent import CALL_SECONDS, SERVER_NAME, running_again, running_agent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from running_agent import Caller, RunningAgent

    Ask = Callable[[int], object]

# The limits are those of every policy that names none, but for the rate, which no test should have to reach.
_POLICY: Final = """\
apiVersion: leadglass.dev/v1
kind: AccessPolicy
metadata: {name: test-guard}
spec:
  session: {callsPerMinute: 6000, maxOpen: 20, ticketPattern: "T-[0-9]{1,6}"}
  guard: {calls: 150, sensitivePaths: ["/**/keys/**"]}
  roles:
    - name: sre
      rules:
        - {id: session, effect: permit, permissions: [session.open, agent.self]}
        - {id: processes, effect: permit, permissions: [processes.list]}
        - {id: names, effect: permit, permissions: [env.presence], names: ["*"]}
        - {id: files, effect: permit, permissions: [files.metadata], paths: ["/**"]}
        - {id: texts, effect: permit, permissions: [text.redacted], paths: ["/**/*.log"]}
  bindings:
    - {role: sre, callers: ["spiffe://test.leadglass/user/*"]}
"""
_REVIEWED: Final = """\
    - name: admin
      rules:
        - {id: reviews, effect: permit, permissions: [reviews.list, reviews.close]}
  bindings:
    - {role: admin, callers: ["spiffe://test.leadglass/user/dora", "spiffe://test.leadglass/user/mallory"]}
"""
_HALT_SECONDS: Final = 15 * 60


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("agent"), _POLICY, exporter="stdout") as running_one:
        yield running_one


def _pids(caller: Caller, _: Path) -> Ask:
    """Looks for processes by trying numbers."""

    def ask(number: int) -> object:
        process = common_pb2.ProcessRef(pid=3_000_000 + number)
        return caller.call(
            caller.inspect.ListEnvironment, inspect_pb2.ListEnvironmentRequest(process=process, names=["A"])
        )

    return ask


def _missing(caller: Caller, folder: Path) -> Ask:
    """Guesses names of files."""
    return lambda number: _stat(caller, f"{folder}/guess-{number}")


def _sweep(caller: Caller, folder: Path) -> Ask:
    """Walks over everything that there is, fifty files a call."""
    for number in range(700):
        (folder / f"file-{number}").touch()
    return lambda number: _stat(caller, *(f"{folder}/file-{(50 * number + at) % 700}" for at in range(50)))


def _keys(caller: Caller, folder: Path) -> Ask:
    """Looks at what the policy calls sensitive, and is permitted to."""
    (folder / "keys").mkdir()
    (folder / "keys" / "tls.key").touch()
    return lambda _: _stat(caller, f"{folder}/keys/tls.key")


def _denied(caller: Caller, _: Path) -> Ask:
    """Tries what is not permitted, again and again."""
    return lambda _: caller.call(caller.access.ListReviews, access_pb2.ListReviewsRequest())


def _flood(caller: Caller, _: Path) -> Ask:
    """Asks one harmless thing as fast as it can."""
    return lambda _: caller.call(caller.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(page_size=1))


def _stat(caller: Caller, *paths: str) -> object:
    request = inspect_pb2.StatFilesRequest(process=common_pb2.ProcessRef(pid=os.getpid()), paths=paths)
    return caller.call(caller.inspect.StatFiles, request)


# The most calls that are answered, or refused for another reason, before there is nothing but a halt.
_ABUSE: Final = {
    "MISSING_PIDS": (_pids, 31),
    "MISSING_PATHS": (_missing, 60),
    "DISTINCT_PATHS": (_sweep, 12),
    "SENSITIVE_PATHS": (_keys, 5),
    "DENIALS": (_denied, 21),
    "CALLS": (_flood, 150),
}


@pytest.mark.parametrize("cause", _ABUSE)
def test_an_abuser_is_halted_everywhere_at_once_and_nobody_else(
    agent: RunningAgent, tmp_path: Path, cause: str
) -> None:
    start, most = _ABUSE[cause]
    name = cause.lower().replace("_", "-")
    caller, elsewhere, other = agent.caller(name), agent.caller(name), agent.caller("bob")
    following = _follow(elsewhere, tmp_path)
    ask = start(caller, tmp_path)
    answered = 0
    while reason(lambda: ask(answered)) != "HALTED":  # noqa: B023 - called here
        answered += 1
        assert answered <= most

    assert refusal(lambda: list(following)) == "HALTED"
    for one in (caller, elsewhere, agent.caller(name, session=False)):
        assert refusal(lambda: _flood(one, tmp_path)(0)) == "HALTED"  # noqa: B023 - called here
        assert refusal(one.open) == "HALTED"
    assert _flood(other, tmp_path)(0)

    halts = [record for record in agent.records() if record["kind"] == "HALTED" and record["caller"].endswith(name)]
    assert [(halt["facts"]["cause"], halt["severity"]) for halt in halts] == [(cause, "CRITICAL")]
    assert _HALT_SECONDS - 5 <= halts[0]["facts"]["seconds"] <= _HALT_SECONDS
    until(lambda: _ended(agent) >= {caller.session_id, elsewhere.session_id})


def _ended(agent: RunningAgent) -> set[str]:
    """Gives the sessions whose end is in the audit log."""
    return {record["session_id"] for record in agent.records() if record["kind"] == "SESSION_ENDED"}


def test_whoever_is_halted_is_told_so(agent: RunningAgent, tmp_path: Path) -> None:
    caller = agent.caller("told")
    ask, most = _denied(caller, tmp_path), _ABUSE["DENIALS"][1]
    assert "HALTED" in {reason(lambda: ask(0)) for _ in range(most + 1)}
    told = Home(tmp_path).run_here(*flags(agent.address, agent.client("told"), SERVER_NAME), "ps")
    assert (told.code, told.out) == (3, "")
    assert "you were halted" in told.err


def test_names_of_files_are_guessed_no_longer_by_reading_them(agent: RunningAgent, tmp_path: Path) -> None:
    caller = agent.caller("guesser")
    process, metadata = common_pb2.ProcessRef(pid=os.getpid()), (("leadglass-session", caller.session_id),)

    def read(number: int) -> object:
        request = inspect_pb2.ReadTextRequest(process=process, path=f"{tmp_path}/guess-{number}.log")
        return list(caller.inspect.ReadText(request, timeout=CALL_SECONDS, metadata=metadata))

    assert [reason(lambda: read(number)) for number in range(62)] == [""] * 60 + ["HALTED"] * 2  # noqa: B023 - now


@pytest.mark.parametrize("view", ["StatFiles", "ReadText"])
@pytest.mark.parametrize("spelling", ["{}//keys/{}", "{}/./keys/./{}", "/{}/keys//{}"])
def test_no_spelling_of_a_path_hides_what_is_sensitive(
    agent: RunningAgent, tmp_path: Path, view: str, spelling: str
) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "app.log").write_text("started\n", encoding="utf-8")
    path = spelling.format(tmp_path, "app.log")
    caller = agent.caller(f"speller-{view.lower()}-{spelling.count('.')}{spelling.count('//')}{spelling[0] == '/'}")
    process, metadata = common_pb2.ProcessRef(pid=os.getpid()), (("leadglass-session", caller.session_id),)

    def look() -> object:
        if view == "StatFiles":
            return _stat(caller, path)
        request = inspect_pb2.ReadTextRequest(process=process, path=path)
        return list(caller.inspect.ReadText(request, timeout=CALL_SECONDS, metadata=metadata))

    reasons = [reason(look) for _ in range(_ABUSE["SENSITIVE_PATHS"][1] + 1)]
    assert (reasons[0], reasons[-1]) == ("", "HALTED")
    named = [record.get("arguments", {}) for record in agent.records() if record.get("session_id") == caller.session_id]
    assert {path for arguments in named for path in arguments.get("path", arguments.get("paths", []))} == {
        f"{tmp_path}/keys/app.log"
    }


def test_each_halt_is_counted(agent: RunningAgent) -> None:
    halts = [record for record in agent.records() if record["kind"] == "HALTED"]
    assert halts
    assert agent.stop() == 0
    assert b"leadglass.halts" in agent.output.read_bytes()


def _follow(caller: Caller, folder: Path) -> Iterator[object]:
    """Follows a file, of which one line has come."""
    log = folder / "app.log"
    log.write_text("started\n", encoding="utf-8")
    request = inspect_pb2.ReadTextRequest(process=common_pb2.ProcessRef(pid=os.getpid()), path=str(log), follow=True)
    metadata = (("leadglass-session", caller.session_id),)
    following = caller.inspect.ReadText(request, timeout=6 * CALL_SECONDS, metadata=metadata)
    assert next(following).lines
    return following


def test_a_halt_is_reviewed_by_somebody_else_also_after_a_restart(tmp_path: Path) -> None:
    folder, finding = tmp_path / "agent", "a script of the deployment that nobody had announced"
    policy = _POLICY.replace("  bindings:\n", _REVIEWED)
    with running_agent(folder, policy) as agent:
        caller = _halted(agent, "mallory", tmp_path)
        (halt,) = [record for record in agent.records() if record["kind"] == "HALTED"]
        (review,) = _reviews(agent)
        assert halt["facts"]["review_owed"]
        assert (review.review_id, review.cause) == (halt["facts"]["review_id"], halt["facts"]["cause"])
        assert (review.kind, review.caller, review.session_id) == (
            access_pb2.REVIEW_KIND_HALT,
            halt["caller"],
            caller.session_id,
        )
        agent.process.kill()
        agent.process.wait()

    with running_again(folder) as agent:
        # The halt itself ended with the agent; the review does not.
        assert _reviews(agent) == [review]
    with running_again(folder) as agent:
        assert _reviews(agent) == [review]
        by_halted = Home(tmp_path).run_here(
            *flags(agent.address, agent.client("mallory"), SERVER_NAME),
            *("review", "close", review.review_id, "--finding", finding),
        )
        assert by_halted.code == 4
        admin = _admin(agent)
        request = access_pb2.CloseReviewRequest(review_id=review.review_id, finding=finding)
        assert admin.call(admin.access.CloseReview, request).review == review
        assert _reviews(agent) == []
        (closed,) = [record for record in agent.records() if record["kind"] == "REVIEW_CLOSED"]
        assert closed["facts"] == {
            "kind": "HALT",
            "review_id": review.review_id,
            "halted": halt["caller"],
            "cause": "SENSITIVE_PATHS",
            "session_id": caller.session_id,
        }

    with running_again(folder) as agent:
        assert _reviews(agent) == []


def test_a_journal_that_cannot_be_written_keeps_no_halt_from_happening(tmp_path: Path) -> None:
    folder = tmp_path / "agent"
    with running_agent(folder, _POLICY.replace("  bindings:\n", _REVIEWED)) as agent:
        journal_path(agent.audit_log).unlink()
        _halted(agent, "mallory", tmp_path)
        assert [record["facts"]["review_owed"] for record in agent.records() if record["kind"] == "HALTED"] == [True]
        assert len(_reviews(agent)) == 1
        # What the journal takes next is all of it.
        _halted(agent, "bob", tmp_path / "bob")
        owed = _reviews(agent)
        assert [review.caller.rpartition("/")[2] for review in owed] == ["mallory", "bob"]
        agent.process.kill()
        agent.process.wait()

    with running_again(folder) as agent:
        assert _reviews(agent) == owed


def _halted(agent: RunningAgent, name: str, folder: Path) -> Caller:
    """Gives a caller that looked at what is sensitive until it was halted."""
    folder.mkdir(exist_ok=True)
    caller = agent.caller(name)
    ask = _keys(caller, folder)
    assert "HALTED" in {reason(lambda: ask(0)) for _ in range(_ABUSE["SENSITIVE_PATHS"][1] + 1)}
    return caller


def _admin(agent: RunningAgent) -> Caller:
    return agent.caller("dora", session=False)


def _reviews(agent: RunningAgent) -> list[access_pb2.Review]:
    admin = _admin(agent)
    return list(admin.call(admin.access.ListReviews, access_pb2.ListReviewsRequest()).reviews)
