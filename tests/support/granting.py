"""An agent whose policy gives nobody standing access, the people around it, and the grants that they make out."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from certificates import Certificate
from grants import Person, approved, grant_for, spiffe_id_of
from leadglass.v1 import access_pb2
from running_agent import CALL_SECONDS, REASON, TICKET, Caller, running_agent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from leadglass_agent.access.grant import Grant
    from running_agent import RunningAgent

# Alice and bob look, carol and dave approve, erin administers.
POLICY: Final = """\
apiVersion: leadglass.dev/v1
kind: AccessPolicy
metadata:
  name: test-granting
spec:
  session: {maxMinutes: 60, idleMinutes: 10, maxOpen: 20, callsPerMinute: 6000, ticketPattern: "T-[0-9]{1,6}"}
  guard: {denials: 100000, missingPids: 100000, distinctPids: 100000, calls: 100000}
  breakGlass: {names: ["SAMPLE_*"], approvals: 2, approvers: [approver], maxMinutes: 5, perMonth: 2, reviewOwed: true}
  roles:
    - name: sre
      grant: {approvals: 1, approvers: [approver], maxMinutes: 60}
      rules:
        - {id: sre-session, effect: permit, permissions: [session.open, agent.self]}
        - {id: sre-processes, effect: permit, permissions: [processes.list, processes.argv]}
        - {id: sre-names, effect: permit, permissions: [env.presence, env.names, env.reveal], names: ["*"]}
        - {id: sre-files, effect: permit, permissions: [files.access, files.metadata, files.list], paths: ["/**"]}
        - {id: sre-texts, effect: permit, permissions: [text.redacted], paths: ["/**/*.log"]}
    - name: approver
      rules:
        - {id: approver-approves, effect: permit, permissions: [session.open, grants.approve]}
    - name: admin
      rules:
        - {id: admin-sessions, effect: permit, permissions: [sessions.list, sessions.end]}
        - {id: admin-reviews, effect: permit, permissions: [reviews.list, reviews.close]}
  bindings:
    - {role: sre, callers: ["spiffe://test.leadglass/user/alice", "spiffe://test.leadglass/user/bob"]}
    - {role: approver, callers: ["spiffe://test.leadglass/user/carol", "spiffe://test.leadglass/user/dave"]}
    - {role: admin, callers: ["spiffe://test.leadglass/user/erin"]}
"""


@contextmanager
def granting_agent(folder: Path, policy: str = POLICY, more: str = "") -> Iterator[RunningAgent]:
    """Runs an agent in production's tier and the namespace shop; `more` are further lines of its configuration."""

    def in_shop(config: str) -> str:
        return f"{config.rstrip()}\n  pod: {{namespace: shop, workload: api}}\n{more}"

    with running_agent(folder, policy, rewrite=in_shop) as agent:
        yield agent


def person_of(agent: RunningAgent, name: str) -> Person:
    """Gives a user of the agent's authority, with the certificate that its calls show."""
    issued = agent.client(name)
    pem = issued.certificate.read_bytes()
    return Person(spiffe_id_of(name), Certificate(pem, issued.key.read_bytes()), pem)


def grant_of(agent: RunningAgent, name: str = "alice", **changes: object) -> Grant:
    """Makes a grant of half an hour for a user, with an id of its own."""
    now = int(time.time())
    grant = replace(
        grant_for(person_of(agent, name), now),
        grant_id=uuid4().hex,
        ticket=TICKET,
        not_before_unix=now - 60,
        not_after_unix=now + 1_740,
    )
    return replace(grant, **changes)  # type: ignore[arg-type] # the names are Grant's own; mypy cannot spread them


def envelope(agent: RunningAgent, grant: Grant, *approvers: str) -> str:
    """Makes out a grant with the signatures of these users."""
    return approved(grant, *(person_of(agent, name) for name in approvers))


def open_with(caller: Caller, *grants: str, pid: int = 0) -> access_pb2.Session:
    """Opens a session that carries these envelopes, and uses it from now on."""
    request = access_pb2.OpenSessionRequest(reason=REASON, ticket=TICKET, grants=grants)
    if pid:
        request.target.pid = pid
    session = caller.access.OpenSession(request, timeout=CALL_SECONDS).session
    caller.session_id = session.session_id
    return session
