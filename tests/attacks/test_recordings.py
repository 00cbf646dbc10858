"""Over the wire: who may list, read, hold and destroy recordings, and what a disk without room does to a session."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from expecting import refusal, until
from grants import spiffe_id_of
from leadglass.v1 import access_pb2, audit_pb2, common_pb2, inspect_pb2
from leadglass_agent.recordings.records import Called, Closed, Ended, Opened, Replied
from recording_agents import WHY, opened, prepare_recording, read_recording, recording_agent, records_of
from running_agent import CALL_SECONDS, REASON, TICKET, running_again
from taped_sessions import DAY_NS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running_agent import Caller, RunningAgent

_KEY = X25519PrivateKey.generate().public_key().public_bytes_raw()
_CAP_SYS_ADMIN = 1 << 21  # capabilities(7): mount needs it, and root in a container may not have it
_LIST = inspect_pb2.ListProcessesRequest(page_size=3)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with recording_agent(tmp_path_factory.mktemp("agent")) as running:
        yield running


@pytest.fixture(scope="module")
def auditor(agent: RunningAgent) -> Caller:
    return agent.caller("frank", session=False)


def _can_mount() -> bool:
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    effective = next(line.split()[1] for line in status if line.startswith("CapEff:"))
    return bool(int(effective, 16) & _CAP_SYS_ADMIN)


def _session(agent: RunningAgent, *, close: bool = True) -> str:
    """Makes one call in a session, and gives the session's id."""
    alice = agent.caller()
    alice.call(alice.inspect.ListProcesses, _LIST)
    if close:
        alice.access.CloseSession(access_pb2.CloseSessionRequest(session_id=alice.session_id), timeout=CALL_SECONDS)
    return alice.session_id


def _listed(auditor: Caller, session_id: str) -> audit_pb2.Recording:
    found = auditor.audit.ListRecordings(audit_pb2.ListRecordingsRequest(), timeout=CALL_SECONDS).recordings
    return next(recording for recording in found if recording.session_id == session_id)


def _hold(auditor: Caller, session_id: str, *, hold: bool, reason: str = WHY) -> audit_pb2.Recording:
    request = audit_pb2.HoldRecordingRequest(session_id=session_id, hold=hold, reason=reason)
    return auditor.audit.HoldRecording(request, timeout=CALL_SECONDS).recording


def _shred(auditor: Caller, session_id: str, reason: str = WHY) -> audit_pb2.Recording:
    request = audit_pb2.ShredRecordingRequest(session_id=session_id, reason=reason)
    return auditor.audit.ShredRecording(request, timeout=CALL_SECONDS).recording


def test_an_auditor_reads_what_was_shown_byte_for_byte(agent: RunningAgent, auditor: Caller) -> None:
    alice = agent.caller()
    shown = alice.call(alice.inspect.ListProcesses, _LIST)
    nobody = inspect_pb2.ListEnvironmentRequest(process=common_pb2.ProcessRef(pid=1, start_ticks=1))
    assert refusal(lambda: alice.call(alice.inspect.ListEnvironment, nobody)) == "PROCESS_NOT_FOUND"
    alice.access.CloseSession(access_pb2.CloseSessionRequest(session_id=alice.session_id), timeout=CALL_SECONDS)
    records, is_complete = records_of(auditor, alice.session_id)
    assert is_complete
    first, call, reply, end, *others, last = records
    assert isinstance(first, Opened)
    assert (first.caller, first.reason, first.ticket) == (spiffe_id_of("alice"), REASON, TICKET)
    assert isinstance(call, Called)
    assert (call.request, call.permission) == (_LIST.SerializeToString(), "processes.list")
    assert call.standing is not None
    assert isinstance(reply, Replied)
    assert inspect_pb2.ListProcessesResponse.FromString(reply.message) == shown
    assert isinstance(end, Ended)
    assert (end.refusal, end.rows) == ("", 3)
    assert [record.refusal for record in others if isinstance(record, Ended)] == ["PROCESS_NOT_FOUND"]
    assert isinstance(last, Closed)
    assert last.state == "CLOSED"


def test_the_audit_log_names_the_digest_of_what_was_recorded(agent: RunningAgent, auditor: Caller) -> None:
    session_id = _session(agent)
    private = X25519PrivateKey.generate()
    read = read_recording(auditor, session_id, private.public_key().public_bytes_raw())
    records, _ = opened(read, private)
    outcome = next(
        record
        for record in agent.records()
        if record.get("session_id") == session_id and record["kind"] == "OUTCOME" and "recording" in record
    )
    ends = _frame_ends(read.content, len(records))
    of_call = read.content[ends[0] : ends[3]]  # behind the opening: call, reply, end
    assert outcome["recording"] == hashlib.sha256(of_call).hexdigest()


def _frame_ends(content: bytes, count: int) -> list[int]:
    """Gives where each frame ends, by the lengths that stand in clear."""
    at = 9 + content[8] + 8
    ends = []
    for _ in range(count):
        at += 8 + int.from_bytes(content[at : at + 4])
        ends.append(at)
    return ends


@pytest.mark.parametrize("name", ["alice", "erin", "mallory"])
def test_nobody_else_lists_reads_holds_or_destroys_recordings(agent: RunningAgent, name: str) -> None:
    session_id = _session(agent)
    other = agent.caller(name, session=False)
    denied = {
        refusal(lambda: other.audit.ListRecordings(audit_pb2.ListRecordingsRequest(), timeout=CALL_SECONDS)),
        refusal(lambda: read_recording(other, session_id, _KEY)),
        refusal(lambda: _hold(other, session_id, hold=True)),
        refusal(lambda: _shred(other, session_id)),
    }
    assert denied == {"POLICY_DENIED"}
    assert (agent.folder / "recordings" / f"{session_id}.key").exists()


@pytest.mark.parametrize("session_id", ["", "nobody", "../../etc/passwd", "a/b", "x" * 65, "a.key", "\n"])
def test_a_name_that_is_no_recordings_leads_nowhere(auditor: Caller, session_id: str) -> None:
    assert refusal(lambda: read_recording(auditor, session_id, _KEY)) == "RECORDING_UNKNOWN"
    assert refusal(lambda: _hold(auditor, session_id, hold=True)) == "RECORDING_UNKNOWN"
    assert refusal(lambda: _shred(auditor, session_id)) == "RECORDING_UNKNOWN"


def test_a_key_that_is_none_is_refused(agent: RunningAgent, auditor: Caller) -> None:
    session_id = _session(agent)
    for public_key in (b"", b"short", bytes(31), bytes(32), bytes(33)):
        assert refusal(lambda: read_recording(auditor, session_id, public_key)) == "INVALID_REQUEST"  # noqa: B023


def test_a_destroyed_recording_is_gone_and_says_so(agent: RunningAgent, auditor: Caller) -> None:
    session_id = _session(agent)
    recordings = agent.folder / "recordings"
    copy = (recordings / f"{session_id}.rec").read_bytes()
    assert _shred(auditor, session_id).state == audit_pb2.RECORDING_STATE_SHREDDED
    assert {path.name for path in recordings.glob(f"{session_id}.*")} == {f"{session_id}.gone"}
    assert refusal(lambda: read_recording(auditor, session_id, _KEY)) == "RECORDING_DESTROYED"
    assert refusal(lambda: _shred(auditor, session_id)) == "RECORDING_DESTROYED"
    listed = _listed(auditor, session_id)
    assert (listed.state, listed.caller) == (audit_pb2.RECORDING_STATE_SHREDDED, "")
    assert listed.size_bytes == len(copy)
    (event,) = (record for record in agent.records() if record["kind"] == "RECORDING_SHREDDED")
    assert (event["session_id"], event["reason_text"]) == (session_id, WHY)
    assert event["caller"] == spiffe_id_of("frank")


def test_what_is_held_stays_until_it_is_let_go(agent: RunningAgent, auditor: Caller) -> None:
    session_id = _session(agent)
    assert _listed(auditor, session_id).HasField("delete_time")
    held = _hold(auditor, session_id, hold=True)
    assert held.held
    assert not held.HasField("delete_time")
    assert refusal(lambda: _shred(auditor, session_id)) == "RECORDING_HELD"
    assert records_of(auditor, session_id)[1]
    assert not _hold(auditor, session_id, hold=False).held
    _shred(auditor, session_id)
    kinds = [record["kind"] for record in agent.records() if record.get("session_id") == session_id]
    assert [kind for kind in kinds if kind.startswith("RECORDING_")] == [
        "RECORDING_HELD",
        "RECORDING_RELEASED",
        "RECORDING_SHREDDED",
    ]


def test_nothing_is_held_or_destroyed_without_a_reason_in_words(agent: RunningAgent, auditor: Caller) -> None:
    session_id = _session(agent)
    for reason in ("", "because", "x" * 40, "x" * 501):
        assert refusal(lambda: _shred(auditor, session_id, reason)) == "REASON_REFUSED"  # noqa: B023
        assert refusal(lambda: _hold(auditor, session_id, hold=True, reason=reason)) == "REASON_REFUSED"  # noqa: B023
    assert not _listed(auditor, session_id).held


def test_an_open_session_can_be_read_and_not_destroyed(agent: RunningAgent, auditor: Caller) -> None:
    session_id = _session(agent, close=False)
    records, is_complete = records_of(auditor, session_id)
    assert not is_complete
    assert len(records) == 4
    assert _listed(auditor, session_id).state == audit_pb2.RECORDING_STATE_OPEN
    assert refusal(lambda: _shred(auditor, session_id)) == "RECORDING_HELD"


def test_the_recording_ends_when_somebody_else_ends_the_session(agent: RunningAgent, auditor: Caller) -> None:
    session_id = _session(agent, close=False)
    erin = agent.caller("erin", session=False)
    erin.access.EndSession(
        access_pb2.EndSessionRequest(session_id=session_id, reason="it is not needed"), timeout=CALL_SECONDS
    )
    until(lambda: _listed(auditor, session_id).state == audit_pb2.RECORDING_STATE_COMPLETE)
    records, is_complete = records_of(auditor, session_id)
    assert is_complete
    assert isinstance(records[-1], Closed)
    assert records[-1].state == "ENDED_BY_ADMIN"


def test_a_stream_that_the_end_of_its_session_cuts_is_recorded_up_to_there(
    agent: RunningAgent, auditor: Caller, tmp_path: Path
) -> None:
    log = tmp_path / "shop.log"
    log.write_text("first line\n", encoding="utf-8")
    alice, erin = agent.caller(), agent.caller("erin", session=False)
    process = common_pb2.ProcessRef(pid=os.getpid())
    stream = alice.inspect.ReadText(
        inspect_pb2.ReadTextRequest(process=process, path=str(log), follow=True),
        timeout=6 * CALL_SECONDS,
        metadata=(("leadglass-session", alice.session_id),),
    )
    shown = [next(stream)]
    erin.access.EndSession(
        access_pb2.EndSessionRequest(session_id=alice.session_id, reason="it is not needed"), timeout=CALL_SECONDS
    )

    def follow() -> None:
        for message in stream:
            shown.append(message)
            with log.open("a", encoding="utf-8") as file:
                file.write("another line\n")

    assert refusal(follow) == "SESSION_ENDED"
    until(lambda: _listed(auditor, alice.session_id).state == audit_pb2.RECORDING_STATE_COMPLETE)
    private = X25519PrivateKey.generate()
    read = read_recording(auditor, alice.session_id, private.public_key().public_bytes_raw())
    records, is_complete = opened(read, private)
    assert is_complete
    ends = [record for record in records if isinstance(record, Ended)]
    assert [end.refusal for end in ends] == ["SESSION_ENDED"]
    messages = [record.message for record in records if isinstance(record, Replied)]
    # One more may be recorded than was sent: each is recorded first.
    assert messages[: len(shown)] == [message.SerializeToString() for message in shown]
    assert len(messages) - len(shown) <= 1
    refused = next(
        record
        for record in reversed(agent.records())
        if record.get("session_id") == alice.session_id and record["kind"] == "REFUSED"
    )
    ends_at = _frame_ends(read.content, len(records))
    assert refused["recording"] == hashlib.sha256(read.content[ends_at[0] : ends_at[-2]]).hexdigest()


def test_pages_give_each_recording_once_and_the_newest_first(agent: RunningAgent, auditor: Caller) -> None:
    made = [_session(agent) for _ in range(5)]
    seen, token = [], ""
    while True:
        request = audit_pb2.ListRecordingsRequest(page_size=2, page_token=token)
        page = auditor.audit.ListRecordings(request, timeout=CALL_SECONDS)
        seen += [recording.session_id for recording in page.recordings]
        token = page.next_page_token
        if not token:
            break
    assert seen[:5] == made[::-1]
    assert len(set(seen)) == len(seen)
    for wrong in (audit_pb2.ListRecordingsRequest(page_token="x"), audit_pb2.ListRecordingsRequest(page_size=-1)):
        assert refusal(lambda: auditor.audit.ListRecordings(wrong, timeout=CALL_SECONDS)) == "INVALID_REQUEST"  # noqa: B023


def test_a_long_recording_comes_in_pieces_and_is_the_file_to_the_byte(agent: RunningAgent, auditor: Caller) -> None:
    alice = agent.caller()
    path = agent.folder / "recordings" / f"{alice.session_id}.rec"
    calls = 0
    while path.stat().st_size < 500_000:
        alice.call(alice.inspect.ListProcesses, inspect_pb2.ListProcessesRequest())
        calls += 1
    private = X25519PrivateKey.generate()
    public_key = private.public_key().public_bytes_raw()
    request = audit_pb2.ReadRecordingRequest(session_id=alice.session_id, public_key=public_key)
    parts = list(auditor.audit.ReadRecording(request, timeout=6 * CALL_SECONDS))
    assert len(parts) >= 4
    assert all(len(part.data) <= 192 * 1024 for part in parts)
    assert not any(part.sealed_key or part.key_holder for part in parts[1:])
    read = read_recording(auditor, alice.session_id, public_key)
    assert read.content == path.read_bytes()
    assert len(opened(read, private)[0]) == 1 + 3 * calls


def test_a_bit_that_is_flipped_on_disk_is_found_by_the_reader(agent: RunningAgent, auditor: Caller) -> None:
    session_id = _session(agent)
    path = agent.folder / "recordings" / f"{session_id}.rec"
    whole = path.read_bytes()
    private = X25519PrivateKey.generate()
    read = read_recording(auditor, session_id, private.public_key().public_bytes_raw())
    assert read.content == whole
    for at in (len(whole) - 1, len(whole) // 2, 60):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        changed = read_recording(auditor, session_id, private.public_key().public_bytes_raw())
        with pytest.raises(Exception, match="frame"):
            opened(changed, private)
    path.write_bytes(whole)


def test_a_session_whose_recording_was_taken_away_shows_nothing_more(agent: RunningAgent) -> None:
    alice = agent.caller()
    alice.call(alice.inspect.ListProcesses, _LIST)
    (agent.folder / "recordings" / f"{alice.session_id}.rec").unlink()
    assert refusal(lambda: alice.call(alice.inspect.ListProcesses, _LIST)) == "AUDIT_UNAVAILABLE"
    ends = [record for record in agent.records() if record.get("session_id") == alice.session_id]
    assert ends[-1]["kind"] == "REFUSED"


def test_what_the_agent_seals_to_the_auditor_only_the_auditor_opens(tmp_path: Path) -> None:
    private = X25519PrivateKey.generate()
    with recording_agent(tmp_path, auditor=private) as agent:
        session_id = _session(agent)
        frank = agent.caller("frank", session=False)
        read = read_recording(frank, session_id, _KEY)
        assert read.holder == audit_pb2.RECORDING_KEY_HOLDER_AUDITOR
        assert len(opened(read, private)[0]) == 5
        with pytest.raises(Exception, match="sealed to another key"):
            opened(read, X25519PrivateKey.generate())


def test_an_agent_that_was_killed_leaves_what_it_had_shown(tmp_path: Path) -> None:
    with recording_agent(tmp_path) as agent:
        session_id = _session(agent, close=False)
        os.kill(agent.front_pid, signal.SIGKILL)
        agent.process.wait(timeout=60)
    with running_again(tmp_path) as again:
        frank = again.caller("frank", session=False)
        listed = _listed(frank, session_id)
        assert (listed.state, listed.caller) == (
            audit_pb2.RECORDING_STATE_INTERRUPTED,
            spiffe_id_of("alice"),
        )
        assert not listed.HasField("end_time")
        records, is_complete = records_of(frank, session_id)
        assert not is_complete
        assert [type(record) for record in records] == [Opened, Called, Replied, Ended]


def test_the_retention_takes_the_old_one_and_the_log_says_so(tmp_path: Path) -> None:
    with recording_agent(tmp_path) as agent:
        old, held, new = (_session(agent) for _ in range(3))
        _hold(agent.caller("frank", session=False), held, hold=True)
    recordings = tmp_path / "recordings"
    long_ago = time.time_ns() - 31 * DAY_NS
    for session_id in (old, held):
        (recordings / f"{session_id}.end").write_bytes(b"C" + long_ago.to_bytes(8, "big"))
    with running_again(tmp_path) as again:
        until(lambda: not (recordings / f"{old}.rec").exists())
        deleted = [record["session_id"] for record in again.records() if record["kind"] == "RECORDING_DELETED"]
        assert deleted == [old]
        frank = again.caller("frank", session=False)
        listed = frank.audit.ListRecordings(audit_pb2.ListRecordingsRequest(), timeout=CALL_SECONDS).recordings
        assert {recording.session_id for recording in listed} == {held, new}
        until(lambda: not (recordings / f"{old}.key").exists())


def test_an_agent_that_records_nothing_has_no_recordings(tmp_path: Path) -> None:
    with recording_agent(tmp_path) as agent:
        session_id = _session(agent)
    config = tmp_path / "agent.yaml"
    lines = config.read_text(encoding="utf-8").splitlines(keepends=True)
    config.write_text("".join(line for line in lines if "recordings:" not in line), encoding="utf-8")
    with running_again(tmp_path) as again:
        frank = again.caller("frank", session=False)
        request = audit_pb2.ListRecordingsRequest()
        assert not frank.audit.ListRecordings(request, timeout=CALL_SECONDS).recordings
        assert refusal(lambda: read_recording(frank, session_id, _KEY)) == "RECORDING_UNKNOWN"
        _session(again)


@pytest.mark.parametrize(
    "fault", ["no folder", "mode", "key of 31 bytes", "key inside", "link to a key inside", "foreign key", "no key"]
)
def test_what_cannot_be_recorded_to_stops_the_start(tmp_path: Path, fault: str) -> None:
    prepare_recording(tmp_path)
    (tmp_path / "recordings").mkdir(mode=0o700)
    key = tmp_path / "recordings.key"
    match fault:
        case "no folder":
            (tmp_path / "recordings").rmdir()
            (tmp_path / "recordings").write_bytes(b"")
        case "mode":
            (tmp_path / "recordings").chmod(0o755)
        case "key of 31 bytes":
            key.write_bytes(key.read_bytes()[:31])
        case "key inside":
            key.rename(tmp_path / "recordings" / "mounted")
            config = tmp_path / "agent.yaml"
            text = config.read_text(encoding="utf-8")
            config.write_text(text.replace(f"{key}", f"{tmp_path / 'recordings' / 'mounted'}"), encoding="utf-8")
        case "link to a key inside":
            key.rename(tmp_path / "recordings" / "mounted")
            key.symlink_to(tmp_path / "recordings" / "mounted")
        case "foreign key":
            (tmp_path / "recordings" / "tls.key").write_bytes(b"not ours")
        case _:
            key.unlink()
    with pytest.raises(AssertionError, match=r"exit 2.*recordings"), running_again(tmp_path):
        pass


@pytest.mark.skipif(not _can_mount(), reason="mounting a file system needs CAP_SYS_ADMIN")
def test_a_full_disk_shows_nothing_more_and_a_disk_with_room_again_goes_on(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", disk], check=True)
    try:
        folder = tmp_path / "agent"
        folder.mkdir()
        with recording_agent(folder, recordings=disk / "recordings") as agent:
            alice = agent.caller()
            shown = [alice.call(alice.inspect.ListProcesses, _LIST)]
            filler = disk / "filler"
            _fill(filler)
            large = inspect_pb2.ListProcessesRequest()
            assert refusal(lambda: _until_refused(alice, large)) == "AUDIT_UNAVAILABLE"
            assert refusal(agent.caller(session=False).open) == "AUDIT_UNAVAILABLE"
            filler.unlink()
            shown.append(alice.call(alice.inspect.ListProcesses, _LIST))
            frank = agent.caller("frank", session=False)
            records, _ = records_of(frank, alice.session_id)
            messages = [record.message for record in records if isinstance(record, Replied)]
            assert messages[0] == shown[0].SerializeToString()
            assert messages[-1] == shown[1].SerializeToString()
    finally:
        subprocess.run(["umount", disk], check=True)


def _fill(path: Path) -> None:
    """Writes until the disk is full."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(4_096)):
            pass


def _until_refused(caller: Caller, request: inspect_pb2.ListProcessesRequest) -> None:
    """Calls until there is no room for it; what the last page of a file still took is not a full disk yet."""
    for _ in range(50):
        caller.call(caller.inspect.ListProcesses, request)
