"""Promise: a grant shows what its budget allows and not one thing more, over sessions, streams and a killed agent."""

from __future__ import annotations

import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import grpc

from expecting import reason, refusal
from granting import envelope, grant_of, granting_agent, open_with
from leadglass.v1 import access_pb2, common_pb2, inspect_pb2
from leadglass_agent.access.grant import GrantBudget
from running_agent import CALL_SECONDS, reason_of, running_again
from sample_processes import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from running_agent import Caller, RunningAgent

_NAMES: Final = tuple(f"SAMPLE_{number}" for number in range(60))
_ALLOWED: Final = 20
_SEED: Final = 4
# What may be asked of a grant that is spent, and of one whose agent has just been killed.
_NOT_ANSWERED: Final = {"BUDGET_SPENT", "UNAVAILABLE", "CANCELLED", "UNKNOWN"}


def _names(caller: Caller, pid: int, *names: str) -> set[str]:
    """Asks after variables; gives the names that were answered."""
    process = common_pb2.ProcessRef(pid=pid)
    request = inspect_pb2.ListEnvironmentRequest(process=process, names=names)
    return {variable.name.text for variable in caller.call(caller.inspect.ListEnvironment, request).variables}


def _spent(caller: Caller, what: str) -> tuple[int, int]:
    """Gives what of a bound of the session's grant is spent, and what is allowed."""
    request = access_pb2.GetSessionRequest(session_id=caller.session_id)
    lines = caller.access.GetSession(request, timeout=CALL_SECONDS).session.budget
    return next((line.spent, line.allowed) for line in lines if line.what == what and line.grant_id)


def test_names_end_exactly_though_the_agent_is_killed_on_the_way(tmp_path: Path) -> None:
    chance = random.Random(_SEED)  # noqa: S311 - an enumerator's order, the same in each run
    asked = [tuple(chance.sample(_NAMES, 3)) for _ in range(200)]
    seen: set[str] = set()
    with running(environment=dict.fromkeys(_NAMES, "1")) as pid:
        with granting_agent(tmp_path) as agent:
            grant = grant_of(agent, budget=GrantBudget(names=_ALLOWED))
            text = envelope(agent, grant, "carol")
            callers = [agent.caller("alice", session=False) for _ in range(4)]
            for caller in callers:
                open_with(caller, text)
            front = agent.front_pid

            def enumerate_some(at: int) -> str:
                try:
                    seen.update(_names(callers[at % 4], pid, *asked[at]))
                except grpc.RpcError as error:
                    return reason_of(error) or error.code().name
                if len(seen) > _ALLOWED // 2:
                    with suppress(ProcessLookupError):
                        os.kill(front, signal.SIGKILL)  # while other calls are under way
                return ""

            with ThreadPoolExecutor(8) as pool:
                refused = set(pool.map(enumerate_some, range(len(asked))))
            assert refused <= {"", *_NOT_ANSWERED}
            assert _ALLOWED // 2 < len(seen) <= _ALLOWED

        with running_again(tmp_path) as agent:
            caller = agent.caller("alice", session=False)
            open_with(caller, text)
            assert len(seen) <= _spent(caller, "names")[0] <= _ALLOWED
            # What was shown before is shown again; of the others just as many as were left.
            again = {name for name in _NAMES if reason(lambda: _names(caller, pid, name)) == ""}  # noqa: B023 - now
            assert seen <= again
            assert len(again) == _ALLOWED
            assert _spent(caller, "names") == (_ALLOWED, _ALLOWED)
            more = next(name for name in _NAMES if name not in again)
            assert refusal(lambda: _names(caller, pid, more, *sorted(again))) == "BUDGET_SPENT"


def test_bytes_end_exactly_over_pages_and_parallel_streams(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("".join(f"line {number} of a log that goes on and on\n" for number in range(20_000)), "utf-8")
    allowed = 300_000
    with granting_agent(tmp_path) as agent:
        text = _bytes_grant(agent, allowed)
        callers = [agent.caller("alice", session=False) for _ in range(4)]
        for caller in callers:
            open_with(caller, text)
        ends: list[str] = []

        def read(at: int) -> int:
            caller = callers[at % 4]
            size = 0
            try:
                if at % 2:
                    for message in _text(caller, log):
                        size += message.ByteSize()
                else:
                    size += caller.call(caller.inspect.ListProcesses, inspect_pb2.ListProcessesRequest()).ByteSize()
            except grpc.RpcError as error:
                ends.append(reason_of(error))
            return size

        with ThreadPoolExecutor(4) as pool:
            shown = sum(pool.map(read, range(12)))
        assert ends
        assert set(ends) == {"BUDGET_SPENT"}
        assert 0 < shown <= allowed
        assert _spent(callers[0], "reply_bytes") == (shown, allowed)


def _bytes_grant(agent: RunningAgent, allowed: int) -> str:
    grant = grant_of(agent, permissions=("processes.list", "text.redacted"), budget=GrantBudget(reply_bytes=allowed))
    return envelope(agent, grant, "carol")


def _text(caller: Caller, log: Path) -> Iterator[inspect_pb2.ReadTextResponse]:
    request = inspect_pb2.ReadTextRequest(process=common_pb2.ProcessRef(pid=os.getpid()), path=str(log))
    metadata = (("leadglass-session", caller.session_id),)
    return caller.inspect.ReadText(request, timeout=6 * CALL_SECONDS, metadata=metadata)


def test_a_field_group_counts_against_the_grant_that_shows_it(tmp_path: Path) -> None:
    with granting_agent(tmp_path) as agent:
        caller = agent.caller("alice", session=False)
        rows = grant_of(agent, permissions=("processes.list",))
        arguments = grant_of(agent, permissions=("processes.argv",), budget=GrantBudget(rows=1))
        open_with(caller, envelope(agent, rows, "carol"), envelope(agent, arguments, "carol"))
        request = inspect_pb2.ListProcessesRequest(pids=[os.getpid()])
        assert caller.call(caller.inspect.ListProcesses, request).processes[0].arguments
        assert _spent(caller, "rows") == (1, 1)
        assert refusal(lambda: caller.call(caller.inspect.ListProcesses, request)) == "BUDGET_SPENT"
        outcomes = [record for record in agent.records() if record["kind"] == "OUTCOME"]
        used = next(record["grants"] for record in outcomes if record["method"].endswith("ListProcesses"))
        assert used == sorted([rows.grant_id, arguments.grant_id])


def test_what_is_there_and_what_is_not_are_refused_alike_once_the_rows_are_spent(tmp_path: Path) -> None:
    with granting_agent(tmp_path) as agent:
        caller = agent.caller("alice", session=False)
        grant = grant_of(agent, permissions=("processes.list",), budget=GrantBudget(rows=1))
        open_with(caller, envelope(agent, grant, "carol"))

        def listed(glob: str) -> str:
            request = inspect_pb2.ListProcessesRequest(name_glob=glob, page_size=1)
            return reason(lambda: caller.call(caller.inspect.ListProcesses, request))

        assert [listed("no-such-name*"), listed("*")] == ["", ""]
        assert [listed("no-such-name*"), listed("*")] == ["BUDGET_SPENT", "BUDGET_SPENT"]


def test_a_page_is_no_larger_than_what_is_left(tmp_path: Path) -> None:
    with running() as pid, granting_agent(tmp_path) as agent:
        caller = agent.caller("alice", session=False)
        grant = grant_of(agent, permissions=("processes.list",), budget=GrantBudget(rows=1))
        open_with(caller, envelope(agent, grant, "carol"))
        # Refused, and so for nothing, it would tell that both are there.
        request = inspect_pb2.ListProcessesRequest(pids=[pid, os.getpid()])
        page = caller.call(caller.inspect.ListProcesses, request)
        assert (len(page.processes), _spent(caller, "rows")) == (1, (1, 1))
