"""Runs a real agent with real certificates for a test, and calls it over mutual TLS."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from leadglass.v1 import access_pb2, access_pb2_grpc, agent_pb2_grpc, audit_pb2_grpc, inspect_pb2_grpc
from leadglass_client.authority import Issued, create_authority, issue_client, issue_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TRUST_DOMAIN = "test.leadglass"
SERVER_NAME = "agent.test.leadglass"
START_SECONDS = 20.0
CALL_SECONDS = 10.0

# Everything of every process, for tests that are not about policy.
OPEN_POLICY = """\
apiVersion: leadglass.dev/v1
kind: AccessPolicy
metadata:
  name: test-open
spec:
  session:
    maxMinutes: 60
    idleMinutes: 10
    maxOpen: 8
    callsPerMinute: 6000
    minReasonCharacters: 20
    ticketPattern: "T-[0-9]{1,6}"
  # One caller makes the calls of many, and on purpose many that are refused.
  guard:
    denials: 100000
    missingPids: 100000
    missingPaths: 100000
    distinctPids: 100000
    distinctPaths: 100000
    calls: 100000
  roles:
    - name: sre
      rules:
        - {id: all-session, effect: permit, permissions: [session.open, agent.self]}
        - {id: all-processes, effect: permit, permissions: [processes.list, processes.executable, processes.argv]}
        - {id: all-names, effect: permit, permissions: [env.presence, env.names], names: ["*"]}
        - {id: all-files, effect: permit, permissions: [files.access, files.metadata, files.list], paths: ["/**"]}
        - {id: all-texts, effect: permit, permissions: [text.redacted], paths: ["/**/*.log", "/**/*.yaml"]}
        - {id: all-proofs, effect: permit, permissions: [audit.checkpoint]}
    - name: admin
      rules:
        - {id: admin-sessions, effect: permit, permissions: [sessions.list, sessions.end]}
        - {id: admin-reviews, effect: permit, permissions: [reviews.list, reviews.close]}
    - name: auditor
      rules:
        - {id: auditor-log, effect: permit, permissions: [audit.checkpoint, audit.read]}
        - {id: auditor-recordings, effect: permit, permissions: [recordings.list, recordings.read]}
        - {id: auditor-keeping, effect: permit, permissions: [recordings.hold, recordings.shred]}
  bindings:
    - {role: sre, callers: ["spiffe://test.leadglass/user/alice", "spiffe://test.leadglass/user/bob"]}
    - {role: admin, callers: ["spiffe://test.leadglass/user/erin"]}
    - {role: auditor, callers: ["spiffe://test.leadglass/user/frank"]}
"""
REASON = "checking why the sample application is slow"
TICKET = "T-1"


@dataclass
class RunningAgent:
    """One agent process tree, its folder and what it printed."""

    folder: Path
    process: subprocess.Popen[bytes]
    address: str
    health_address: str
    authority: Path
    output: Path
    errors: Path
    _channels: list[grpc.Channel] = field(default_factory=list)

    @property
    def audit_log(self) -> Path:
        """The agent's audit log."""
        return self.folder / "audit" / "audit.jsonl"

    @property
    def supervisor_pid(self) -> int:
        """Number of the process that starts and ends the others."""
        return self.process.pid

    @property
    def reader_pid(self) -> int:
        """Number of the process that reads /proc."""
        return int(self.records()[0]["facts"]["reader.pid"])

    @property
    def front_pid(self) -> int:
        """Number of the process that speaks gRPC."""
        return int(self.records()[0]["facts"]["front.pid"])

    def worker_pids(self) -> tuple[int, ...]:
        """Numbers of the file workers, found as the supervisor's other children."""
        pid = self.supervisor_pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
        return tuple(pid for pid in map(int, children.split()) if pid not in {self.front_pid, self.reader_pid})

    def records(self) -> list[dict[str, Any]]:
        """Reads the audit records, but those in which the log signs itself: they come whenever it is time."""
        return [record for record in self.every_record() if record["kind"] != "CHECKPOINT"]

    def every_record(self) -> list[dict[str, Any]]:
        """Reads all audit records."""
        return [json.loads(line) for line in self.audit_log.read_bytes().splitlines()]

    def client(self, name: str = "alice") -> Issued:
        """Issues (once) the certificate of a user."""
        out = self.folder / "clients" / name
        if not (out / "tls.crt").exists():
            issue_client(self.authority, f"/user/{name}", out)
        return Issued(out / "tls.crt", out / "tls.key", out / "ca.crt", f"spiffe://{TRUST_DOMAIN}/user/{name}", None)  # type: ignore[arg-type] # the end does not matter here

    def channel(self, certificate: Path, key: Path) -> grpc.Channel:
        """Opens a channel with a certificate; it is closed with the agent."""
        channel = grpc.secure_channel(
            self.address,
            grpc.ssl_channel_credentials(
                (self.authority / "ca.crt").read_bytes(),
                key.read_bytes(),
                certificate.read_bytes(),
            ),
            options=[("grpc.ssl_target_name_override", SERVER_NAME), ("grpc.use_local_subchannel_pool", 1)],
        )
        self._channels.append(channel)
        return channel

    def caller(self, name: str = "alice", *, session: bool = True) -> Caller:
        """Gives a caller, with an open session unless told otherwise."""
        issued = self.client(name)
        caller = Caller(self.channel(issued.certificate, issued.key))
        if session:
            caller.open()
        return caller

    def stop(self) -> int:
        """Ends the agent as an orchestrator does; gives its exit status."""
        for channel in self._channels:
            channel.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=15)


_Reply = TypeVar("_Reply", bound=Message)


class Caller:
    """Calls an agent with the metadata of its session."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        self.inspect = inspect_pb2_grpc.InspectServiceStub(channel)
        self.access = access_pb2_grpc.AccessServiceStub(channel)
        self.agent = agent_pb2_grpc.AgentServiceStub(channel)
        self.audit = audit_pb2_grpc.AuditServiceStub(channel)
        self.session_id = ""

    def open(self) -> access_pb2.Session:
        """Opens a session and uses it from now on."""
        reply = self.access.OpenSession(
            access_pb2.OpenSessionRequest(reason=REASON, ticket=TICKET),
            timeout=CALL_SECONDS,
        )
        self.session_id = reply.session.session_id
        return reply.session

    def call(self, method: grpc.UnaryUnaryMultiCallable[Any, _Reply], request: Message) -> _Reply:
        """Makes one call within the session."""
        metadata = (("leadglass-session", self.session_id),) if self.session_id else ()
        return method(request, timeout=CALL_SECONDS, metadata=metadata)


def reason_of(error: grpc.RpcError) -> str:
    """Reads the stable reason of a refusal."""
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    if status is None or not status.details or not status.details[0].Unpack(info):
        return ""
    return str(info.reason)


@contextmanager
def running_agent(
    folder: Path,
    policy: str = OPEN_POLICY,
    *,
    exporter: str = "none",
    audit_folder: Path | None = None,
    rewrite: Callable[[str], str] = str,
    **popen: Any,  # noqa: ANN401 - handed to Popen as it is
) -> Iterator[RunningAgent]:
    """Starts an agent in a folder and ends it; its files are its own, and `rewrite` may change its configuration."""
    config = prepare(folder, policy, exporter=exporter, audit_folder=audit_folder)
    config.write_text(rewrite(config.read_text(encoding="utf-8")), encoding="utf-8")
    with running_again(folder, **popen) as agent:
        yield agent


@contextmanager
def running_again(folder: Path, **popen: Any) -> Iterator[RunningAgent]:  # noqa: ANN401 - handed to Popen as it is
    """Starts the agent whose files are in a folder, and ends it."""
    config = folder / "agent.yaml"
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = start(config, out, err, **popen)
        try:
            ready = wait_until_listening(process, folder / "out", folder / "err")
            agent = RunningAgent(
                folder=folder,
                process=process,
                address=ready["address"],
                health_address=ready["health"],
                authority=folder / "ca",
                output=folder / "out",
                errors=folder / "err",
            )
            try:
                yield agent
            finally:
                agent.stop()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def prepare(
    folder: Path, policy: str = OPEN_POLICY, *, exporter: str = "none", audit_folder: Path | None = None
) -> Path:
    """Writes all that an agent needs into a folder: authority, certificate, policy; gives the configuration's path."""
    create_authority(folder / "ca", TRUST_DOMAIN)
    issue_server(folder / "ca", SERVER_NAME, folder / "server", path="/agent/test")
    audit = audit_folder or folder / "audit"
    audit.mkdir(exist_ok=True)
    return write_config(folder, policy, exporter=exporter, audit=audit)


def write_config(folder: Path, policy: str, *, audit: Path, exporter: str = "none") -> Path:
    """Writes policy and configuration; gives the configuration's path."""
    (folder / "policy.yaml").write_text(policy, encoding="utf-8")
    config = folder / "agent.yaml"
    config.write_text(
        f"""\
apiVersion: leadglass.dev/v1
kind: AgentConfig
metadata: {{name: test}}
spec:
  listen: 127.0.0.1:0
  healthListen: 127.0.0.1:0
  trustDomain: {TRUST_DOMAIN}
  tls:
    certificate: {folder}/server/tls.crt
    key: {folder}/server/tls.key
    callerAuthorities: {folder}/server/ca.crt
  policy: {folder}/policy.yaml
  audit: {{path: {audit}/audit.jsonl}}
  unsafeRunAsRoot: {"true" if os.geteuid() == 0 else "false"}
  requireSandbox: none
  requireOneWayGlass: false
  telemetry: {{exporter: {exporter}}}
""",
        encoding="utf-8",
    )
    return config


def start(config: Path, out: IO[bytes], err: IO[bytes], **popen: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401 - as above
    """Starts the agent program."""
    command = [sys.executable, "-m", "leadglass_agent", "--config", str(config)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, **popen)


def wait_until_listening(process: subprocess.Popen[bytes], out: Path, err: Path) -> dict[str, str]:
    """Waits for the line that tells where the agent listens."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        for line in out.read_text().splitlines():
            if '"listening"' in line:
                return json.loads(line)  # type: ignore[no-any-return] # the agent's own line
        if process.poll() is not None:
            break
        time.sleep(0.02)
    message = f"the agent did not listen (exit {process.poll()}): {err.read_text()}"
    raise AssertionError(message)
