"""Promise: a view that the kernel refuses answers with its reason, never with an empty success."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
import pytest

import leadglass
import leadglass_agent
from leadglass.v1 import common_pb2, inspect_pb2
from running_agent import Caller, reason_of, running_agent
from sample_processes import become, forked, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# As root the agent would see everything, so that it runs as this user, who is nobody's on any machine.
_AGENT: Final = os.geteuid() or 65_123
_GROUP: Final = os.getegid() if os.geteuid() else _AGENT
_REFUSED: Final = {
    "other user": "UID_MISMATCH",
    "other group": "GID_MISMATCH",
    "capability": "CAPS_SUPERSET",
    "not dumpable": "NOT_DUMPABLE",
    "ended, not collected": "NO_USER_MEMORY",
}
_ONLY_ROOT_MAKES: Final = frozenset({"other user", "other group", "capability"})


@dataclass(frozen=True, slots=True)
class Scene:
    """Alice, and one process of each kind."""

    alice: Caller
    pids: Mapping[str, int]


def _prepare(kind: str) -> Callable[[], None]:
    match kind:
        case "other user":
            return lambda: become(_AGENT + 1, _GROUP)
        case "other group":
            return lambda: become(_AGENT, _GROUP + 1)
        case "capability":
            return lambda: become(_AGENT, _GROUP, keep_capabilities=True)
        case "not dumpable":
            return lambda: become(_AGENT, _GROUP, dumpable=False) if os.geteuid() == 0 else _undumpable()
        case _:
            return lambda: become(_AGENT, _GROUP) if os.geteuid() == 0 else None


def _undumpable() -> None:
    from sample_processes import LIBC, PR_SET_DUMPABLE  # noqa: PLC0415 - in the copy alone

    LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


@contextmanager
def _ended() -> Iterator[int]:
    """Gives the number of a process that has ended and that nobody has asked about."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    try:
        yield child
    finally:
        os.waitpid(child, 0)


@contextmanager
def _folder() -> Iterator[Path]:
    """Makes a folder that the agent's user reaches, unlike those that pytest makes for root."""
    folder = Path(tempfile.mkdtemp(prefix="leadglass-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _hand_over(folder: Path) -> None:
    """Makes the process that will be the agent, and all of its files, those of another user."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, _AGENT, _GROUP, follow_symlinks=False)
    become(_AGENT, _GROUP)


def _why_not_as_root() -> str | None:
    code = (Path(package.__path__[0]) for package in (leadglass, leadglass_agent, grpc))
    places = (Path(sys.executable), Path(sys.executable).resolve(), *code)
    closed = [str(parent) for place in places for parent in place.parents if not parent.stat().st_mode & 0o001]
    return (
        f"the agent cannot run as another user: {closed[0]} is closed to it" if os.geteuid() == 0 and closed else None
    )


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    reason = _why_not_as_root()
    if reason is not None:
        pytest.skip(reason)
    kinds = [kind for kind in _REFUSED if os.geteuid() == 0 or kind not in _ONLY_ROOT_MAKES]
    with _folder() as folder, ExitStack() as stack:
        # Before the first channel: a process with grpc's threads should not fork.
        pids = {
            kind: stack.enter_context(_ended() if kind == "ended, not collected" else forked(_prepare(kind)))
            for kind in kinds
        }
        pids["open"] = stack.enter_context(forked(_prepare("open")))
        prepare = (lambda: _hand_over(folder)) if os.geteuid() == 0 else None
        agent = stack.enter_context(running_agent(folder, preexec_fn=prepare))
        yield Scene(agent.caller(), pids)


def _pid(scene: Scene, kind: str) -> int:
    if kind not in scene.pids:
        pytest.skip("another user's process needs root")
    return scene.pids[kind]


def _name(reason: common_pb2.UnavailableReason.ValueType) -> str:
    return common_pb2.UnavailableReason.Name(reason).removeprefix("UNAVAILABLE_REASON_")


@pytest.mark.parametrize(("kind", "reason"), _REFUSED.items())
def test_an_environment_has_its_reason_and_no_rows(scene: Scene, kind: str, reason: str) -> None:
    process = common_pb2.ProcessRef(pid=_pid(scene, kind))
    for names in ([], ["PATH"]):
        request = inspect_pb2.ListEnvironmentRequest(process=process, names=names)
        reply = scene.alice.call(scene.alice.inspect.ListEnvironment, request)
        assert (_name(reply.unavailable), list(reply.variables)) == (reason, [])


@pytest.mark.parametrize(("kind", "reason"), _REFUSED.items())
def test_a_file_has_its_reason_and_no_metadata(scene: Scene, kind: str, reason: str) -> None:
    request = inspect_pb2.StatFilesRequest(process=common_pb2.ProcessRef(pid=_pid(scene, kind)), paths=["/", "/etc"])
    reply = scene.alice.call(scene.alice.inspect.StatFiles, request)

    assert [(_name(file.unavailable), file.mode) for file in reply.files] == [(reason, 0)] * 2


@pytest.mark.parametrize(("kind", "reason"), _REFUSED.items())
def test_a_directory_has_its_reason_and_no_entries(scene: Scene, kind: str, reason: str) -> None:
    request = inspect_pb2.ListDirectoryRequest(process=common_pb2.ProcessRef(pid=_pid(scene, kind)), path="/")
    reply = scene.alice.call(scene.alice.inspect.ListDirectory, request)

    assert (_name(reply.unavailable), list(reply.entries)) == (reason, [])


@pytest.mark.parametrize(("kind", "reason"), _REFUSED.items())
def test_a_row_of_the_tree_says_why_its_executable_is_absent(scene: Scene, kind: str, reason: str) -> None:
    request = inspect_pb2.ListProcessesRequest(pids=[_pid(scene, kind)])
    (row,) = scene.alice.call(scene.alice.inspect.ListProcesses, request).processes

    assert (_name(row.executable_unavailable), row.HasField("executable")) == (reason, False)


def test_a_process_of_the_same_user_and_group_is_seen_in_full(scene: Scene) -> None:
    process = common_pb2.ProcessRef(pid=scene.pids["open"])
    environment = scene.alice.call(
        scene.alice.inspect.ListEnvironment, inspect_pb2.ListEnvironmentRequest(process=process)
    )
    files = scene.alice.call(
        scene.alice.inspect.StatFiles, inspect_pb2.StatFilesRequest(process=process, paths=["/", "/no/such"])
    )

    assert environment.variables
    assert [_name(file.unavailable) for file in files.files] == ["UNSPECIFIED", "NOT_FOUND"]


def test_a_process_that_ended_is_not_found(scene: Scene) -> None:
    with running() as pid:
        pass
    request = inspect_pb2.ListEnvironmentRequest(process=common_pb2.ProcessRef(pid=pid))
    with pytest.raises(grpc.RpcError) as refused:
        scene.alice.call(scene.alice.inspect.ListEnvironment, request)

    assert reason_of(refused.value) == "PROCESS_NOT_FOUND"
