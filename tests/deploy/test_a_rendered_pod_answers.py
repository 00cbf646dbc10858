"""An agent that is started from the rendered files, laid out as the kubelet lays them out, answers as the page says."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from leadglass_cli import Home, flags
from leadglass_client.authority import Issued, create_authority, issue_client, issue_server
from renderings import chart, container, only, overlay, pods
from running_agent import start, wait_until_listening
from yaml_nodes import Mapping, at, mapping, rows, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

_NAME = "shop.shop.leadglass.internal"
_UID = "0f5cf5a9-8d7e-4b7e-9a38-2f6f1f6a3c55"


@dataclass(frozen=True, slots=True)
class _Window:
    """A running agent and somebody who asks it."""

    address: str
    alice: Issued
    home: Home
    folder: Path

    def ask(self, *arguments: str) -> tuple[int, str]:
        """Runs the client; gives the exit code and both streams."""
        done = self.home.run(*flags(self.address, self.alice, _NAME), *arguments)
        return done.code, done.out + done.err


@contextmanager
def _window(objects: tuple[Mapping, ...], folder: Path, caller: str) -> Iterator[_Window]:
    create_authority(folder / "authority", "example.org")
    issue_server(folder / "authority", _NAME, folder / "secret", path="/ns/shop/agent/shop")
    alice = issue_client(folder / "authority", caller, folder / "alice")
    ((_, spec),) = pods(objects)
    places = _lay_out(spec, objects, folder)
    etc = places["/etc/leadglass"]
    policy = (etc / "policy.yaml").read_text("utf-8")
    (etc / "policy.yaml").write_text(policy.replace("/etc/leadglass/jwks.json", f"{etc}/jwks.json"), encoding="utf-8")
    config = folder / "agent.yaml"
    config.write_text(_moved((etc / "agent.yaml").read_text("utf-8"), places), encoding="utf-8")
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        agent = start(config, out, err)
    try:
        address = wait_until_listening(agent, folder / "out", folder / "err")["address"]
        yield _Window(address, alice, Home(folder / "home"), folder)
    finally:
        agent.terminate()
        agent.wait(60)


def _lay_out(spec: Mapping, objects: tuple[Mapping, ...], folder: Path) -> dict[str, Path]:
    """Writes what each volume of the agent holds, behind the link that the kubelet swaps; gives places by path."""
    volumes = {text(volume["name"]): volume for volume in rows(spec["volumes"])}
    places: dict[str, Path] = {}
    for mount in rows(container(spec, "leadglass")["volumeMounts"]):
        place = folder / "volumes" / text(mount["name"])
        content = place / "..2026_01_01_00_00_00.1"
        content.mkdir(parents=True)
        for source in rows(at(volumes[text(mount["name"])], "projected", "sources")):
            for name, data in _files(source, objects, folder):
                (content / name).write_bytes(data)
                (place / name).symlink_to(f"..data/{name}")
        (place / "..data").symlink_to(content.name)
        places[text(mount["mountPath"])] = place
    return places


def _files(source: Mapping, objects: tuple[Mapping, ...], folder: Path) -> Iterator[tuple[str, bytes]]:
    ((kind, content),) = source.items()
    if kind == "downwardAPI":
        yield text(at(content, "items", 0, "path")), _UID.encode()
    elif kind == "secret":
        for item in rows(at(content, "items")):
            yield text(item["path"]), (folder / "secret" / text(item["key"])).read_bytes()
    else:
        for name, value in mapping(only(objects, "ConfigMap", text(at(content, "name")))["data"]).items():
            yield name, text(value).encode()


def _moved(config: str, places: dict[str, Path]) -> str:
    """The configuration with this folder's places, free ports, and what a test under a plain interpreter needs."""
    for path in sorted(places, key=len, reverse=True):
        config = config.replace(f"{path}/", f"{places[path]}/")
    for port in ("127.0.0.1:7443", "0.0.0.0:7443", "0.0.0.0:7444"):
        config = config.replace(port, "127.0.0.1:0")
    extra = f"  unsafeRunAsRoot: {str(os.geteuid() == 0).lower()}\n"
    # Not the image's interpreter, and not its kernel.
    return config + "\n" + extra + "  requireSandbox: none\n  requireOneWayGlass: false\n"


@pytest.mark.parametrize("render", [overlay, chart], ids=["the overlay", "the chart"])
def test_the_development_window_answers_without_a_grant(
    render: Callable[[str], tuple[Mapping, ...]], tmp_path: Path
) -> None:
    with _window(render("non-prod"), tmp_path, "/user/alice") as window:
        reason = ("--reason", "trying the window of the shop, nothing is broken", "--ticket", "TRY-1")
        code, said = window.ask("session", "open", *reason)
        assert code == 0, said
        with subprocess.Popen(["sleep", "600"], env={"SHOP_CURRENCY": "EUR"}) as app:
            code, said = window.ask("env", str(app.pid), "SHOP_CURRENCY", "NOTHING", "-o", "csv")
            app.kill()
        assert code == 0, said
        assert "PRESENT" in said
        assert "EUR" not in said
        log = tmp_path / "volumes" / "leadglass-audit" / "audit.jsonl"
        kinds = [json.loads(line)["kind"] for line in log.read_text("utf-8").splitlines()]
        assert "SESSION_OPENED" in kinds


def test_the_production_window_asks_for_a_grant(tmp_path: Path) -> None:
    with _window(overlay("prod"), tmp_path, "/team/oncall/olga") as window:
        reason = ("--reason", "checkout answers 502, looking for the cause", "--ticket", "INC-1234")
        code, said = window.ask("session", "open", *reason)
        assert code == 0, said
        code, said = window.ask("ps")
        assert code == 9, said


def test_the_placeholders_of_the_regulated_window_start_nothing(tmp_path: Path) -> None:
    said = pytest.raises(AssertionError, match=r"exit 2\): .*key set has no key")
    with said, _window(overlay("regulated"), tmp_path, "/team/oncall/olga"):
        pass
