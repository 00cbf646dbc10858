"""Lays out a pod of real containers: programs that are not ours with planted secrets, and the sidecar beside them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from planted_secrets import Planted, plant
from planted_shop import PLACES, write_shop
from pod_files import AUDIT_LOG, SERVER_NAME, SHOP, Person, write_agent_folder, write_authority, write_person

if TYPE_CHECKING:
    from containers import Engine

APP_ID = 1000
OTHER_ID = 2000
_START_SECONDS = 30.0
_CONFINED = ("--cap-drop=all", "--security-opt=no-new-privileges")
# Redis overwrites its own command line unless it is told not to.
_REDIS = ("--set-proc-title", "no", "--save", "", "--dir", "/tmp")


@dataclass(frozen=True, slots=True)
class Reply:
    """How a command of the client ended."""

    code: int
    out: str
    err: str

    def document(self) -> dict[str, object]:
        """Its standard output as the one JSON object that it must be, whatever the exit code."""
        try:
            document: object = json.loads(self.out)
        except ValueError:
            document = None
        assert isinstance(document, dict), f"exit {self.code}: {self.out}{self.err}"
        return document

    def rows(self, key: str) -> list[dict[str, object]]:
        """The objects of one list of that document."""
        rows = self.document()[key]
        assert isinstance(rows, list)
        assert all(isinstance(row, dict) for row in rows)
        return rows


@dataclass(frozen=True, slots=True)
class Sidecar:
    """One agent in its container, with the folder on the host that holds its audit log."""

    engine: Engine
    container: str
    address: str
    audit_log: Path

    def records(self) -> list[dict[str, object]]:
        """The records of its audit log, but those in which the log signs itself: they come whenever it is time."""
        lines = self.audit_log.read_text(encoding="utf-8").splitlines()
        return [record for record in map(json.loads, lines) if record["kind"] != "CHECKPOINT"]

    def output(self) -> bytes:
        """Everything that it wrote to standard output and standard error."""
        return self.engine.logs(self.container)


@dataclass(frozen=True, slots=True)
class Pod:
    """Containers that share a PID and a network namespace; `apps` gives each one's command line to find it by."""

    engine: Engine
    base: str
    image: str
    folder: Path
    main: str
    planted: Planted
    authority: Path
    alice: Person
    bob: Person

    def app(self, name: str, *command: str, user: str, options: tuple[str, ...] = ()) -> str:
        """Starts one more app container in the pod, with a secret in its environment."""
        shared = (f"--pid=container:{self.main}", f"--network=container:{self.main}", f"--user={user}")
        files = f"--volume={self.folder / 'shop'}:{SHOP}:ro"
        secret = {"API_TOKEN": self.planted["environment"], "EMPTY_SETTING": ""}
        return self.engine.start(name, self.base, *command, options=(*_CONFINED, *shared, files, *options), env=secret)

    def redis(
        self, name: str, port: int, *, user: str, program: str = "redis-server", options: tuple[str, ...] = ()
    ) -> str:
        """Starts a Redis in the pod, its password on the command line."""
        password = ("--requirepass", self.planted["redis argument"])
        return self.app(name, program, "--port", str(port), *password, *_REDIS, user=user, options=options)

    def sidecar(self, name: str, port: int) -> Sidecar:
        """Starts the agent as the README tells, and waits until it listens."""
        settings, audit = self.folder / f"{name}-etc", self.folder / f"{name}-audit"
        write_agent_folder(settings, self.authority, port, APP_ID)
        audit.mkdir(mode=0o700)
        os.chown(audit, APP_ID, APP_ID)
        options = (
            *_CONFINED,
            f"--pid=container:{self.main}",
            f"--network=container:{self.main}",
            f"--user={APP_ID}:{APP_ID}",
            f"--group-add={OTHER_ID}",  # does not help to see a process of that primary group
            "--read-only",
            "--read-only-tmpfs=false",
            f"--volume={settings}:/etc/leadglass:ro",
            f"--volume={audit}:{AUDIT_LOG.rpartition('/')[0]}",
        )
        container = self.engine.start(name, self.image, options=options)
        one = Sidecar(self.engine, container, f"127.0.0.1:{port}", audit / "audit.jsonl")
        _wait_until_listening(one)
        return one

    def ask(self, agent: Sidecar, person: Person, *arguments: str) -> Reply:
        """Runs the client in the pod's network namespace, as a port-forward would put it there."""
        files = person.certificates
        flags = [f"--address={agent.address}", f"--server-name={SERVER_NAME}", f"--ca={files / 'ca.crt'}"]
        flags += [f"--cert={files / 'tls.crt'}", f"--key={files / 'tls.key'}"]
        return self.inside([sys.executable, "-m", "leadglass_client.main", *flags, *arguments], person)

    def pid(self, container: str) -> int:
        """The number in the pod of a container's first process."""
        return pod_pid(self.engine.host_pid(container))

    def inside(self, command: list[str], person: Person) -> Reply:
        """Runs a program of the host in the pod's network namespace."""
        enter = ["nsenter", f"--net=/proc/{self.engine.host_pid(self.main)}/ns/net", "--"]
        done = subprocess.run(
            [*enter, *command],
            check=False,
            capture_output=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            text=True,
            env=person.environment(),
        )
        return Reply(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True, slots=True)
class Street:
    """A pod with its sidecar, and each app's process number in the pod and container by what sets the app apart."""

    pod: Pod
    agent: Sidecar
    pids: dict[str, int]
    containers: dict[str, str]


def start_pod(engine: Engine, base: str, image: str, folder: Path) -> Pod:
    """Starts the first app of a pod: a web server that holds the namespaces, with secrets wherever apps have them."""
    planted = plant(*PLACES)
    shop = folder / "shop"
    write_shop(shop, planted, APP_ID)
    options = (*_CONFINED, "--network=none", f"--user={APP_ID}:{APP_ID}", f"--volume={shop}:{SHOP}:ro")
    secret = {
        "API_TOKEN": planted["environment"],
        "DATABASE_URL": f"postgres://shop:{planted['environment address']}@db.internal/shop",
        "EMPTY_SETTING": "",
    }
    server = ("python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", SHOP, "8000")
    main = engine.start("web", base, *server, options=options, env=secret)
    authority = write_authority(folder / "authority")
    people = folder / "people"
    alice, bob = (write_person(people, authority, name) for name in ("alice", "bob"))
    return Pod(engine, base, image, folder, main, planted, authority, alice, bob)


def pod_pid(host_pid: int) -> int:
    """The number that a process of the host has in the innermost PID namespace that it is in."""
    return int(status_line(host_pid, "NSpid").split()[-1])


def status_line(host_pid: int, key: str) -> str:
    """One line of /proc/PID/status of the host."""
    lines = Path(f"/proc/{host_pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{key}:"))


def _wait_until_listening(sidecar: Sidecar) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        output = sidecar.output()
        if b'"event": "listening"' in output:
            return
        running = sidecar.engine.call("inspect", "--format={{.State.Running}}", sidecar.container).strip()
        if running != "true":
            break
        time.sleep(0.2)
    message = f"the agent does not listen:\n{sidecar.output().decode(errors='replace')}"
    raise AssertionError(message)
