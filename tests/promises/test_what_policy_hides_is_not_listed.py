"""Promise: what the policy hides looks exactly like what is not there; it is not listed, and asking tells nothing."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import grpc
import pytest

from leadglass.v1 import common_pb2, inspect_pb2
from running_agent import Caller, reason_of, running_agent
from sample_processes import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_POLICY: Final = """\
apiVersion: leadglass.dev/v1
kind: AccessPolicy
metadata: {name: hides}
spec:
  session: {callsPerMinute: 6000}
  roles:
    - name: sre
      rules:
        - {id: session, effect: permit, permissions: [session.open]}
        - {id: tree, effect: permit, permissions: [processes.list, processes.argv], processes: [{names: ["shop-*"]}]}
        - {id: no-vault, effect: forbid, permissions: [processes.list], processes: [{names: ["shop-vault"]}]}
        - {id: env, effect: permit, permissions: [env.presence, env.names],
           names: ["APP_*", LANG], processes: [{names: ["shop-*"]}]}
        - {id: no-keys, effect: forbid, permissions: [env.presence, env.names], names: ["*_KEY"]}
        - {id: files, effect: permit, permissions: [files.metadata, files.list, files.access], paths: ["@/**"]}
        - {id: names-alone, effect: forbid, permissions: [files.metadata], paths: ["@/names/**"]}
        - {id: no-secrets, effect: forbid, permissions: [files.metadata, files.list, files.access],
           paths: ["@/secrets/**", "@/**/*.key"]}
  bindings:
    - {role: sre, callers: ["spiffe://test.leadglass/user/alice"]}
"""
_RENAME: Final = "open('/proc/self/comm', 'w').write('{}')"


@dataclass(frozen=True, slots=True)
class Shop:
    """Alice beside three processes: one that she may see, one that is forbidden, one that no rule names."""

    alice: Caller
    folder: Path
    shown: int
    forbidden: int
    unnamed: int


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("shop").resolve()
    for name in ("secrets/a", "names/b", "app/c", "app/tls.key"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / "app" / "to-secrets").symlink_to("../secrets")
    (folder / "app" / "outside").symlink_to("/etc/passwd")
    environment = {"APP_MODE": "x", "APP_EMPTY": "", "APP_KEY": "x", "HOME": "x", "LANG": "C"}
    policy = _POLICY.replace("@", str(folder))
    with running_agent(tmp_path_factory.mktemp("agent"), policy) as agent, ExitStack() as stack:
        pids = [
            stack.enter_context(running(script=_RENAME.format(name), environment=environment))
            for name in ("shop-web", "shop-vault", "other")
        ]
        yield Shop(agent.caller(), folder, *pids)


def _list(shop: Shop, request: inspect_pb2.ListProcessesRequest) -> dict[int, inspect_pb2.Process]:
    reply = shop.alice.call(shop.alice.inspect.ListProcesses, request)
    return {process.ref.pid: process for process in reply.processes}


def _without(reply: inspect_pb2.StatFilesResponse | inspect_pb2.ListDirectoryResponse, path: str) -> bytes:
    return reply.SerializeToString(deterministic=True).replace(path.encode(), b"PATH")


def test_only_processes_within_the_scope_are_listed(shop: Shop) -> None:
    listed = _list(shop, inspect_pb2.ListProcessesRequest())

    assert shop.shown in listed
    assert not {shop.forbidden, shop.unnamed, os.getpid(), 1} & listed.keys()
    assert {process.name.text for process in listed.values()} == {"shop-web"}


def test_a_parent_outside_the_scope_is_not_named(shop: Shop) -> None:
    assert _list(shop, inspect_pb2.ListProcessesRequest())[shop.shown].parent_pid == 0


@pytest.mark.parametrize("by", ["pids", "subtree", "glob"])
def test_asking_for_a_hidden_process_gives_what_asking_for_none_gives(shop: Shop, by: str) -> None:
    requests = {
        "pids": lambda pid: inspect_pb2.ListProcessesRequest(pids=[pid]),
        "subtree": lambda pid: inspect_pb2.ListProcessesRequest(subtree_of_pid=pid),
        "glob": lambda pid: inspect_pb2.ListProcessesRequest(pids=[pid], name_glob="*"),
    }
    for pid in (shop.forbidden, shop.unnamed, os.getpid(), 4_194_304):
        assert _list(shop, requests[by](pid)) == {}


def test_a_hidden_process_is_refused_like_one_that_does_not_exist(shop: Shop) -> None:
    refusals: set[tuple[grpc.StatusCode, str | None, str]] = set()
    for pid in (shop.forbidden, shop.unnamed, 4_194_304):
        process = common_pb2.ProcessRef(pid=pid)
        for method, request in (
            (shop.alice.inspect.ListEnvironment, inspect_pb2.ListEnvironmentRequest(process=process)),
            (shop.alice.inspect.ListEnvironment, inspect_pb2.ListEnvironmentRequest(process=process, names=["LANG"])),
        ):
            if pid == shop.forbidden:
                continue  # environments of it are not forbidden by this policy, only its listing
            with pytest.raises(grpc.RpcError) as refused:
                shop.alice.call(method, request)
            assert isinstance(refused.value, grpc.Call)
            refusals.add((refused.value.code(), refused.value.details(), reason_of(refused.value)))

    assert len(refusals) == 1


def test_only_names_within_the_scope_are_listed(shop: Shop) -> None:
    request = inspect_pb2.ListEnvironmentRequest(process=common_pb2.ProcessRef(pid=shop.shown))
    reply = shop.alice.call(shop.alice.inspect.ListEnvironment, request)

    assert [variable.name.text for variable in reply.variables] == ["APP_EMPTY", "APP_MODE", "LANG"]


def test_a_hidden_name_looks_unset(shop: Shop) -> None:
    process = common_pb2.ProcessRef(pid=shop.shown)
    names = ["APP_KEY", "HOME", "NO_SUCH", "APP_MODE"]
    reply = shop.alice.call(
        shop.alice.inspect.ListEnvironment, inspect_pb2.ListEnvironmentRequest(process=process, names=names)
    )

    assert [inspect_pb2.Presence.Name(variable.presence) for variable in reply.variables] == [
        *["PRESENCE_UNSET"] * 3,
        "PRESENCE_PRESENT",
    ]


def test_a_directory_lists_what_is_not_hidden(shop: Shop) -> None:
    seen = {}
    for path in ("", "/app", "/names"):
        request = inspect_pb2.ListDirectoryRequest(
            process=common_pb2.ProcessRef(pid=shop.shown), path=f"{shop.folder}{path}"
        )
        reply = shop.alice.call(shop.alice.inspect.ListDirectory, request)
        seen[path] = [entry.name.text for entry in reply.entries]

    assert seen == {"": ["app", "names"], "/app": ["c", "outside", "to-secrets"], "/names": ["b"]}


def test_what_may_be_listed_but_not_looked_at_is_a_name_alone(shop: Shop) -> None:
    request = inspect_pb2.ListDirectoryRequest(
        process=common_pb2.ProcessRef(pid=shop.shown), path=f"{shop.folder}/names"
    )
    (entry,) = shop.alice.call(shop.alice.inspect.ListDirectory, request).entries

    assert (entry.unavailable, entry.mode, entry.size_bytes) == (common_pb2.UNAVAILABLE_REASON_NOT_PERMITTED, 0, 0)


@pytest.mark.parametrize(
    "hidden", ["secrets", "secrets/a", "secrets/none", "app/tls.key", "app/none.key", "app/to-secrets/a", "app/outside"]
)
def test_a_hidden_path_answers_byte_for_byte_like_one_that_is_not_there(shop: Shop, hidden: str) -> None:
    process = common_pb2.ProcessRef(pid=shop.shown)
    path, absent = f"{shop.folder}/{hidden}", f"{shop.folder}/{'x' * len(hidden)}"
    files = [
        _without(
            shop.alice.call(
                shop.alice.inspect.StatFiles,
                inspect_pb2.StatFilesRequest(process=process, paths=[one], follow_symlinks=True),
            ),
            one,
        )
        for one in (path, absent)
    ]
    directories = [
        _without(
            shop.alice.call(
                shop.alice.inspect.ListDirectory, inspect_pb2.ListDirectoryRequest(process=process, path=one)
            ),
            one,
        )
        for one in (path, absent)
    ]

    assert files[0] == files[1]
    assert directories[0] == directories[1]


@pytest.mark.parametrize("operation", ["READ", "WRITE", "EXECUTE", "LIST", "ENTER", "DELETE"])
@pytest.mark.parametrize(
    "hidden", ["secrets", "secrets/a", "secrets/none", "app/tls.key", "app/none.key", "app/to-secrets/a", "app/outside"]
)
def test_who_may_use_a_hidden_path_is_answered_byte_for_byte_as_for_one_that_is_not_there(
    shop: Shop, hidden: str, operation: str
) -> None:
    if (hidden, operation) == ("app/outside", "DELETE"):
        return  # about the link, which is not hidden
    answers = {
        shop.alice.call(
            shop.alice.inspect.ExplainAccess,
            inspect_pb2.ExplainAccessRequest(
                process=common_pb2.ProcessRef(pid=shop.shown),
                path=f"{shop.folder}/{name}",
                operation=inspect_pb2.AccessOperation.Value(f"ACCESS_OPERATION_{operation}"),
            ),
        ).SerializeToString(deterministic=True)
        for name in (hidden, "x" * len(hidden))
    }

    assert len(answers) == 1
