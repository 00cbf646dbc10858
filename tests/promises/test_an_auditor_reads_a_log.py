"""Promise: an auditor who never saw the agent learns from its log who looked at what, why, and what was refused."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

import pytest

from leadglass.v1 import access_pb2, common_pb2, inspect_pb2
from leadglass_cli import Home, flags
from ocsf_schema import schema_faults
from planted_secrets import plant
from running_agent import SERVER_NAME, running_again, running_agent

if TYPE_CHECKING:
    from pathlib import Path

    from running_agent import RunningAgent

_POLICY: Final = """\
apiVersion: leadglass.dev/v1
kind: AccessPolicy
metadata: {name: test-auditor}
spec:
  session: {ticketPattern: "T-[0-9]{1,6}"}
  guard: {sensitivePaths: ["/**/keys/**"]}
  roles:
    - name: sre
      rules:
        - {id: ends, effect: permit, permissions: [sessions.end]}
        - {id: session, effect: permit, permissions: [session.open, agent.self]}
        - {id: processes, effect: permit, permissions: [processes.list]}
        - {id: names, effect: permit, permissions: [env.presence], names: ["*"]}
        - {id: files, effect: permit, permissions: [files.metadata, files.list, text.redacted], paths: ["FOLDER/**"]}
  bindings:
    - {role: sre, callers: ["spiffe://test.leadglass/user/*"]}
"""


def test_a_real_log_answers_an_auditor(tmp_path: Path) -> None:
    planted = plant("file")
    shop, folder = tmp_path / "shop", tmp_path / "agent"
    (shop / "keys").mkdir(parents=True)
    (shop / "keys" / "tls.key").touch()
    (shop / "app.log").write_text(f"password={planted['file']}\n", encoding="utf-8")
    with running_agent(folder, _POLICY.replace("FOLDER", str(shop))) as agent:
        looked, halted = _work(agent, shop)
        left, dora = agent.caller("carol"), agent.caller("dora", session=False)
        ending = access_pb2.EndSessionRequest(session_id=left.session_id, reason="left open over the weekend")
        dora.call(dora.access.EndSession, ending)
    with running_again(folder) as agent:
        agent.caller("carol")
    home, log = Home(tmp_path), str(agent.audit_log)

    sessions = _rows(home, "sessions", log)
    assert {session["session_id"]: session["state"] for session in sessions}[halted] == "HALTED"
    story = json.loads(home.run("audit", "timeline", looked, log, "-o", "json").out)
    assert (story["caller"], story["state"], story["ticket"]) == ("spiffe://test.leadglass/user/alice", "CLOSED", "T-1")
    calls = [(step["method"].rpartition("/")[2], step["result"]) for step in story["steps"] if step["method"]]
    assert calls == [
        ("ListProcesses", "answered"),
        ("ListEnvironment", "answered"),
        ("ListDirectory", "answered"),
        ("ReadText", "answered"),
        ("ReadText", "refused"),
        ("CloseSession", "answered"),
    ]
    ended = json.loads(home.run("audit", "timeline", left.session_id, log, "-o", "json").out)
    assert {step["by"] for step in ended["steps"] if step["method"]} == {"spiffe://test.leadglass/user/dora"}
    assert [step["masked"] for step in story["steps"] if step["method"] and "ReadText" in step["method"]] == [1, None]
    assert [look["how"] for look in _rows(home, "who", "A_NAME", log)] == ["named it"]
    assert [look["how"] for look in _rows(home, "who", str(shop / "app.log"), log)] == [
        "listed its directory",
        "read its text",
    ]
    assert {look["caller"] for look in _rows(home, "who", str(shop / "keys" / "*"), log)} == {
        "spiffe://test.leadglass/user/mallory"
    }
    assert [look["refusal"] for look in _rows(home, "who", "/etc/shadow", log)] == ["PROCESS_NOT_FOUND"]

    whole = home.run("audit", "export", log, "--format", "jsonl", "--verified")
    assert whole.out.encode() == agent.audit_log.read_bytes()
    events = [
        json.loads(line) for line in home.run("audit", "export", log, "--format", "ocsf", "--verified").out.splitlines()
    ]
    assert len(events) == len(whole.out.splitlines())
    assert [faults for event in events if (faults := schema_faults(event))] == []


@pytest.mark.parametrize("form", ["jsonl", "ocsf", "ecs", "csv"])
def test_an_export_holds_nothing_that_was_masked(tmp_path: Path, form: str) -> None:
    planted = plant("file", "reason")
    shop, folder = tmp_path / "shop", tmp_path / "agent"
    shop.mkdir()
    (shop / "app.log").write_text(f"password={planted['file']}\n", encoding="utf-8")
    with running_agent(folder, _POLICY.replace("FOLDER", str(shop))) as agent:
        caller = agent.caller("alice")
        caller.call(
            caller.access.OpenSession,
            access_pb2.OpenSessionRequest(reason=f"it says password={planted['reason']} there", ticket="T-2"),
        )
        _read(agent, caller.session_id, shop / "app.log")

    exported = Home(tmp_path).run("audit", "export", str(agent.audit_log), "--format", form, "--verified")

    assert exported.code == 0
    assert planted.leaks((exported.out + exported.err).encode()) == ()


def _work(agent: RunningAgent, shop: Path) -> tuple[str, str]:
    """Lets one person work and another one be halted; gives the ids of their sessions."""
    caller, process = agent.caller("alice"), common_pb2.ProcessRef(pid=os.getpid())
    caller.call(caller.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(pids=[os.getpid()]))
    named = inspect_pb2.ListEnvironmentRequest(process=process, names=["A_NAME"])
    caller.call(caller.inspect.ListEnvironment, named)
    caller.call(caller.inspect.ListDirectory, inspect_pb2.ListDirectoryRequest(process=process, path=str(shop)))
    _read(agent, caller.session_id, shop / "app.log")
    outside = Home(shop.parent).run(
        *flags(agent.address, agent.client("alice"), SERVER_NAME),
        *("cat", "3999999", "/etc/shadow", "--session", caller.session_id),
    )
    assert outside.code == 4, outside.err
    close = access_pb2.CloseSessionRequest(session_id=caller.session_id)
    caller.call(caller.access.CloseSession, close)
    curious = agent.caller("mallory")
    for _ in range(12):
        Home(shop.parent).run_here(
            *flags(agent.address, agent.client("mallory"), SERVER_NAME),
            *("stat", str(os.getpid()), str(shop / "keys" / "tls.key"), "--session", curious.session_id),
        )
    return caller.session_id, curious.session_id


def _read(agent: RunningAgent, session_id: str, path: Path) -> None:
    read = Home(path.parent).run_here(
        *flags(agent.address, agent.client("alice"), SERVER_NAME),
        *("cat", str(os.getpid()), str(path), "--session", session_id),
    )
    assert read.code == 0, read.err


def _rows(home: Home, command: str, *arguments: str) -> list[dict[str, str]]:
    outcome = home.run("audit", command, *arguments, "-o", "jsonl")
    assert outcome.code == 0, outcome.err
    return [json.loads(line) for line in outcome.out.splitlines()]
