"""Promise: a recording holds what was shown and nothing more, on disk it is unreadable, and destroyed it stays so."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from granting import POLICY, envelope, grant_of, open_with, person_of
from id_tokens import AUDIENCE, CLAIMS, ISSUER, Token, jwks
from leadglass.v1 import access_pb2, audit_pb2, common_pb2, inspect_pb2
from leadglass_agent.access.evidence_nonce import evidence_nonce
from leadglass_agent.recordings.format import RecordingError
from leadglass_agent.recordings.keys import RecordingKeyError, parse_mounted, unwrap
from leadglass_agent.recordings.records import REVEALED_VALUE, Called, Opened, Replied, encode
from leadglass_agent.recordings.standing_json import standing_of
from leadglass_client.unsealing import new_key
from planted_secrets import Planted, plant
from recording_agents import WHY, opened, read_recording, recording_agent, records_of
from running_agent import CALL_SECONDS, REASON, TICKET
from sample_processes import running
from taped_sessions import header_of, reader_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from leadglass_agent.recordings.records import Record
    from running_agent import Caller, RunningAgent

_PLACES: Final = ("API_TOKEN", "argument", "text", "SAMPLE_VALUE", "link")
_LOOKED: Final = ("processes.list", "processes.argv", "env.presence", "env.names", "files.list", "files.metadata")
_AUDITORS: Final = POLICY.replace(
    "  bindings:\n",
    """\
    - name: auditor
      rules:
        - id: auditor-all
          effect: permit
          permissions: [recordings.list, recordings.read, recordings.hold, recordings.shred]
  bindings:
    - {role: auditor, callers: ["spiffe://test.leadglass/user/frank"]}
""",
)


@dataclass(frozen=True, slots=True)
class Scene:
    """An agent that recorded a session in which secrets lay wherever somebody looked, and one of them was revealed."""

    folder: Path
    agent: RunningAgent
    planted: Planted
    session_id: str
    envelopes: tuple[str, ...]
    sealed_value: str
    shown: tuple[bytes, ...]
    texts: Path

    @property
    def files(self) -> dict[str, bytes]:
        """The files of the recordings as they lie on disk."""
        return {path.name: path.read_bytes() for path in (self.folder / "recordings").iterdir()}

    @property
    def auditor(self) -> Caller:
        """Who may read recordings."""
        return self.agent.caller("frank", session=False)

    def records(self) -> list[Record]:
        """What the session's recording holds."""
        return records_of(self.auditor, self.session_id)[0]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder, planted = tmp_path_factory.mktemp("agent"), plant(*_PLACES)
    texts = tmp_path_factory.mktemp("texts")
    (texts / "shop.log").write_text(f"started\napi_key={planted['text']}\nready\n", encoding="utf-8")
    (texts / "link").symlink_to(f"https://user:{planted['link']}@host/x")
    environment = {name: planted[name] for name in ("API_TOKEN", "SAMPLE_VALUE")}
    with (
        recording_agent(folder, _AUDITORS, more="  pod: {namespace: shop}\n") as agent,
        running(f"--password={planted['argument']}", environment=environment) as pid,
    ):
        yield _scene(folder, agent, planted, pid, texts)


def _scene(folder: Path, agent: RunningAgent, planted: Planted, pid: int, texts: Path) -> Scene:
    now = int(time.time())
    looks = grant_of(agent, permissions=(*_LOOKED, "text.redacted"))
    reveals = grant_of(
        agent,
        permissions=("env.reveal",),
        names=("SAMPLE_VALUE",),
        reveals=True,
        not_before_unix=now - 10,
        not_after_unix=now + 240,
    )
    envelopes = (envelope(agent, looks, "carol"), envelope(agent, reveals, "carol", "dave"))
    alice = agent.caller(session=False)
    open_with(alice, *envelopes)
    process = common_pb2.ProcessRef(pid=pid)
    shown = (
        alice.call(alice.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(pids=[pid])),
        alice.call(alice.inspect.ListEnvironment, inspect_pb2.ListEnvironmentRequest(process=process)),
        alice.call(alice.inspect.ListDirectory, inspect_pb2.ListDirectoryRequest(process=process, path=str(texts))),
        *alice.inspect.ReadText(
            inspect_pb2.ReadTextRequest(process=process, path=str(texts / "shop.log")),
            timeout=CALL_SECONDS,
            metadata=(("leadglass-session", alice.session_id),),
        ),
    )
    asked = access_pb2.RevealRequest(process=process, name="SAMPLE_VALUE", recipient_key=new_key().recipient_key)
    revealed = alice.call(alice.access.Reveal, asked)
    assert revealed.is_set
    return Scene(
        folder,
        agent,
        planted,
        alice.session_id,
        envelopes,
        revealed.sealed_value,
        tuple(message.SerializeToString() for message in shown),
        texts,
    )


def test_what_was_shown_is_there_to_the_byte_and_holds_no_secret(scene: Scene) -> None:
    records = scene.records()
    messages = tuple(record.message for record in records if isinstance(record, Replied) and not record.withheld)
    assert messages == scene.shown
    assert sum(map(len, messages)) > 200
    plain = b"\n".join(map(encode, records))
    assert scene.planted.leaks(plain) == ()


def test_a_revealed_value_is_not_recorded_not_even_sealed(scene: Scene) -> None:
    records = scene.records()
    (call,) = (record for record in records if isinstance(record, Called) and record.method.endswith("/Reveal"))
    (reply,) = (record for record in records if isinstance(record, Replied) and record.call_id == call.call_id)
    assert (reply.withheld, reply.message) == (REVEALED_VALUE, b"")
    plain = b"\n".join(map(encode, records))
    for form in (scene.sealed_value.encode(), base64.b64decode(scene.sealed_value)):
        assert form[:24] not in plain


def test_grants_are_recorded_by_their_ids_alone(scene: Scene) -> None:
    records = scene.records()
    first = records[0]
    assert isinstance(first, Opened)
    assert len(first.grants) == 2
    plain = b"\n".join(map(encode, records))
    for text in scene.envelopes:
        assert text.encode()[:64] not in plain
    assert b"BEGIN CERTIFICATE" not in plain
    assert b"payloadType" not in plain


def test_an_id_token_is_recorded_by_its_subject_alone(tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_bytes(jwks())
    source = (
        f"  evidence: {{issuer: {ISSUER}, jwks: {tmp_path}/jwks.json, audience: {AUDIENCE}, algorithms: [ES256]}}\n"
    )
    policy = _AUDITORS.replace("  roles:\n", f"{source}  roles:\n", 1)
    with recording_agent(tmp_path, policy, more="  pod: {namespace: shop}\n") as agent:
        alice, now = agent.caller(session=False), int(time.time())
        grant = grant_of(agent, permissions=_LOOKED)
        nonce = evidence_nonce(person_of(agent, "alice").key_digest, [grant.grant_id])
        times = {"iat": now - 5, "exp": now + 300, "auth_time": now - 30}
        token = Token(claims={**times, "nonce": nonce}).text()
        request = access_pb2.OpenSessionRequest(
            reason=REASON, ticket=TICKET, grants=[envelope(agent, grant, "carol")], id_token=token
        )
        alice.session_id = alice.access.OpenSession(request, timeout=CALL_SECONDS).session.session_id
        alice.call(alice.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(page_size=1))
        records, _ = records_of(agent.caller("frank", session=False), alice.session_id)
    first, call, *_ = records
    assert isinstance(first, Opened)
    assert first.evidence_subject == CLAIMS["sub"]
    assert isinstance(call, Called)
    assert call.standing is not None
    assert standing_of(call.standing).evidence is not None
    plain = b"\n".join(map(encode, records))
    for part in token.split("."):
        assert part.encode() not in plain


def test_the_files_tell_nothing_but_the_session_and_the_time(scene: Scene) -> None:
    content = scene.files[f"{scene.session_id}.rec"]
    header = header_of(scene.folder, scene.session_id)
    assert content.startswith(header.encode())
    words = (
        b"leadglass.v1",
        b"ListProcesses",
        b"processes.list",
        b"spiffe",
        b"alice",
        b"CALL",
        b"api_key",
        str(scene.texts).encode(),
        REASON.encode(),
        TICKET.encode(),
        b"test-granting",
        b'"kind"',
    )
    for name, file in scene.files.items():
        for word in words:
            if len(word) > 3:  # a shorter one is there by chance
                assert word not in file, (name, word)
        assert scene.planted.leaks(file) == ()


def test_the_data_key_lies_in_no_file_and_the_mounted_key_in_none_of_these(scene: Scene) -> None:
    mounted = (scene.folder / "recordings.key").read_bytes()
    digest = header_of(scene.folder, scene.session_id).digest
    data_key = unwrap(scene.files[f"{scene.session_id}.key"], parse_mounted(mounted), digest)
    everything = {path: path.read_bytes() for path in scene.folder.rglob("*") if path.is_file()}
    assert [path.name for path, content in everything.items() if data_key in content] == []
    assert [path.name for path, content in everything.items() if mounted in content] == ["recordings.key"]


def test_the_audit_log_says_that_a_recording_was_read_and_holds_none_of_its_keys(scene: Scene) -> None:
    private = X25519PrivateKey.generate()
    read = read_recording(scene.auditor, scene.session_id, private.public_key().public_bytes_raw())
    assert opened(read, private)
    records = scene.agent.records()
    (outcome, *_) = (
        record
        for record in reversed(records)
        if record["kind"] == "OUTCOME" and record["method"].endswith("/ReadRecording")
    )
    assert outcome["facts"] == {"recording_of": scene.session_id, "size_bytes": len(read.content)}
    log = scene.agent.audit_log.read_bytes()
    for form in (base64.b64encode(read.sealed_key)[:24], read.sealed_key[:24], read.sealed_key.hex().encode()[:24]):
        assert form not in log


def test_once_destroyed_no_copy_of_the_recording_opens_with_any_key_that_is_left(scene: Scene) -> None:
    other = scene.agent.caller(session=False)
    open_with(other, envelope(scene.agent, grant_of(scene.agent, permissions=_LOOKED), "carol"))
    other.call(other.inspect.ListProcesses, inspect_pb2.ListProcessesRequest(page_size=1))
    session_id = other.session_id
    other.access.CloseSession(access_pb2.CloseSessionRequest(session_id=session_id), timeout=CALL_SECONDS)
    copy, mounted = scene.files[f"{session_id}.rec"], parse_mounted((scene.folder / "recordings.key").read_bytes())
    digest = header_of(scene.folder, session_id).digest
    assert unwrap(scene.files[f"{session_id}.key"], mounted, digest)
    request = audit_pb2.ShredRecordingRequest(session_id=session_id, reason=WHY)
    scene.auditor.audit.ShredRecording(request, timeout=CALL_SECONDS)
    for content in scene.files.values():  # other sessions' keys among them
        with pytest.raises(RecordingKeyError):
            unwrap(content, mounted, digest)
    for key in mounted.keys:
        with pytest.raises(RecordingError):
            list(reader_of(copy, key))
