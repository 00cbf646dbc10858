"""Promise: access is asked for in a file, approved by others, used within its bounds, and needs no server for it.

The client and a real agent do it together, as docs/access.md tells it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from leadglass_cli import Home, flags
from planted_secrets import plant
from running_agent import SERVER_NAME, RunningAgent, running_agent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REASON: Final = ("--reason", "payments are booked twice since the release", "--ticket", "INC-1234")
_POLICY: Final = """\
apiVersion: leadglass.dev/v1
kind: AccessPolicy
metadata: {name: shop}
spec:
  breakGlass: {names: [PAYMENT_MODE], approvals: 1, approvers: [approver], maxMinutes: 5, perMonth: 3, reviewOwed: true}
  roles:
    - name: sre
      grant: {approvals: 1, approvers: [approver], maxMinutes: 60}
      rules:
        - {id: session, effect: permit, permissions: [session.open, agent.self]}
        - {id: env, effect: permit, permissions: [env.presence, env.names, env.reveal], names: ["*"]}
    - name: approver
      rules:
        - {id: approve, effect: permit, permissions: [session.open, grants.approve, sessions.list, sessions.end]}
        - {id: review, effect: permit, permissions: [reviews.list, reviews.close]}
  bindings:
    - {role: sre, callers: ["spiffe://test.leadglass/user/alice", "spiffe://test.leadglass/user/dave"]}
    - {role: approver, callers: ["spiffe://test.leadglass/user/bob", "spiffe://test.leadglass/user/carol"]}
"""


def _in_shop(config: str) -> str:
    return f"{config.rstrip()}\n  tier: prod\n  pod: {{namespace: shop, workload: web}}\n"


@contextmanager
def _process(value: str) -> Iterator[int]:
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    with subprocess.Popen(
        command, env={"PAYMENT_MODE": value}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the program runs, and no other is in its place any more
        yield process.pid
        process.kill()


def _homes(agent: RunningAgent, folder: Path, *names: str) -> tuple[Home, ...]:
    homes = []
    for name in names:
        home = Home(folder / f"home-{name}")
        home.folder.mkdir()
        assert home.run_here("context", "set", "it", *flags(agent.address, agent.client(name), SERVER_NAME)).code == 0
        homes.append(home)
    return tuple(homes)


def test_a_grant_leads_from_a_request_to_an_answer_and_ends_with_its_budget(tmp_path: Path) -> None:
    request = ("request", "--permission", "env.presence", "--tier", "prod", "--pod-namespace", "shop", "--minutes", "5")
    file = str(tmp_path / "request.json")
    with _process("live") as pid, running_agent(tmp_path / "agent", _POLICY, rewrite=_in_shop) as agent:
        alice, bob, dave = _homes(agent, tmp_path, "alice", "bob", "dave")
        assert alice.run_here("session", "open", *_REASON).code == 0
        assert alice.run_here("env", str(pid), "PAYMENT_MODE").code == 9

        assert alice.run_here(*request, *_REASON, "--names", "2", "--out", file).code == 0
        assert alice.run_here("session", "open", *_REASON, "--grant", file).code == 3
        assert bob.run_here("approve", file, "--yes").code == 0
        assert dave.run_here("session", "open", *_REASON, "--grant", file).code == 3

        opened = alice.run_here("session", "open", *_REASON, "--grant", file)
        assert opened.code == 0, opened.err
        answer = alice.run_here("env", str(pid), "PAYMENT_MODE")
        assert answer.code == 0, answer.err
        assert "PRESENT   PAYMENT_MODE" in answer.out
        assert alice.run_here("env", str(pid), "A", "B").code == 3
        shown = json.loads(alice.run_here("session", "show", "-o", "json").out)
        names = next(line for line in shown["budget"] if line["what"] == "names" and line["grant_id"])
        assert (names["grant_id"], names["spent"], names["allowed"]) == (shown["grant_ids"][0], 1, 2)

        listed = bob.run_here("session", "list", "-o", "name")
        assert shown["session_id"] in listed.out
        assert bob.run_here("session", "end", shown["session_id"], "--reason", "this was enough for now").code == 0
        assert alice.run_here("env", str(pid), "PAYMENT_MODE").code == 5


def test_a_value_is_revealed_once_with_a_grant_and_its_review_is_closed_by_another(tmp_path: Path) -> None:
    planted = plant("value")
    request = ("request", "--reveal", "--name", "PAYMENT_MODE", "--tier", "prod", "--pod-workload", "web")
    file, value = str(tmp_path / "reveal.json"), tmp_path / "value"
    with _process(planted["value"]) as pid, running_agent(tmp_path / "agent", _POLICY, rewrite=_in_shop) as agent:
        alice, bob, carol = _homes(agent, tmp_path, "alice", "bob", "carol")
        reveal = ("reveal", "PAYMENT_MODE", "--pid", str(pid), "--to-file", str(value), "-o", "json")
        assert alice.run_here(*request, "--minutes", "5", *_REASON, "--out", file).code == 0
        assert bob.run_here("approve", file, "--yes").code == 0
        opened = alice.run_here("session", "open", *_REASON, "--grant", file)
        assert opened.code == 0, opened.err

        revealed = alice.run_here(*reveal)
        assert revealed.code == 0, revealed.err
        assert value.read_text() == planted["value"]
        assert planted.leaks((revealed.out + revealed.err).encode()) == ()
        assert planted.leaks(agent.audit_log.read_bytes()) == ()
        review = json.loads(revealed.out)["review_id"]

        value.unlink()
        assert alice.run_here(*reveal).code == 3
        assert not value.exists()
        assert alice.run_here("review", "close", review, "--finding", "I had a good reason to look").code == 3
        assert review in bob.run_here("review", "list", "-o", "name").out
        # Who approved does not judge it either.
        assert bob.run_here("review", "close", review, "--finding", "needed, and rotated an hour later").code == 4
        assert carol.run_here("review", "close", review, "--finding", "needed, and rotated an hour later").code == 0
        assert bob.run_here("review", "list", "-o", "name").out == ""
