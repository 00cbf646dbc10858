"""A session is recorded as it was, frame by frame; what cannot be recorded is refused, and a refusal never is."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.clock import Instant
from leadglass_agent.errors import (
    AuditUnavailable,
    InvalidRequest,
    RecordingDestroyed,
    RecordingHeld,
    RecordingUnknown,
    SessionEnded,
)
from leadglass_agent.recordings.entry import RecordingState
from leadglass_agent.recordings.format import RecordingError
from leadglass_agent.recordings.keys import AuditorKey, MountedKeys, RecordingKeyError, open_sealed_key, parse_auditor
from leadglass_agent.recordings.records import Called, Closed, Ended, Opened, Replied
from taped_sessions import (
    CALLER,
    DAY_NS,
    NOW,
    Stall,
    auditor_pem,
    called,
    closed,
    data_key_of,
    ended,
    header_of,
    nowhere,
    reader_of,
    recorder_in,
    records_in,
    replied,
    session,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.recordings.archive import Listed
    from leadglass_agent.recordings.recorder import Recorder

_POLICY = "sha256:0"
_LATE = Instant(NOW.boot_ns, NOW.unix_ns + 1_000 * DAY_NS)


async def _to_nobody(_event: Event) -> None:
    """Records an event nowhere."""


async def test_a_session_is_recorded_from_its_opening_to_its_end(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path, mask=lambda text: text.replace("orders", "*"))
    await recorder.open(session(), _POLICY, NOW)
    digest = await recorder.record("session-1", called(), (replied(),), ended())
    await recorder.end(closed(session()), NOW)
    recorder.close(NOW)
    records, is_complete = records_in(tmp_path)
    assert is_complete
    first, *calls, last = records
    assert isinstance(first, Opened)
    assert (first.caller, first.reason, first.ticket) == (CALLER, "looking at why * are slow", "T-1")
    assert calls == [called(), replied(), ended()]
    assert last == Closed(NOW.unix_ns, "CLOSED", 3)
    content = (tmp_path / "recordings" / "session-1.rec").read_bytes()
    frames = [frame.raw for frame, _ in reader_of(content, data_key_of(tmp_path, "session-1"))]
    assert digest == hashlib.sha256(b"".join(frames[1:4])).hexdigest()


async def test_streams_interleave_and_each_has_the_digest_of_its_own_frames(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    await recorder.open(session(), _POLICY, NOW)
    await recorder.begin("session-1", called("a"))
    await recorder.begin("session-1", called("b"))
    for number in range(3):
        await recorder.reply("session-1", replied("a", number, b"a" * number))
        await recorder.reply("session-1", replied("b", number, b"b" * number))
    whole = await recorder.record("session-1", called("c"), (replied("c"),), ended("c"))
    digests = {name: await recorder.finish("session-1", ended(name, replies=3)) for name in ("b", "a")}
    await recorder.end(closed(session()), NOW)
    recorder.close(NOW)
    content = (tmp_path / "recordings" / "session-1.rec").read_bytes()
    of_calls: dict[str, bytes] = {}
    messages: dict[str, list[bytes]] = {}
    for frame, record in reader_of(content, data_key_of(tmp_path, "session-1")):
        if isinstance(record, Called | Replied | Ended):
            of_calls[record.call_id] = of_calls.get(record.call_id, b"") + frame.raw
        if isinstance(record, Replied):
            messages.setdefault(record.call_id, []).append(record.message)
    assert {name: hashlib.sha256(raw).hexdigest() for name, raw in of_calls.items()} == {**digests, "c": whole}
    assert messages == {"a": [b"", b"a", b"aa"], "b": [b"", b"b", b"bb"], "c": [b"the reply"]}


async def test_an_end_cuts_the_calls_that_still_run_and_their_own_end_adds_nothing(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    await recorder.open(session(), _POLICY, NOW)
    await recorder.begin("session-1", called("a"))
    await recorder.reply("session-1", replied("a"))
    await recorder.end(closed(session()), NOW)
    await recorder.end(closed(session()), NOW)
    with pytest.raises(SessionEnded):
        await recorder.reply("session-1", replied("a", 1))
    digest = await recorder.finish("session-1", ended("a", refusal="SESSION_ENDED"))
    assert await recorder.record("session-1", called("b"), (), ended("b", refusal="SESSION_ENDED")) == ""
    with pytest.raises(SessionEnded):
        await recorder.record("session-1", called("c"), (replied("c"),), ended("c"))
    recorder.close(NOW)
    records, is_complete = records_in(tmp_path)
    assert is_complete
    cut = records[-2]
    assert isinstance(cut, Ended)
    assert (cut.call_id, cut.refusal, cut.replies) == ("a", "SESSION_ENDED", 1)
    assert len(digest) == 64
    assert len(records) == 5


async def test_an_answer_in_a_session_that_is_not_recorded_is_refused_and_a_refusal_is_not(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    with pytest.raises(AuditUnavailable):
        await recorder.record("unknown", called(), (replied(),), ended())
    with pytest.raises(AuditUnavailable):
        await recorder.begin("unknown", called())
    assert await recorder.record("unknown", called(), (), ended(refusal="POLICY_DENIED")) == ""
    assert await recorder.finish("unknown", ended(refusal="POLICY_DENIED")) == ""
    await recorder.end(closed(session("unknown")), NOW)
    recorder.close(NOW)


async def test_a_full_recording_takes_the_ends_of_calls_and_nothing_else(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path, max_bytes=1024 * 1024 + 20_000)
    await recorder.open(session(), _POLICY, NOW)
    await recorder.begin("session-1", called("a"))
    assert await _replies_until_full(recorder, bytes(3_000)) < 10
    with pytest.raises(AuditUnavailable):
        await recorder.record("session-1", called("b"), (replied("b", message=bytes(9_000)),), ended("b"))
    assert await recorder.finish("session-1", ended("a", refusal="AUDIT_UNAVAILABLE"))
    await recorder.end(closed(session()), NOW)
    recorder.close(NOW)
    assert records_in(tmp_path)[1]
    assert (tmp_path / "recordings" / "session-1.rec").stat().st_size < 25_000


async def test_a_refusal_after_an_answer_that_came_too_late_is_added_to_the_same_call(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    await recorder.open(session(), _POLICY, NOW)
    await recorder.record("session-1", called(), (replied(),), ended())
    refused = ended(refusal="AUDIT_UNAVAILABLE", replies=0)
    digest = await recorder.record("session-1", called(), (), refused)
    recorder.close(NOW)
    content = (tmp_path / "recordings" / "session-1.rec").read_bytes()
    found = list(reader_of(content, data_key_of(tmp_path, "session-1")))
    assert [record for _, record in found][1:5] == [called(), replied(), ended(), refused]
    assert digest == hashlib.sha256(b"".join(frame.raw for frame, _ in found[1:5])).hexdigest()


async def test_what_a_caller_left_behind_is_recorded_all_the_same(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    await recorder.open(session(), _POLICY, NOW)
    left = asyncio.create_task(recorder.record("session-1", called(), (replied(),), ended()))
    await asyncio.sleep(0)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    await recorder.record("session-1", called("b"), (replied("b"),), ended("b"))
    recorder.close(NOW)
    assert [record.call_id for record in records_in(tmp_path)[0] if isinstance(record, Ended)] == ["c1", "b"]


async def test_a_session_whose_recording_cannot_be_made_is_refused(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    (tmp_path / "recordings" / "session-1.rec").mkdir()
    with pytest.raises(AuditUnavailable):
        await recorder.open(session(), _POLICY, NOW)
    recorder.close(NOW)


async def test_a_session_that_was_refused_since_the_disk_was_slow_has_a_recording_that_ended(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path, seconds=0.0)
    with pytest.raises(AuditUnavailable, match="in time"):
        await recorder.open(session(), _POLICY, NOW)
    recorder.close(NOW)
    records, _ = records_in(tmp_path)
    assert records[1:] == [Closed(NOW.unix_ns, "CLOSED", 0)]


async def test_an_agent_that_stops_ends_its_recordings(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    await recorder.open(session(), _POLICY, NOW)
    recorder.close(NOW)
    records, is_complete = records_in(tmp_path)
    assert is_complete
    assert records[-1] == Closed(NOW.unix_ns, "AGENT_STOPPED", 0)


async def test_the_reader_gets_the_key_sealed_to_its_own_and_the_file_as_it_is(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    await recorder.open(session(), _POLICY, NOW)
    await recorder.record("session-1", called(), (replied(message=bytes(5_000)),), ended())
    private = X25519PrivateKey.generate()
    opening = await recorder.opening("session-1", private.public_key().public_bytes_raw())
    assert not opening.is_auditors
    content = b"".join([await recorder.piece("session-1", at, 1_000) for at in range(0, opening.size_bytes, 1_000)])
    data_key = open_sealed_key(opening.sealed_key, private, header_of(tmp_path, "session-1").digest)
    reader = reader_of(content, data_key)
    assert len(list(reader)) == 4
    assert not reader.is_complete
    for public_key in (b"", bytes(32)):
        with pytest.raises(InvalidRequest):
            await recorder.opening("session-1", public_key)
    with pytest.raises(RecordingUnknown):
        await recorder.opening("session-2", private.public_key().public_bytes_raw())
    recorder.close(NOW)


async def test_what_is_sealed_to_the_auditor_the_agent_itself_cannot_read(tmp_path: Path) -> None:
    private = X25519PrivateKey.generate()
    recorder = recorder_in(tmp_path, parse_auditor(auditor_pem(private)))
    await recorder.open(session(), _POLICY, NOW)
    await recorder.end(closed(session()), NOW)
    recorder.close(NOW)
    # Another agent, with the same key or with keys of the other kind, has nothing that opens it.
    for keys in (parse_auditor(auditor_pem(private)), MountedKeys((os.urandom(32),))):
        again = recorder_in(tmp_path, keys)
        opening = await again.opening("session-1", X25519PrivateKey.generate().public_key().public_bytes_raw())
        assert opening.is_auditors
        (listed,) = await again.page(None, 10)
        assert (listed.entry.caller, listed.entry.ticket) == ("", "")
        again.close(NOW)
    assert data_key_of(tmp_path, "session-1", private)
    assert records_in(tmp_path, "session-1", private)[1]


async def test_the_list_tells_whose_a_recording_is_after_a_restart_too(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    await recorder.open(session(), _POLICY, NOW)
    recorder.close(NOW)
    again = recorder_in(tmp_path)
    (listed,) = await again.page(None, 10)
    assert (listed.entry.caller, listed.entry.ticket) == (CALLER, "T-1")
    assert listed.delete_unix_ns == NOW.unix_ns + 30 * DAY_NS
    again.close(NOW)


async def test_a_key_that_is_damaged_or_of_another_agent_opens_nothing(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    await recorder.open(session(), _POLICY, NOW)
    recorder.close(NOW)
    public_key = X25519PrivateKey.generate().public_key().public_bytes_raw()
    for keys in (MountedKeys((os.urandom(32),)), AuditorKey(public_key)):
        other = recorder_in(tmp_path, keys)
        with pytest.raises(RecordingDestroyed):
            await other.opening("session-1", public_key)
        other.close(NOW)


async def test_retention_deletes_after_its_record_and_never_what_is_held(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    for name in ("held", "old", "open"):
        await recorder.open(session(name), _POLICY, NOW)
    for name in ("held", "old"):
        await recorder.end(closed(session(name)), NOW)
    await recorder.hold("held", is_held=True, record=nowhere)

    async def not_now(_event: Event) -> None:
        raise AuditUnavailable

    with pytest.raises(AuditUnavailable):
        await recorder.expire(_LATE, not_now)
    assert (await recorder.hold("old", is_held=False, record=nowhere)).entry.state is RecordingState.COMPLETE
    events: list[Event] = []

    async def record(event: Event) -> None:
        assert (tmp_path / "recordings" / "old.rec").exists()
        events.append(event)

    await recorder.expire(_LATE, record)
    assert [(event.kind, event.session_id) for event in events] == [(EventKind.RECORDING_DELETED, "old")]
    assert {path.name.partition(".")[0] for path in (tmp_path / "recordings").iterdir()} == {"held", "open"}
    recorder.close(NOW)


async def test_an_end_that_the_disk_did_not_take_is_tried_again(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    await recorder.open(session(), _POLICY, NOW)
    (tmp_path / "recordings" / "session-1.end").mkdir()  # in the way
    with pytest.raises(AuditUnavailable):
        await recorder.end(closed(session()), NOW)
    (tmp_path / "recordings" / "session-1.end").rmdir()
    await recorder.expire(NOW, _to_nobody)
    recorder.close(NOW)
    records, is_complete = records_in(tmp_path)
    assert is_complete
    assert [type(record) for record in records] == [Opened, Closed]


async def test_a_shredded_recording_is_gone_for_every_reader(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    await recorder.open(session(), _POLICY, NOW)
    with pytest.raises(RecordingHeld):
        await recorder.shred("session-1", NOW, nowhere)
    await recorder.end(closed(session()), NOW)
    copy = (tmp_path / "recordings" / "session-1.rec").read_bytes()
    assert (await recorder.shred("session-1", NOW, nowhere)).entry.state is RecordingState.SHREDDED
    public_key = X25519PrivateKey.generate().public_key().public_bytes_raw()
    for refused in (recorder.opening("session-1", public_key), recorder.piece("session-1", 0, 10)):
        with pytest.raises(RecordingDestroyed):
            await refused
    recorder.close(NOW)
    with pytest.raises(RecordingError):
        list(reader_of(copy, os.urandom(32)))


async def _refused(_listed: Listed) -> None:
    raise AuditUnavailable


async def _ended_session(recorder: Recorder) -> None:
    await recorder.open(session(), _POLICY, NOW)
    await recorder.end(closed(session()), NOW)


async def test_nothing_is_destroyed_held_or_let_go_of_without_its_record(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    await _ended_session(recorder)
    folder = tmp_path / "recordings"
    with pytest.raises(AuditUnavailable):
        await recorder.shred("session-1", NOW, _refused)
    with pytest.raises(AuditUnavailable):
        await recorder.hold("session-1", is_held=True, record=_refused)
    assert {path.name for path in folder.iterdir()} == {"session-1.rec", "session-1.key", "session-1.end"}
    held = await recorder.hold("session-1", is_held=True, record=nowhere)
    with pytest.raises(AuditUnavailable):
        await recorder.hold("session-1", is_held=False, record=_refused)
    assert (await recorder.page(None, 10)) == (held,)
    await recorder.hold("session-1", is_held=False, record=nowhere)
    seen: list[tuple[str, bool]] = []

    async def record(listed: Listed) -> None:
        seen.append((listed.entry.state.value, (folder / "session-1.key").exists()))
        with pytest.raises(AuditUnavailable, match="under way"):
            await recorder.hold("session-1", is_held=True, record=nowhere)

    await recorder.shred("session-1", NOW, record)
    assert seen == [("SHREDDED", True)]
    recorder.close(NOW)


async def test_a_change_that_was_refused_since_the_disk_was_slow_does_not_happen_later(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    await _ended_session(recorder)
    await recorder.hold("session-1", is_held=True, record=nowhere)
    recorder.close(NOW)
    slow = recorder_in(tmp_path, seconds=0.0)
    with pytest.raises(AuditUnavailable, match="in time"):
        await slow.hold("session-1", is_held=False, record=nowhere)
    slow.close(NOW)
    assert (tmp_path / "recordings" / "session-1.hold").exists()
    (tmp_path / "recordings" / "session-1.hold").unlink()
    slow = recorder_in(tmp_path, seconds=0.0)
    with pytest.raises(AuditUnavailable, match="in time"):
        await slow.shred("session-1", NOW, nowhere)
    with pytest.raises(AuditUnavailable, match="in time"):
        await slow.hold("session-1", is_held=True, record=nowhere)
    slow.close(NOW)
    names = {path.name for path in (tmp_path / "recordings").iterdir()}
    assert names == {"session-1.rec", "session-1.key", "session-1.end"}


async def test_a_deletion_that_the_disk_did_too_late_is_done_and_the_next_one_goes_on(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    await _ended_session(recorder)
    await recorder.open(session("z"), _POLICY, NOW)
    recorder.close(NOW)
    slow, stall = recorder_in(tmp_path, seconds=1.0), Stall()
    tasks: list[asyncio.Task[object]] = []

    async def record(_event: Event) -> None:
        tasks.append(asyncio.create_task(slow.page(stall, 1)))
        await asyncio.to_thread(stall.began.wait)

    while not stall.began.is_set():  # again, if the machine is slow before it comes to that
        with pytest.raises(AuditUnavailable):
            await slow.expire(_LATE, record)
    stall.over.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    slow.close(NOW)
    assert not (tmp_path / "recordings" / "session-1.rec").exists()
    again = recorder_in(tmp_path)
    assert [listed.entry.session_id for listed in await again.page(None, 10)] == ["z"]
    again.close(NOW)


async def test_many_sessions_that_end_wait_for_a_silent_disk_once(tmp_path: Path) -> None:
    made = recorder_in(tmp_path)
    await made.open(session(), _POLICY, NOW)
    made.close(NOW)
    recorder, stall = recorder_in(tmp_path, seconds=1.0), Stall()
    reading = asyncio.create_task(recorder.page(stall, 1))
    await asyncio.to_thread(stall.began.wait)
    ends = tuple(closed(session(f"s{number}")) for number in range(400))
    async with asyncio.timeout(120):  # one after the other they would take 400 seconds
        await recorder.end_all(ends, NOW)
    assert not stall.over.is_set()
    stall.over.set()
    await asyncio.gather(reading, return_exceptions=True)
    recorder.close(NOW)


async def test_an_agent_that_stops_does_not_wait_for_ever_for_a_silent_disk(tmp_path: Path) -> None:
    recorder, stall = recorder_in(tmp_path, close_seconds=0.2), Stall()
    await recorder.open(session(), _POLICY, NOW)
    reading = asyncio.create_task(recorder.page(stall, 1))
    await asyncio.to_thread(stall.began.wait)
    async with asyncio.timeout(60):
        await asyncio.to_thread(recorder.close, NOW)
    stall.over.set()
    await reading


async def test_an_agent_that_stops_tells_how_the_sessions_ended_whose_end_still_waits(tmp_path: Path) -> None:
    recorder, stall = recorder_in(tmp_path, seconds=5.0), Stall()
    names = ("first", "second")
    for name in names:
        await recorder.open(session(name), _POLICY, NOW)
    reading = asyncio.create_task(recorder.page(stall, 1))
    await asyncio.to_thread(stall.began.wait)
    await recorder.end_all(tuple(closed(session(name)) for name in names), NOW)
    stall.over.set()
    recorder.close(NOW)
    await asyncio.gather(reading, return_exceptions=True)
    for name in names:
        records, is_complete = records_in(tmp_path, name)
        assert (records[-1], is_complete) == (Closed(NOW.unix_ns, "CLOSED", 3), True)


async def test_what_waits_for_the_disk_is_bounded(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    await recorder.open(session(), _POLICY, NOW)
    await recorder.begin("session-1", called("a"))
    message = bytes(4 * 1024 * 1024)
    waiting = [recorder.reply("session-1", replied("a", number, message)) for number in range(40)]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    refused = [result for result in results if isinstance(result, AuditUnavailable)]
    assert len(refused) >= 40 - 16
    assert any("too much waits" in str(error) for error in refused)
    recorder.close(NOW)


@pytest.mark.slow
async def test_memory_does_not_grow_with_what_is_recorded(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    await recorder.open(session(), _POLICY, NOW)
    await recorder.begin("session-1", called("a"))
    message = os.urandom(4 * 1024 * 1024)
    seen: list[int] = []
    assert await _replies_until_full(recorder, message, lambda: seen.append(_resident_bytes())) == 63  # 255 MiB
    assert max(seen[8:]) - seen[8] < 16 * 1024 * 1024
    recorder.close(NOW)


def test_what_was_recorded_before_a_kill_is_whole(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "taping_until_killed", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(60)]
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in process.stdout.read().split()]
    recorder = recorder_in(tmp_path)
    recorder.close(NOW)
    records, is_complete = records_in(tmp_path)
    assert not is_complete
    assert (tmp_path / "recordings" / "session-1.end").read_bytes()[:1] == b"I"
    whole = [record.call_id for record in records if isinstance(record, Ended)]
    assert set(map(str, told)) <= set(whole)
    answered = {record.call_id: record.message for record in records if isinstance(record, Replied)}
    assert all(answered[call_id] == call_id.encode() * 1_000 for call_id in whole)


def test_the_key_of_one_session_opens_no_other(tmp_path: Path) -> None:
    async def two() -> None:
        recorder = recorder_in(tmp_path)
        for name in ("one", "two"):
            await recorder.open(session(name), _POLICY, NOW)
        recorder.close(NOW)

    asyncio.run(two())
    assert data_key_of(tmp_path, "one") != data_key_of(tmp_path, "two")
    content = (tmp_path / "recordings" / "one.rec").read_bytes()
    with pytest.raises(RecordingError):
        list(reader_of(content, data_key_of(tmp_path, "two")))
    (tmp_path / "recordings" / "two.key").replace(tmp_path / "recordings" / "one.key")
    with pytest.raises(RecordingKeyError):
        data_key_of(tmp_path, "one")


async def _replies_until_full(recorder: Recorder, message: bytes, each: Callable[[], None] = lambda: None) -> int:
    """Records messages of the call `a` until there is no room, and gives how many there was room for."""
    for number in range(100):
        try:
            await recorder.reply("session-1", replied("a", number, message))
        except AuditUnavailable as refusal:
            return number if "full" in str(refusal) else -1
        each()
    raise AssertionError


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
