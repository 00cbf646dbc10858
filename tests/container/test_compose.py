"""The compose file gives an app a window, and takes it away again without a trace."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from container_images import ROOT, base_image
from containers import EngineError
from pod_files import SERVER_NAME, Person, write_agent_folder, write_authority, write_person
from pods import APP_ID
from yaml_nodes import document, mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from containers import Engine

pytestmark = [pytest.mark.container, pytest.mark.slow, pytest.mark.timeout(900)]

_FILE = ROOT / "deploy" / "compose" / "compose.yaml"
_SECONDS = 120
_START_SECONDS = 120


@dataclass(frozen=True, slots=True)
class _Project:
    """One copy of the compose file in a folder of its own, and the person who asks."""

    engine: Engine
    folder: Path
    name: str
    port: int
    alice: Person
    environment: dict[str, str]

    def compose(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs podman-compose on it."""
        options = ["--podman-path", str(self.folder / "podman"), "--file", "compose.yaml"]
        command = [sys.executable, "-m", "podman_compose", *options, *arguments]
        return subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
            env={**os.environ, **self.environment},
        )

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the client as somebody on this machine would, over the published port."""
        files = self.alice.certificates
        flags = [f"--address=127.0.0.1:{self.port}", f"--server-name={SERVER_NAME}", f"--ca={files / 'ca.crt'}"]
        flags += [f"--cert={files / 'tls.crt'}", f"--key={files / 'tls.key'}"]
        return subprocess.run(
            [sys.executable, "-m", "leadglass_client.main", *flags, *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
            env=self.alice.environment(),
        )

    def traces(self) -> list[str]:
        """Every container, network and volume that carries the project's name."""
        listed = (("ps", "--all", "--format={{.Names}}"), ("network", "ls", "--format={{.Name}}"))
        names = [name for command in (*listed, ("volume", "ls", "--format={{.Name}}")) for name in self._names(command)]
        return [name for name in names if name.startswith(self.name)]

    def remove(self) -> None:
        """Removes what is left, however the test ended."""
        self.engine.remove(f"{self.name}-leadglass", self.name)
        for name in self.traces():
            self.engine.call("network", "rm", "--force", name)

    def _names(self, command: tuple[str, ...]) -> list[str]:
        return self.engine.call(*command).split()


@contextmanager
def _project(engine: Engine, image: str, folder: Path) -> Iterator[_Project]:
    folder.mkdir(exist_ok=True)
    shutil.copyfile(_FILE, folder / "compose.yaml")
    authority = write_authority(folder / "authority")
    write_agent_folder(folder / "etc", authority, 7443, APP_ID)
    config = folder / "etc" / "agent.yaml"
    # The port is published, so it is the network's and not the loopback's.
    config.write_text(config.read_text("ascii").replace("listen: 127.0.0.1:7443", "listen: 0.0.0.0:7443"), "ascii")
    (folder / "audit").mkdir(mode=0o700)
    os.chown(folder / "audit", APP_ID, APP_ID)
    _write_podman(folder / "podman", engine)
    name, port = f"{engine.session}-compose", _free_port()
    environment = {
        "WORKLOAD": name,
        "PORT": str(port),
        "APP_IMAGE": base_image(engine),
        "APP_USER": f"{APP_ID}:{APP_ID}",
        "LEADGLASS_IMAGE": image,
    }
    one = _Project(engine, folder, name, port, write_person(folder / "people", authority, "alice"), environment)
    try:
        yield one
    finally:
        one.remove()


def _write_podman(path: Path, engine: Engine) -> None:
    """Writes a podman of this session: its storage, its mark on containers, and limits that the machine allows."""
    options = shlex.join(engine.options())
    path.write_text(
        f'#!/bin/sh\nfirst=$1; shift\ncase $first in run|create) set -- {options} "$@";; esac\n'
        f'exec {shlex.join(engine.command)} "$first" "$@"\n',
        encoding="utf-8",
    )
    path.chmod(0o755)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _wait_until_it_answers(project: _Project) -> None:
    deadline = time.monotonic() + _START_SECONDS
    reason = ("--reason", "looking at the shop through its window", "--ticket", "INC-7")
    while (done := project.ask("session", "open", *reason)).returncode != 0:
        assert time.monotonic() < deadline, done.stderr + project.engine.logs(f"{project.name}-leadglass").decode()
        time.sleep(0.5)


def test_compose_up_gives_a_window_and_down_leaves_nothing(podman: Engine, image: str, tmp_path: Path) -> None:
    with _project(podman, image, tmp_path / "shop") as project:
        up = project.compose("up", "--detach")
        assert up.returncode == 0, up.stderr
        _wait_until_it_answers(project)

        tree = project.ask("ps", "-o", "json")
        assert tree.returncode == 0, tree.stderr
        assert "redis-server" in tree.stdout
        environment = project.ask("env", "1", "PATH", "NOTHING")
        assert "PRESENT" in environment.stdout, environment.stdout + environment.stderr
        assert "UNSET" in environment.stdout

        down = project.compose("down")
        assert down.returncode == 0, down.stderr
        assert project.traces() == []
        with pytest.raises(EngineError):
            project.engine.call("inspect", f"{project.name}-leadglass")
        assert (project.folder / "audit" / "audit.jsonl").stat().st_size > 0


def test_the_agent_s_container_is_confined(podman: Engine, image: str, tmp_path: Path) -> None:
    with _project(podman, image, tmp_path / "shop") as project:
        assert project.compose("up", "--detach").returncode == 0
        _wait_until_it_answers(project)

        form = (
            "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Privileged}} {{.EffectiveCaps}} {{.HostConfig.SecurityOpt}}"
        )
        facts = podman.call("inspect", f"--format={form}", f"{project.name}-leadglass").strip()
        assert facts == "true false [] [no-new-privileges]"
        mounts = podman.call(
            "inspect", "--format={{range .Mounts}}{{.Destination}}:{{.RW}} {{end}}", f"{project.name}-leadglass"
        )
        assert sorted(mounts.split()) == ["/etc/leadglass:false", "/var/lib/leadglass:true"]
        app = podman.call("inspect", "--format={{len .Mounts}}", project.name).strip()
        assert app == "0"


def test_both_services_give_up_what_they_do_not_need() -> None:
    services = mapping(document(_FILE)["services"])

    for name, service in ((name, mapping(service)) for name, service in services.items()):
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges"], name
        assert service["user"] == "${APP_USER:-1000:1000}", name
        assert not {"privileged", "cap_add", "devices"} & service.keys(), name
    agent = mapping(services["leadglass"])
    assert agent["read_only"] is True
    assert text(agent["pid"]) == "container:${WORKLOAD:-shop}"
    assert agent["network_mode"] == "service:app"
    # Published on this machine alone.
    assert mapping(services["app"])["ports"] == ["127.0.0.1:${PORT:-7443}:7443"]
