"""Promise: a grant is what others signed, to the letter; it opens each replica that it names, and no other."""

from __future__ import annotations

import base64
import json
import random
import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from expecting import refusal
from granting import POLICY, envelope, grant_of, granting_agent, open_with
from leadglass.v1 import inspect_pb2
from leadglass_agent.access.dsse import parse_envelope
from leadglass_agent.access.grant import GrantBudget, PodSelector, ProcessBound
from leadglass_client.authority import issue_server
from running_agent import SERVER_NAME, running_again, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from running_agent import RunningAgent

_TYPED_OVER: Final = 200
_SEED: Final = 4
_LIST: Final = inspect_pb2.ListProcessesRequest(page_size=1)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with granting_agent(tmp_path_factory.mktemp("agent")) as running_one:
        yield running_one


def _wishes() -> dict[str, Any]:
    """Gives for each member of a grant what its requester would rather have there."""
    now = int(time.time())
    return {
        "grantId": "f" * 32,
        "requester": "spiffe://test.leadglass/user/bob",
        "requesterKey": "0" * 64,
        "permissions": ["env.names", "env.presence", "files.list", "processes.list"],
        "pods": [{"namespace": "shop"}],
        "tier": "non-prod",
        "notBeforeUnix": now - 3_000,
        "notAfterUnix": now + 80_000,
        "processes": [],
        "names": ["*"],
        "paths": ["/**"],
        "budget": {"rows": 1_000_000},
        "reason": "somebody has to look at everything now",
        "ticket": "T-2",
        "policyDigest": "",
        "needsEvidence": True,
        "reveals": True,
    }


def _narrow(agent: RunningAgent) -> str:
    """Makes out a grant that says something in each of its members, with carol's signature."""
    grant = grant_of(
        agent,
        pods=(PodSelector(namespace="shop", workload="api"),),
        processes=(ProcessBound(names=("python*",)),),
        names=("SAMPLE_*",),
        paths=("/srv/**",),
        budget=GrantBudget(rows=50),
        policy_digest=agent.records()[0]["policy_digest"],
    )
    return envelope(agent, grant, "carol")


def test_no_member_of_a_grant_can_be_changed_under_its_signature(agent: RunningAgent) -> None:
    caller = agent.caller("alice", session=False)
    text = _narrow(agent)
    payload = json.loads(parse_envelope(text).payload)
    assert set(payload) <= set(_wishes())
    for member, wish in _wishes().items():
        assert payload.get(member) != wish
        changed = _with_payload(text, payload | {member: wish})
        assert refusal(lambda: open_with(caller, changed)) == "GRANT_REFUSED", member  # noqa: B023 - called here
    assert open_with(caller, _with_payload(text, payload)).grant_ids


def _with_payload(text: str, payload: dict[str, Any]) -> str:
    """Puts a payload under the signatures of an envelope."""
    content = json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()
    return json.dumps(json.loads(text) | {"payload": base64.b64encode(content).decode()})


def test_no_letter_of_an_envelope_can_be_another(agent: RunningAgent) -> None:
    caller = agent.caller("alice", session=False)
    text = _narrow(agent)
    chance = random.Random(_SEED)  # noqa: S311 - places to type over, the same in each run
    for _ in range(_TYPED_OVER):
        at = chance.randrange(len(text))
        other = chance.choice([letter for letter in 'AZaz09+/={}[]",:' if letter != text[at]])
        typed_over = f"{text[:at]}{other}{text[at + 1 :]}"
        assert refusal(lambda: open_with(caller, typed_over)) == "GRANT_REFUSED", (at, text[at], other)  # noqa: B023
    assert open_with(caller, text).grant_ids


@contextmanager
def _replica(of: RunningAgent, folder: Path, workload: str) -> Iterator[RunningAgent]:
    """Runs another agent of the same authority; all that both share is files."""
    shutil.copytree(of.authority, folder / "ca")
    shutil.copytree(of.folder / "clients", folder / "clients")
    issue_server(folder / "ca", SERVER_NAME, folder / "server", path=f"/agent/{folder.name}")
    (folder / "audit").mkdir()
    config = write_config(folder, POLICY, audit=folder / "audit")
    with config.open("a", encoding="utf-8") as file:
        file.write(f"  pod: {{namespace: shop, workload: {workload}}}\n")
    with running_again(folder) as agent:
        yield agent


def test_one_file_opens_each_replica_that_it_names_and_no_other_pod(agent: RunningAgent, tmp_path: Path) -> None:
    grant = grant_of(agent, pods=(PodSelector(namespace="shop", workload="api"),))
    text = envelope(agent, grant, "carol")
    with _replica(agent, tmp_path / "b", "api") as second, _replica(agent, tmp_path / "c", "web") as other:
        for replica in (agent, second):
            caller = replica.caller("alice", session=False)
            assert list(open_with(caller, text).grant_ids) == [grant.grant_id]
            assert caller.call(caller.inspect.ListProcesses, _LIST).processes
        caller = other.caller("alice", session=False)
        assert refusal(lambda: open_with(caller, text)) == "GRANT_REFUSED"
        assert [record["detail"] for record in other.records() if record["kind"] == "REFUSED"] == [
            "it is not for this pod"
        ]
