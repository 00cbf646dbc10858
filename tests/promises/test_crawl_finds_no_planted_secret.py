"""Promise: no planted secret comes out, whatever is asked: in no reply, trailer, error, log, audit record or metric."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent_crawl import METHODS, Crawl, Ground, crawl_all
from leadglass.v1 import common_pb2, inspect_pb2
from leadglass_agent.errors import Refusal
from leadglass_cli import Home, flags
from real_server import SERVERS, RealServer, real_server, why_not_here
from running_agent import SERVER_NAME, RunningAgent, running_agent
from secret_shapes import ARGUMENTS, FILE_NAMES, LINKS, TEXTS, plant_shapes, with_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from planted_secrets import Planted


@dataclass(frozen=True, slots=True)
class Scene:
    """An agent beside servers that are not ours, with secrets planted wherever one may be."""

    agent: RunningAgent
    planted: Planted
    shop: Path
    servers: tuple[RealServer, ...]
    pids: tuple[int, ...]
    paths: tuple[str, ...]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scene")
    places = ("API_TOKEN", "DATABASE_URL", "content", *SERVERS)
    planted = plant_shapes(*places)
    environment = {
        "API_TOKEN": planted["API_TOKEN"],
        "DATABASE_URL": f"postgresql://shop:{planted['DATABASE_URL']}@db:5432/shop",
        "EMPTY_SETTING": "",
    }
    shop = _shop(folder / "shop", planted)
    with running_agent(_folder(folder / "agent"), exporter="stdout") as agent, ExitStack() as stack:
        servers = tuple(
            stack.enter_context(real_server(name, folder / f"server{at}", planted[name], environment))
            for at, name in enumerate(SERVERS)
            if why_not_here(name) is None
        )
        others = tuple(stack.enter_context(_Waiting(with_secrets(words, planted), environment)) for words in ARGUMENTS)
        paths = (str(shop), *(str(path) for path in shop.rglob("*")))
        yield Scene(agent, planted, shop, servers, (*(server.pid for server in servers), *others), paths)


@pytest.fixture(scope="module")
def crawl(scene: Scene) -> Crawl:
    return crawl_all(scene.agent, Ground(scene.pids, scene.shop, scene.paths))


def test_every_method_was_answered_and_refused(crawl: Crawl) -> None:
    # A policy without break-glass has nothing to reveal, and no review that could be closed.
    never = {f"/leadglass.v1.AccessService/{name}" for name in ("Reveal", "CloseReview")}
    assert {method for method, status in crawl.statuses if status == "OK"} == METHODS - never
    assert {status for _, status in crawl.statuses} <= {
        *("OK", "INVALID_ARGUMENT", "FAILED_PRECONDITION", "PERMISSION_DENIED"),
        *("NOT_FOUND", "UNIMPLEMENTED", "RESOURCE_EXHAUSTED"),
    }
    assert sum(map(len, crawl.seen)) > 100_000


def test_no_byte_of_any_reply_trailer_or_error_holds_a_secret(crawl: Crawl, scene: Scene) -> None:
    assert scene.planted.leaks(b"\n".join(crawl.seen)) == ()


def test_a_refusal_says_its_fixed_text_and_nothing_else(crawl: Crawl) -> None:
    assert crawl.details - {""} <= {kind.public for kind in Refusal.__subclasses__()}


def test_neither_the_audit_log_nor_what_the_agent_prints_holds_a_secret(crawl: Crawl, scene: Scene) -> None:
    assert crawl.seen
    assert scene.planted.leaks(scene.agent.audit_log.read_bytes()) == ()
    assert scene.planted.leaks(scene.agent.output.read_bytes() + scene.agent.errors.read_bytes()) == ()
    assert b"rpc.response.status_code" in scene.agent.output.read_bytes()


@pytest.mark.parametrize("form", ["table", "wide", "json", "jsonl", "yaml", "csv", "name"])
def test_no_form_of_output_shows_a_secret(scene: Scene, form: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    where = flags(scene.agent.address, scene.agent.client(), SERVER_NAME)
    opened = home.run_here(
        *where, "session", "open", "--reason", "looking for what must not be there", "--ticket", "T-7"
    )
    assert opened.code == 0, opened.err
    pid = str(scene.pids[0])
    commands: Sequence[Sequence[str]] = (
        ("ps",),
        ("ps", "--flat"),
        ("env", pid),
        ("ls", pid, str(scene.shop)),
        ("stat", pid, *scene.paths),
        ("stat", "-L", pid, *scene.paths),
        ("cat", pid, f"{scene.shop}/app.log"),
        ("tail", pid, f"{scene.shop}/utf-16.log"),
        ("grep", pid, ".", f"{scene.shop}/app.yaml"),
        ("self",),
        ("session", "show"),
        ("session", "close"),
    )
    shown = [home.run_here(*where, *command, "-o", form) for command in commands]

    assert {outcome.code for outcome in shown} <= {0, 4, 8}
    assert scene.planted.leaks("".join(outcome.out + outcome.err for outcome in shown).encode()) == ()


def test_what_is_masked_is_there_as_a_token(scene: Scene) -> None:
    alice = scene.agent.caller()
    for pid in scene.pids[len(scene.servers) :]:
        reply = alice.call(alice.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(pids=[pid]))
        (process,) = reply.processes
        assert "[redacted:" in " ".join(argument.text for argument in process.arguments), pid


def test_each_line_of_a_text_is_shown_with_its_tokens(scene: Scene) -> None:
    alice = scene.agent.caller("bob")
    process = common_pb2.ProcessRef(pid=scene.pids[0])
    metadata = (("leadglass-session", alice.session_id),)
    for name in ("app.log", "app.yaml", "utf-16.log"):
        request = inspect_pb2.ReadTextRequest(process=process, path=f"{scene.shop}/{name}")
        messages = list(alice.inspect.ReadText(request, timeout=20, metadata=metadata))
        lines = [line.text.text for message in messages for line in message.lines]
        assert len(lines) == len(TEXTS), name
        assert all("[redacted:" in line for line in lines), name


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_is_not_ours_is_shown(scene: Scene, name: str) -> None:
    reason = why_not_here(name)
    if reason is not None:
        pytest.skip(reason)
    (pid,) = (server.pid for server in scene.servers if server.program == name)
    alice = scene.agent.caller()
    reply = alice.call(alice.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(pids=[pid]))
    assert [process.ref.pid for process in reply.processes] == [pid]


def test_names_are_those_of_the_environment_and_no_piece_of_a_title(scene: Scene) -> None:
    alice = scene.agent.caller()
    for server in scene.servers:
        request = inspect_pb2.ListEnvironmentRequest(process=common_pb2.ProcessRef(pid=server.pid))
        reply = alice.call(alice.inspect.ListEnvironment, request)
        names = {variable.name.text for variable in reply.variables}
        assert names <= {"API_TOKEN", "DATABASE_URL", "EMPTY_SETTING", "LANG", "PATH"}, server.program
        assert names or reply.truncated


def test_the_search_would_find_what_was_planted(scene: Scene) -> None:
    there = [Path(f"/proc/{pid}/{name}").read_bytes() for pid in scene.pids for name in ("cmdline", "environ")]
    links = [str(Path(path).readlink()) for path in scene.paths if Path(path).is_symlink()]
    there += ["\n".join((*scene.paths, *links)).encode(), (scene.shop / "settings.env").read_bytes()]
    there.append((scene.shop / "app.log").read_bytes())
    found = {leak.partition(" (")[0] for leak in scene.planted.leaks(b"\n".join(there))}

    # A server that writes its own title over its arguments leaves nothing of them to find.
    away = {name for name in SERVERS if why_not_here(name) is not None or "title" in name}
    assert found >= set(scene.planted.by_place) - away


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _shop(shop: Path, planted: Planted) -> Path:
    (shop / "keys").mkdir(parents=True)
    (shop / "settings.env").write_text(f"KEY={planted['content']}\n", encoding="utf-8")
    text = "".join(f"{line}\n" for line in with_secrets(TEXTS, planted))
    for name in ("app.log", "app.yaml"):
        (shop / name).write_text(text, encoding="utf-8")
    (shop / "utf-16.log").write_text(text, encoding="utf-16")
    (shop / "escape").symlink_to("/proc/self/root/etc")
    for name in FILE_NAMES:
        (shop / "keys" / with_secrets((name,), planted)[0]).touch()
    for at, target in enumerate(LINKS):
        (shop / f"link{at}").symlink_to(with_secrets((target,), planted)[0])
    return shop


class _Waiting:
    """A shell under another program's name that waits for its input, with arguments that it ignores."""

    def __init__(self, arguments: Sequence[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [arguments[0], "-s", "--", *arguments[1:]],
            executable="/bin/sh",
            env={"PATH": os.defpath, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> int:
        return self._process.pid

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
