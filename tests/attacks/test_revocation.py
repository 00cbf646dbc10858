"""What a file takes away is gone within moments: for open connections, running streams and whoever comes next."""

from __future__ import annotations

import os
import random
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Self

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from certificates import ALICE, Authority, Certificate, Recipe, issue, load_authority, new_authority
from chains import authority, leaf
from leadglass.v1 import agent_pb2, common_pb2, inspect_pb2
from leadglass_client.authority import create_authority, issue_server
from running_agent import OPEN_POLICY, SERVER_NAME, TRUST_DOMAIN, Caller, RunningAgent, reason_of, running_agent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_SECONDS = 30.0
# Whoever holds a certificate may do everything: only the files can refuse.
_POLICY = OPEN_POLICY.replace('"spiffe://test.leadglass/user/bob"', '"spiffe://test.leadglass/**"')
_NO_SELF = _POLICY.replace("permissions: [session.open, agent.self]", "permissions: [session.open]")
_DENY_LIST = "apiVersion: leadglass.dev/v1\nkind: DenyList\nmetadata: {{name: test}}\nspec: {spec}\n"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[RunningAgent]:
    (tmp_path / "deny.yaml").write_text(_DENY_LIST.format(spec="{}"))
    with running_agent(tmp_path, _POLICY, rewrite=lambda text: f"{text}  denyList: {tmp_path}/deny.yaml\n") as running:
        yield running


@contextmanager
def _connected(agent: RunningAgent, certificate: Certificate, roots: bytes = b"") -> Iterator[Caller]:
    credentials = grpc.ssl_channel_credentials(
        roots or (agent.authority / "ca.crt").read_bytes(), certificate.key, certificate.pem
    )
    options = (("grpc.ssl_target_name_override", SERVER_NAME), ("grpc.use_local_subchannel_pool", 1))
    with grpc.secure_channel(agent.address, credentials, options) as channel:
        yield Caller(channel)


def _asks(caller: Caller) -> str:
    """Asks the agent about itself; gives the digest of its policy, or the reason or status of the refusal.

    A disk that is too busy for the audit log refuses everything for a moment: that is asked again.
    """
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            return caller.agent.GetSelf(agent_pb2.GetSelfRequest(), timeout=10).policy_digest
        except grpc.RpcError as error:
            refusal = reason_of(error) or error.code().name
        if refusal != "AUDIT_UNAVAILABLE" or time.monotonic() > deadline:
            return refusal
        time.sleep(0.1)


def _until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def _reloads(agent: RunningAgent, part: str, kind: str = "RELOADED") -> list[dict[str, Any]]:
    return [one for one in agent.records() if one["kind"] == kind and one["facts"]["part"] == part]


@contextmanager
def _following(caller: Caller, folder: Path) -> Iterator[Callable[[], str]]:
    """Follows a file for a with-block; what it gives waits for the end of the stream and tells its reason."""
    log = folder / "app.log"
    log.write_text("one\n")
    caller.open()
    request = inspect_pb2.ReadTextRequest(process=common_pb2.ProcessRef(pid=os.getpid()), path=str(log), follow=True)
    stream = caller.inspect.ReadText(request, timeout=120, metadata=(("leadglass-session", caller.session_id),))
    next(stream)

    def reason() -> str:
        try:
            for _ in stream:
                pass
        except grpc.RpcError as error:
            return reason_of(error)
        return ""

    yield reason
    stream.cancel()


def _pem(authority: Authority) -> bytes:
    return authority.certificate.public_bytes(Encoding.PEM)


def _trust(agent: RunningAgent, *authorities: Authority) -> None:
    """Lets the agent trust these, and waits until it does."""
    before = len(_reloads(agent, "TLS"))
    (agent.folder / "server/ca.crt").write_bytes(b"".join(map(_pem, authorities)))
    _until(lambda: len(_reloads(agent, "TLS")) > before)


def test_an_authority_that_goes_takes_open_connections_and_streams_with_it(agent: RunningAgent, tmp_path: Path) -> None:
    ours, leaving = load_authority(agent.authority), new_authority()
    with _connected(agent, issue(ours, Recipe())) as staying:
        assert _asks(staying).startswith("sha256:")
        _trust(agent, ours, leaving)
        issued = issue(leaving, Recipe(uris=(f"spiffe://{TRUST_DOMAIN}/user/bob",)))
        with _connected(agent, issued) as going:
            _until(lambda: _asks(going).startswith("sha256:"))  # the port follows what the gate knows already
            with _following(going, tmp_path) as reason:
                _trust(agent, ours)
                # From the moment on that the record is there, no call is answered.
                assert _asks(going) == "CERTIFICATE_REVOKED"
                assert reason() == "CERTIFICATE_REVOKED"
        with _connected(agent, issued) as again:
            _until(lambda: _asks(again) == "UNAVAILABLE")  # TLS itself refuses it once the port has followed
        assert _asks(staying).startswith("sha256:")


def test_an_intermediate_that_the_caller_sends_is_worth_what_its_root_is(agent: RunningAgent) -> None:
    ours, root = load_authority(agent.authority), authority("another root")
    middle = authority("middle", root)
    made = leaf(middle, extra=[(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)])
    _trust(agent, ours, Authority(root.certificate, root.key))
    with _connected(agent, Certificate(made.pem + middle.pem, made.key_pem)) as caller:
        _until(lambda: _asks(caller).startswith("sha256:"))
        _trust(agent, ours)
        assert _asks(caller) == "CERTIFICATE_REVOKED"


@pytest.mark.parametrize("listed", ["serials", "keys", "callers"])
def test_the_deny_list_ends_calls_and_streams(agent: RunningAgent, tmp_path: Path, listed: str) -> None:
    ours = load_authority(agent.authority)
    issued = issue(ours, Recipe())
    bob = issue(ours, Recipe(uris=(f"spiffe://{TRUST_DOMAIN}/user/bob",)))
    with _connected(agent, issued) as alice, _connected(agent, bob) as other, _following(alice, tmp_path) as reason:
        opened = next(one for one in agent.records() if one["kind"] == "SESSION_OPENED")
        serial = x509.load_pem_x509_certificate(issued.pem).serial_number
        entry = {"serials": f"{serial:X}", "keys": opened["key_digest"], "callers": ALICE}[listed]
        (tmp_path / "deny.yaml").write_text(_DENY_LIST.format(spec=f"{{{listed}: ['{entry}']}}"))
        _until(lambda: bool(_reloads(agent, "DENY_LIST")))
        assert _asks(alice) == "CERTIFICATE_REVOKED"
        assert reason() in {"CERTIFICATE_REVOKED", "SESSION_ENDED"}
        assert _asks(other).startswith("sha256:")


def test_a_stream_ends_with_its_certificate(agent: RunningAgent, tmp_path: Path) -> None:
    issued = issue(load_authority(agent.authority), Recipe(ends_in=timedelta(seconds=5)))
    end = x509.load_pem_x509_certificate(issued.pem).not_valid_after_utc.timestamp()
    with _connected(agent, issued) as caller, _following(caller, tmp_path) as reason:
        assert reason() == "CERTIFICATE_EXPIRED"
        assert time.time() >= end
        assert _asks(caller) == "CERTIFICATE_EXPIRED"


@pytest.mark.parametrize(
    ("name", "part"),
    [("server/ca.crt", "TLS"), ("server/tls.key", "TLS"), ("policy.yaml", "POLICY"), ("deny.yaml", "DENY_LIST")],
)
def test_a_broken_file_is_an_alarm_and_the_old_one_stays(agent: RunningAgent, name: str, part: str) -> None:
    path = agent.folder / name
    with _connected(agent, issue(load_authority(agent.authority), Recipe())) as caller:
        before, content = _asks(caller), path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        _until(lambda: bool(_reloads(agent, part, "RELOAD_FAILED")))
        (record,) = _reloads(agent, part, "RELOAD_FAILED")
        assert record["severity"] == "CRITICAL"
        assert str(path) in record["detail"]
        assert _asks(caller) == before
    with _connected(agent, issue(load_authority(agent.authority), Recipe())) as another:
        assert _asks(another) == before
    path.write_bytes(content)


def test_a_new_certificate_of_the_agent_is_shown_to_new_connections(agent: RunningAgent) -> None:
    issued = issue(load_authority(agent.authority), Recipe())
    successor = agent.folder / "successor"
    successor.mkdir()
    with _connected(agent, issued) as before:
        assert _asks(before).startswith("sha256:")
        create_authority(successor / "ca", TRUST_DOMAIN)
        issue_server(successor / "ca", SERVER_NAME, successor / "server", path="/agent/test")
        for name in ("tls.crt", "tls.key"):
            (agent.folder / "server" / name).write_bytes((successor / "server" / name).read_bytes())

        def is_shown() -> bool:
            with _connected(agent, issued, (successor / "ca/ca.crt").read_bytes()) as after:
                return _asks(after).startswith("sha256:")

        _until(is_shown)
        with _connected(agent, issued) as still_believing:
            assert _asks(still_believing) == "UNAVAILABLE"
        assert _asks(before).startswith("sha256:")


class _Rewriter:
    """Writes two policies in turn, 200 times a second, half of the time leaving half a file there for a moment."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._random = random.Random(4)  # noqa: S311 - a test's own dice
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.writes = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.is_set():
            text = (_POLICY, _NO_SELF)[self.writes % 2]
            self.writes += 1
            if self._random.random() < 0.5:
                with self._path.open("w") as file:
                    file.write(text[: self._random.randrange(len(text))])
                    file.flush()
                    time.sleep(0.002)
            if self._random.random() < 0.5:
                (self._path.parent / "new.yaml").write_text(text)
                (self._path.parent / "new.yaml").replace(self._path)
            else:
                self._path.write_text(text)
            # Now and then the file stays as it is for long enough to count.
            self._done.wait(1.2 if self.writes % 200 == 0 else 0.003)


@pytest.mark.parametrize(("calls", "reloads"), [(240, 2), pytest.param(5_000, 4, marks=pytest.mark.slow)])
def test_every_decision_is_that_of_the_policy_in_its_record(agent: RunningAgent, calls: int, reloads: int) -> None:
    """The policy file is rewritten 200 times a second meanwhile, and half written half of the time."""
    ours = load_authority(agent.authority)
    answers: list[str] = []
    with _Rewriter(agent.folder / "policy.yaml") as rewriter:
        deadline = time.monotonic() + 240
        numbers = count()
        while len(answers) < calls or len(_reloads(agent, "POLICY")) < reloads:
            assert time.monotonic() < deadline, (len(answers), rewriter.writes)
            # Outside a session an identity has 600 calls a minute.
            issued = issue(ours, Recipe(uris=(f"spiffe://{TRUST_DOMAIN}/user/u{next(numbers)}",)))
            with _connected(agent, issued) as caller:
                answers += [_asks(caller) for _ in range(120)]
    digests = {record["facts"]["new_digest"] for record in _reloads(agent, "POLICY")}
    permits = {record["policy_digest"] for record in agent.records() if record["kind"] == "AGENT_STARTED"}
    assert set(answers) <= permits | {"POLICY_DENIED"}
    assert len(digests | permits) == 2  # never anything but one of the two whole files
    decided = {
        (record["kind"], record.get("refusal", ""), record["policy_digest"] in permits)
        for record in agent.records()
        if str(record.get("method", "")).endswith("GetSelf") and record.get("refusal") != "AUDIT_UNAVAILABLE"
    }
    assert decided == {("INTENT", "", True), ("OUTCOME", "", True), ("REFUSED", "POLICY_DENIED", False)}
