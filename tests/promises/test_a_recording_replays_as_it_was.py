"""Promise: a recorded session replays to the byte, and under another policy says what that policy would have said."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
import pytest

from leadglass.v1 import common_pb2, inspect_pb2
from leadglass_agent.policy.parse import parse_policy
from leadglass_client.errors import ExitCode
from leadglass_client.forms import OutputForm
from leadglass_client.offline.recording_files import load
from leadglass_client.replay.changes import Kind
from leadglass_client.replay.messages import replies_of
from leadglass_client.replay.policies import Policies
from leadglass_client.replay.redecide import redecide
from recorded_shop import Recorded, Shop, recording_agent, shop
from running_agent import Caller, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.protobuf.message import Message

    from leadglass_client.replay.recording import Recording
    from leadglass_client.replay.redecide import Redecided

_COMM: Final = Path("/proc/self/comm").read_text(encoding="utf-8").strip()
_HERE: Final = f'["shop-*", other, "{_COMM}"]'
_TREE: Final = (
    "id: tree, effect: permit, permissions: [processes.list, processes.executable, processes.argv],"
    f" processes: [{{names: {_HERE}}}]"
)
_ENV: Final = 'id: env, effect: permit, permissions: [env.presence, env.names], names: ["APP_*", LANG]'
_FILES: Final = (
    'id: files, effect: permit, permissions: [files.metadata, files.list], paths: ["@/app/**", "@/names/**"]'
)
_TEXT: Final = 'id: text, effect: permit, permissions: [text.redacted], paths: ["@/app/**"]'
_THEN: Final = (_TREE, _ENV, _FILES, _TEXT)
# What a call ends in on a machine with much else to do: the reader starts anew after it was late.
_BUSY: Final = frozenset({"TIMED_OUT", "READER_UNAVAILABLE", "AUDIT_UNAVAILABLE"})
_SAID_BUSY: Final = "cannot write its audit log"  # as the command line says that the disk was late
# The agent has to be the one that gives up: what it answered is in the recording, whether or not anybody waited for it.
_PATIENCE: Final = 300.0
_TRIES: Final = 50
_ALL_PATHS: Final = 'paths: ["/**"]'


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("shop")) as found:
        yield found


@pytest.fixture(scope="module")
def recorded(sold: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    with recording_agent(tmp_path_factory.mktemp("then"), sold.policy("then", *_THEN)) as agent:
        yield agent


def _commands(sold: Shop) -> tuple[tuple[str, ...], ...]:
    pid, folder = str(sold.pids["shop-web"]), sold.folder
    return (
        ("ps", "--name", "shop-*"),
        ("ps", "--pid", str(sold.pids["shop-vault"])),
        ("env", pid),
        ("env", pid, "LANG", "HOME", "APP_EMPTY"),
        ("env", pid, *(f"APP_{number}" for number in range(450))),
        ("ls", pid, f"{folder}/app"),
        ("ls", pid, f"{folder}/secrets"),
        ("stat", pid, f"{folder}/app/to-names", f"{folder}/none"),
        ("stat", "-L", pid, *(f"{folder}/app/{number}" for number in range(150))),
        ("cat", pid, f"{folder}/app/web.log"),
        ("tail", "-n", "1", pid, f"{folder}/app/web.log"),
        ("grep", "-C", "1", pid, "502", f"{folder}/app/web.log"),
        ("cat", pid, f"{folder}/secrets/a"),
        ("env", "1"),
    )


@pytest.mark.parametrize("form", list(OutputForm))
def test_every_answer_is_printed_again_to_the_byte(
    form: OutputForm, sold: Shop, recorded: Recorded, tmp_path: Path
) -> None:
    session = recorded.open()
    live = [printed for command in _commands(sold) for printed in _printed(recorded, *command, "-o", form.value)]
    closed = recorded.run("alice", "--timeout", f"{_PATIENCE:g}", "session", "close")
    assert closed.code == 0, closed.err
    fetched = recorded.fetch(session, tmp_path / "it", "--timeout", f"{_PATIENCE:g}")
    assert fetched.code == 0, fetched.err

    whole = recorded.home.run_here("replay", str(tmp_path / "it"), "-o", form.value)

    assert (whole.code, whole.out) == (0, "".join(live)), whole.err
    assert sum(map(bool, live)) >= len(_commands(sold)) - 3  # but for those that nothing is printed of


def _printed(recorded: Recorded, *command: str) -> Iterator[str]:
    """Yields what a command prints, and again if the machine was too busy for it."""
    for _ in range(_TRIES):
        outcome = recorded.run("alice", "--timeout", f"{_PATIENCE:g}", *command)
        yield outcome.out
        if outcome.code not in {ExitCode.DEADLINE, ExitCode.UNREACHABLE} and _SAID_BUSY not in outcome.err:
            return


def _requests(sold: Shop) -> tuple[Message, ...]:
    web, vault, other = (common_pb2.ProcessRef(pid=sold.pids[name]) for name in ("shop-web", "shop-vault", "other"))
    pids = [os.getpid(), web.pid, vault.pid, other.pid]
    folder = sold.folder
    return (
        inspect_pb2.ListProcessesRequest(pids=pids),
        inspect_pb2.ListProcessesRequest(pids=pids, subtree_of_pid=os.getpid()),
        *(inspect_pb2.ListEnvironmentRequest(process=one) for one in (web, vault, other)),
        inspect_pb2.ListEnvironmentRequest(process=web, names=["APP_KEY", "LANG", "HOME", "APP_NONE"]),
        inspect_pb2.StatFilesRequest(
            process=vault, paths=[f"{folder}/{name}" for name in ("app/web.log", "secrets/a", "app/to-names", "none")]
        ),
        *(
            inspect_pb2.ListDirectoryRequest(process=one, path=f"{folder}/{name}")
            for one, name in ((web, "app"), (web, "names"), (vault, "secrets"), (web, "app/to-names"))
        ),
        *(
            inspect_pb2.ReadTextRequest(process=one, path=f"{folder}/{name}")
            for one, name in ((web, "app/web.log"), (vault, "app/conf.yaml"), (web, "secrets/a"))
        ),
    )


def _ask(caller: Caller, request: Message) -> tuple[str, tuple[Message, ...]]:
    """Makes a call, again if the machine was too busy; gives the reason of its refusal or "", and its messages."""
    for _ in range(_TRIES):
        refusal, messages = _ask_once(caller, request)
        if refusal not in _BUSY:
            break
    return refusal, messages


def _ask_once(caller: Caller, request: Message) -> tuple[str, tuple[Message, ...]]:
    ask = getattr(caller.inspect, type(request).__name__.removesuffix("Request"))
    metadata = (("leadglass-session", caller.session_id),)
    try:
        answer = ask(request, timeout=_PATIENCE, metadata=metadata)
        return "", tuple(answer) if isinstance(request, inspect_pb2.ReadTextRequest) else (answer,)
    except grpc.RpcError as error:
        return reason_of(error), ()


def _shown(messages: Sequence[Message], *, with_text: bool = True) -> dict[object, object]:
    """Gives all that the messages show, one by one; what is hidden looks as if it were not there, and is left out."""
    shown: dict[object, object] = {}
    for message in messages:
        match message:
            case inspect_pb2.ListProcessesResponse():
                for row in message.processes:
                    shown[row.ref.pid] = row.name.text
                    shown |= {(row.ref.pid, "parent"): row.parent_pid} if row.parent_pid else {}
                    shown |= {(row.ref.pid, "runs"): row.executable.text} if row.HasField("executable") else {}
                    arguments = tuple(one.text for one in row.arguments)
                    shown |= {(row.ref.pid, "arguments"): arguments} if arguments else {}
            case inspect_pb2.ListEnvironmentResponse():
                unset = inspect_pb2.PRESENCE_UNSET
                shown |= {one.name.text: one.presence for one in message.variables if one.presence != unset}
            case inspect_pb2.StatFilesResponse():
                shown |= _files(message.files)
            case inspect_pb2.ListDirectoryResponse() if not message.unavailable:
                shown |= {"here": message.path.text, **_files(message.entries)}
                shown |= {(one.name.text, "listed"): True for one in message.entries}
            case inspect_pb2.ReadTextResponse():
                shown |= {at: one.text.text if with_text else "" for at, one in enumerate(message.lines)}
            case _:
                pass
    return shown


def _files(files: Sequence[inspect_pb2.FileMetadata]) -> dict[object, object]:
    return {one.name.text: (one.type, one.mode, one.size_bytes, one.link_target.text) for one in files if one.type}


@pytest.fixture(scope="module")
def session(sold: Shop, recorded: Recorded, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    alice = recorded.agent.caller("alice")
    for request in _requests(sold):
        _ask(alice, request)
    file = tmp_path_factory.mktemp("fetched") / "it"
    assert recorded.fetch(alice.session_id, file).code == 0
    recording = load(file, None, None)
    return replace(recording, calls=tuple(call for call in recording.calls if call.refusal not in _BUSY))


_OTHERS: Final = {
    "without the vault": (
        *_THEN,
        "id: no-vault, effect: forbid, permissions: [processes.list], processes: [{names: [shop-vault]}]",
    ),
    "without a process above": (
        _TREE.replace(_HERE, '["shop-*", other]'),
        _ENV + ', processes: [{names: ["shop-*"]}]',
        _FILES,
        _TEXT + ', processes: [{names: ["shop-w*"]}]',
    ),
    "names of processes alone": (_TREE.replace(", processes.executable, processes.argv", ""), _FILES),
    "by the program that runs": (
        _TREE,
        _ENV + ', processes: [{executables: ["/**/python*"]}]',
        _FILES + ', processes: [{executables: ["/opt/**"]}]',
    ),
    "by the user": (_TREE.replace("}]", ", uids: [4242]}]"), _ENV + f", processes: [{{uids: [{os.getuid()}]}}]"),
    "without keys": (
        *_THEN,
        'id: keys, effect: forbid, permissions: [env.names, env.presence], names: ["*_KEY", LANG]',
    ),
    "presence of names alone": (_TREE, _ENV.replace(", env.names", "")),
    "files by name alone": (
        *_THEN,
        'id: no-more, effect: forbid, permissions: [files.metadata], paths: ["@/app/*.log"]',
    ),
    "behind links": (*_THEN, 'id: links, effect: forbid, permissions: [files.list], paths: ["@/names", "@/names/**"]'),
    "no logs": (*_THEN, 'id: logs, effect: forbid, permissions: [text.redacted, files.list], paths: ["/**/*.log"]'),
    "text masked strictly": (_TREE, _ENV, _FILES, _TEXT + ", redaction: strict"),
    "everything": (
        "id: tree, effect: permit, permissions: [processes.list, processes.executable, processes.argv]",
        'id: env, effect: permit, permissions: [env.presence, env.names], names: ["*"]',
        f"id: files, effect: permit, permissions: [files.metadata, files.list], {_ALL_PATHS}",
        f"id: text, effect: permit, permissions: [text.redacted], {_ALL_PATHS}",
    ),
    "nothing": (),
}
_ROLES: Final = {
    "another tier": "conditions: {tiers: [non-prod]}",
    "a grant": "grant: {approvals: 1, approvers: [auditor], maxMinutes: 60}",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*_OTHERS, *_ROLES])
def test_another_policy_says_offline_what_it_says_live(
    name: str, sold: Shop, session: Recording, tmp_path: Path
) -> None:
    then = sold.policy("then", *_THEN)
    now = sold.policy("now", *_OTHERS.get(name, _THEN), role=_ROLES.get(name, ""))
    parsed = [parse_policy(text.encode(), "policy") for text in (now, then)]
    anew = redecide(session, Policies(*parsed))

    with recording_agent(tmp_path / "now", now) as agent:
        live = _session(agent, _requests(sold))

    assert len(anew) == len(live)
    for one, (refusal, messages) in zip(anew, live, strict=True):
        _check(one, refusal, messages)
    assert any(one.anew.changes for one in anew)


def _session(agent: Recorded, requests: Sequence[Message]) -> list[tuple[str, tuple[Message, ...]]]:
    """Makes the calls in a session; where none is opened, each ends as the opening does."""
    alice = agent.agent.caller("alice", session=False)
    try:
        alice.open()
    except grpc.RpcError as error:
        return [(reason_of(error), ())] * len(requests)
    return [_ask(alice, request) for request in requests]


def _check(one: Redecided, refusal: str, messages: tuple[Message, ...]) -> None:
    kinds = {change.kind for change in one.anew.changes}
    is_wider = any(kind.is_wider for kind in kinds)
    told = one.anew.refused.reason if one.anew.refused is not None else one.call.refusal
    assert refusal == told or (not refusal and is_wider), (one.call.called.method, told, refusal)
    with_text = kinds.isdisjoint({Kind.MASKED, Kind.UNMASKED})
    before, now = _shown(replies_of(one.call), with_text=with_text), _shown(messages, with_text=with_text)
    assert _shown(one.anew.replies, with_text=with_text) == {key: value for key, value in now.items() if key in before}
    # What is newly shown is not in the recording, and yet was foretold.
    assert is_wider or now.keys() <= before.keys()
    assert Kind.MAY_LOSE not in kinds


def test_the_policy_of_then_changes_nothing(sold: Shop, session: Recording) -> None:
    then = parse_policy(sold.policy("then", *_THEN).encode(), "policy")
    for before in (None, then):
        for one in redecide(session, Policies(then, before)):
            assert (one.anew.changes, _shown(one.anew.replies)) == ((), _shown(replies_of(one.call)))
