"""Recordings on disk: whose they are, how they end, that a destroyed key stays so, and what the retention takes."""

from __future__ import annotations

import hashlib
import os
import resource
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.errors import (
    AuditUnavailable,
    RecordingDestroyed,
    RecordingHeld,
    RecordingUnknown,
)
from leadglass_agent.recordings import folder as folders
from leadglass_agent.recordings.archive import Archive
from leadglass_agent.recordings.entry import RecordingState
from leadglass_agent.recordings.folder import FileChanged, Folder, FolderRefused, Part
from leadglass_agent.recordings.format import FrameSealer, Header
from leadglass_agent.recordings.keys import KEY_HEAD_BYTES, AuditorKey, is_wrapped, wrap
from leadglass_agent.recordings.records import Called, Closed, Ended, Opened, Replied, encode
from leadglass_agent.recordings.store import MAX_DUE, MAX_OF_CALLER, MAX_RECORDINGS, MAX_STONES, Store
from leadglass_agent.recordings.tapes import End, Tapes
from taped_sessions import CALLER, DAY_NS, MOUNTED, NOW, called, data_key_of, ended, opened, records_in, replied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_KEY = bytes(range(32))
_DAYS = 30


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    opened = Folder(tmp_path / "recordings")
    yield opened
    opened.close()


def _store(folder: Folder, days: int = _DAYS) -> Store:
    return Store(folder, MOUNTED, days)


def _made(store: Store, session_id: str = "session-1", open_unix_ns: int = NOW.unix_ns) -> Header:
    header = Header(session_id, open_unix_ns)
    first = FrameSealer(_KEY, header.digest).seal(encode(Closed(1, "CLOSED", 0)), 0, 0)
    store.create(header, first, _KEY, caller=CALLER, ticket="T-1")
    return header


def _ended(store: Store, session_id: str = "session-1", end_unix_ns: int = NOW.unix_ns) -> None:
    _made(store, session_id)
    store.end(session_id, end_unix_ns, is_complete=True)


def _names(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "recordings").iterdir()}


def test_only_the_agent_can_read_what_it_makes(tmp_path: Path, folder: Folder) -> None:
    old = os.umask(0)
    try:
        _ended(_store(folder))
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "recordings").stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "recordings").iterdir()}
    assert modes == {0o600}
    assert _names(tmp_path) == {"session-1.rec", "session-1.key", "session-1.end"}


def test_a_folder_that_others_may_read_or_that_is_in_use_or_is_none_is_refused(tmp_path: Path, folder: Folder) -> None:
    with pytest.raises(FolderRefused, match="another agent"):
        Folder(tmp_path / "recordings")
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(FolderRefused, match="0755"):
        Folder(tmp_path / "open")
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "open")
    for name in ("file", "link", "absent/recordings"):
        with pytest.raises(FolderRefused):
            Folder(tmp_path / name)
    folder.let_go("session-1")


def test_what_was_being_written_when_the_agent_was_killed_is_interrupted(tmp_path: Path, folder: Folder) -> None:
    _made(_store(folder))
    found = _store(folder).entry("session-1")
    assert (found.state, found.end_unix_ns, found.open_unix_ns) == (RecordingState.INTERRUPTED, 0, NOW.unix_ns)
    written = (tmp_path / "recordings" / "session-1.rec").stat().st_mtime_ns
    assert _store(folder).delete_unix_ns(found) == written + _DAYS * DAY_NS


def test_an_end_is_remembered(folder: Folder) -> None:
    _ended(_store(folder), end_unix_ns=NOW.unix_ns + 5)
    found = _store(folder).entry("session-1")
    assert (found.state, found.end_unix_ns) == (RecordingState.COMPLETE, NOW.unix_ns + 5)


def test_a_key_whose_recording_was_never_begun_is_destroyed_at_the_start(tmp_path: Path, folder: Folder) -> None:
    folder.put("session-1", Part.KEY, wrap(_KEY, MOUNTED, bytes(32)))
    (tmp_path / "recordings" / "session-2.key.new").write_bytes(b"half")
    with pytest.raises(RecordingUnknown):
        _store(folder).entry("session-1")
    assert _names(tmp_path) == set()


def test_foreign_files_are_left_alone(tmp_path: Path, folder: Folder) -> None:
    for name in ("README", "session-1.txt", "a b.rec", "session-1.rec.bak"):
        (tmp_path / "recordings" / name).write_bytes(b"x")
    assert _store(folder).page(None, 10) == ()
    assert _names(tmp_path) == {"README", "session-1.txt", "a b.rec", "session-1.rec.bak"}


@given(
    contents=st.dictionaries(
        st.sampled_from(Part), st.binary(max_size=120) | st.just(Header("session-1", 1).encode()), min_size=1
    )
)
def test_files_of_any_content_stop_no_start_and_open_for_nobody(contents: dict[Part, bytes]) -> None:
    with TemporaryDirectory() as name:
        folder = Folder(Path(name) / "recordings")
        for part, content in contents.items():
            (Path(name) / "recordings" / f"session-1{part}").write_bytes(content)
        key = contents.get(Part.KEY)
        try:
            store = _store(folder)
        except FolderRefused:
            # Somebody else's key, which nobody wrote a recording under.
            assert key is not None
            assert Part.RECORDING not in contents or len(contents[Part.GONE]) == 32
            assert (Path(name) / "recordings" / "session-1.key").read_bytes() == key
            folder.close()
            return
        archive = Archive(folder, store, MOUNTED)
        for listed in archive.page(None, 10):
            assert (listed.entry.caller, listed.entry.state is RecordingState.OPEN) == ("", False)
            with suppress(RecordingDestroyed):
                assert archive.opening("session-1", _KEY).is_auditors
        assert archive.page(None, 10) == Archive(folder, _store(folder), MOUNTED).page(None, 10)
        folder.close()


def test_shredding_leaves_a_stone_and_nothing_else(tmp_path: Path, folder: Folder) -> None:
    store = _store(folder)
    _ended(store)
    size = store.entry("session-1").size_bytes
    shredded = store.shred("session-1", NOW.unix_ns + 7)
    assert (shredded.state, shredded.caller, shredded.ticket) == (RecordingState.SHREDDED, "", "")
    assert _names(tmp_path) == {"session-1.gone"}
    again = _store(folder)
    assert again.entry("session-1").size_bytes == size
    assert again.entry("session-1").state is RecordingState.SHREDDED
    with pytest.raises(RecordingDestroyed):
        again.shred("session-1", 1)
    with pytest.raises(RecordingDestroyed):
        again.hold("session-1", is_held=True)


def test_the_wrapped_key_is_overwritten_before_it_is_removed(tmp_path: Path, folder: Folder) -> None:
    store = _store(folder)
    _ended(store)
    other_name = tmp_path / "the same file by another name"
    os.link(tmp_path / "recordings" / "session-1.key", other_name)
    wrapped = other_name.read_bytes()
    store.shred("session-1", NOW.unix_ns)
    assert len(other_name.read_bytes()) == len(wrapped)
    assert is_wrapped(other_name.read_bytes())  # an agent that is killed now knows it again
    secret = wrapped[KEY_HEAD_BYTES:]
    assert not any(secret[at : at + 8] in other_name.read_bytes() for at in range(len(secret) - 7))


def test_an_agent_that_is_killed_while_it_shreds_goes_on_at_its_next_start(tmp_path: Path, folder: Folder) -> None:
    _ended(_store(folder))
    folder.put("session-1", Part.GONE, bytes(32))
    assert _store(folder).entry("session-1").state is RecordingState.SHREDDED
    assert _names(tmp_path) == {"session-1.gone"}


def test_a_recording_whose_key_somebody_removed_is_listed_as_destroyed(tmp_path: Path, folder: Folder) -> None:
    _ended(_store(folder))
    (tmp_path / "recordings" / "session-1.key").unlink()
    assert _store(folder).entry("session-1").state is RecordingState.SHREDDED


def test_what_is_held_is_neither_shredded_nor_deleted(tmp_path: Path, folder: Folder) -> None:
    store = _store(folder)
    _ended(store)
    store.hold("session-1", is_held=True)
    late = NOW.unix_ns + 1_000 * DAY_NS
    for found in (store, _store(folder)):
        assert found.entry("session-1").is_held
        assert found.due(late) == ()
        assert found.condemn("session-1", late) is None
        assert found.delete_unix_ns(found.entry("session-1")) == 0
        with pytest.raises(RecordingHeld):
            found.shred("session-1", late)
    store.hold("session-1", is_held=False)
    assert store.due(late) == ("session-1",)
    assert "session-1.hold" not in _names(tmp_path)


def test_what_is_being_written_is_neither_shredded_nor_deleted(folder: Folder) -> None:
    store = _store(folder)
    _made(store)
    assert store.due(NOW.unix_ns + 1_000 * DAY_NS) == ()
    with pytest.raises(RecordingHeld, match="its session is open"):
        store.shred("session-1", NOW.unix_ns)


def test_the_retention_takes_what_is_old_enough_and_its_key(tmp_path: Path, folder: Folder) -> None:
    store = _store(folder)
    _ended(store, "old", NOW.unix_ns)
    _ended(store, "new", NOW.unix_ns + DAY_NS)
    at = NOW.unix_ns + _DAYS * DAY_NS
    assert store.due(at - 1) == ()
    assert store.due(at) == ("old",)
    assert store.condemn("new", at) is None
    assert store.condemn("old", at) is not None
    with pytest.raises(RecordingUnknown):
        store.hold("old", is_held=True)
    store.delete("old")
    assert {name.partition(".")[0] for name in _names(tmp_path)} == {"new"}


def test_what_is_kept_for_good_is_never_due_and_a_stone_goes_like_a_recording(folder: Folder) -> None:
    store = _store(folder, days=0)
    _ended(store)
    assert store.due(NOW.unix_ns + 100_000 * DAY_NS) == ()
    store.shred("session-1", NOW.unix_ns)
    assert _store(folder).due(NOW.unix_ns + _DAYS * DAY_NS) == ("session-1",)


def test_a_clock_that_runs_away_takes_a_few_recordings_at_a_time(folder: Folder) -> None:
    store = _store(folder)
    for number in range(MAX_DUE + 3):
        _ended(store, f"s{number}")
    assert len(store.due(NOW.unix_ns * 2)) == MAX_DUE


def test_the_newest_come_first_and_each_once_over_all_pages(folder: Folder) -> None:
    store = _store(folder)
    times = {"a": 5, "b": 7, "c": 5, "d": 6}
    for session_id, time in times.items():
        _made(store, session_id, time)
    seen: list[str] = []
    after = None
    while page := store.page(after, 2):
        seen += [entry.session_id for entry in page]
        after = page[-1].place
    assert seen == ["b", "d", "a", "c"]


def test_a_session_is_recorded_once_and_there_is_an_end_to_their_number(folder: Folder) -> None:
    store = _store(folder)
    _made(store)
    with pytest.raises(AuditUnavailable):
        _made(store)
    assert MAX_RECORDINGS == 10_000


def test_a_recording_that_cannot_be_made_leaves_nothing(tmp_path: Path, folder: Folder) -> None:
    store = _store(folder)
    (tmp_path / "recordings" / "session-1.rec").mkdir()  # in the way
    with pytest.raises(AuditUnavailable):
        _made(store)
    (tmp_path / "recordings" / "session-1.rec").rmdir()
    assert _names(tmp_path) == set()
    _made(store)


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    """Lets no file of this process grow beyond a size: the write before is short, the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_fails_half_way_leaves_no_trace_and_the_next_has_another_nonce(
    tmp_path: Path, folder: Folder
) -> None:
    tapes, store = _tapes(folder)
    tapes.open(opened("session-1"), NOW.unix_ns)
    path = tmp_path / "recordings" / "session-1.rec"
    before = path.read_bytes()
    message = bytes(5_000)
    with _files_of_at_most(len(before) + 3_000), pytest.raises(AuditUnavailable, match="large"):
        tapes.record("session-1", called(), (replied(message=message),), ended())
    assert path.read_bytes() == before
    assert store.entry("session-1").size_bytes == len(before)
    digest = tapes.record("session-1", called(), (replied(message=message),), ended())
    added = path.read_bytes()[len(before) :]
    assert digest == hashlib.sha256(added).hexdigest()
    assert added[5:8] == b"\0\0\1"  # the attempt, which is part of the nonce
    assert [type(record) for record in records_in(tmp_path)[0]] == [Opened, Called, Replied, Ended]


def _tapes(folder: Folder) -> tuple[Tapes, Store]:
    store = _store(folder)
    return Tapes(folder, store), store


def test_a_thousand_open_sessions_keep_few_files_open(tmp_path: Path, folder: Folder) -> None:
    tapes, store = _tapes(folder)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(1_000):
        tapes.open(opened(f"s{number}"), NOW.unix_ns)
    assert len(list(Path("/proc/self/fd").iterdir())) - before <= folders.MAX_DESCRIPTORS
    for number in range(0, 1_000, 37):
        tapes.record(f"s{number}", called(), (replied(),), ended())
        tapes.end(f"s{number}", End(NOW.unix_ns, "CLOSED", 1))
        records, is_complete = records_in(tmp_path, f"s{number}")
        assert (len(records), is_complete) == (5, True)
        assert store.entry(f"s{number}").state is RecordingState.COMPLETE


def test_a_recording_that_somebody_changed_is_not_written_any_more(tmp_path: Path, folder: Folder) -> None:
    tapes, store = _tapes(folder)
    changes: tuple[Callable[[Path], object], ...] = (
        lambda path: os.truncate(path, 100),
        lambda path: os.truncate(path, 100_000),
        Path.unlink,
    )
    for number, change in enumerate(changes):
        name = f"changed-{number}"
        tapes.open(opened(name), NOW.unix_ns)
        change(tmp_path / "recordings" / f"{name}.rec")
        for _ in range(2):
            with pytest.raises(AuditUnavailable):
                tapes.record(name, called(), (replied(),), ended())
        assert tapes.record(name, called(), (), ended(refusal="POLICY_DENIED")) == ""
        tapes.end(name, End(NOW.unix_ns, "CLOSED", 1))
        assert store.entry(name).state is RecordingState.INTERRUPTED


def test_the_folder_says_what_changed(tmp_path: Path, folder: Folder) -> None:
    folder.create("session-1", b"12345")
    with pytest.raises(FileChanged, match="has 5 bytes"):
        folder.append("session-1", b"x", 4)
    folder.append("session-1", b"67", 5)
    assert (tmp_path / "recordings" / "session-1.rec").read_bytes() == b"1234567"


def test_a_link_in_the_place_of_a_recording_is_not_followed(tmp_path: Path, folder: Folder) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"")
    folder.create("session-1", b"")
    folder.let_go("session-1")
    (tmp_path / "recordings" / "session-1.rec").unlink()
    (tmp_path / "recordings" / "session-1.rec").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"):
        folder.append("session-1", b"x", 0)
    assert victim.read_bytes() == b""


def test_the_mounted_key_alone_opens_nothing_once_the_key_is_destroyed(tmp_path: Path, folder: Folder) -> None:
    store = _store(folder)
    _ended(store)
    copy = (tmp_path / "recordings" / "session-1.rec").read_bytes()
    assert data_key_of(tmp_path, "session-1") == _KEY
    store.shred("session-1", NOW.unix_ns)
    left = b"".join(path.read_bytes() for path in (tmp_path / "recordings").iterdir())
    assert len(left) == 32
    assert _KEY not in copy


@pytest.mark.parametrize(
    "content", [b"", os.urandom(32), b"-----BEGIN PRIVATE KEY-----\n" * 4, b"LGKEY\0\1\n" + bytes(88)]
)
def test_a_key_that_is_no_recordings_stops_the_start_and_stays(tmp_path: Path, folder: Folder, content: bytes) -> None:
    foreign = tmp_path / "recordings" / "tls.key"
    foreign.write_bytes(content)
    with pytest.raises(FolderRefused, match=r"tls\.key.*folder of their own"):
        _store(folder)
    (tmp_path / "recordings" / "tls.gone").write_bytes(bytes(32))
    with pytest.raises(FolderRefused, match=r"tls\.key"):
        _store(folder)
    assert foreign.read_bytes() == content


def test_files_of_others_that_are_named_like_ours_are_left_alone(tmp_path: Path, folder: Folder) -> None:
    names = {"audit.jsonl.new", "audit.new", "x.rec.new", "x.key.bak.new", "tune.rec", "tune.key", "week.end", "a.hold"}
    for name in (*names, "b.gone"):
        (tmp_path / "recordings" / name).write_bytes(b"not ours")
    for unfinished in ("x.key.new", "x.end.new", "x.hold.new", "x.gone.new"):
        (tmp_path / "recordings" / unfinished).write_bytes(b"half")
    store = _store(folder)
    assert store.page(None, 10) == ()
    assert store.due(NOW.unix_ns * 2) == ()
    assert _names(tmp_path) == {*names, "b.gone"}
    assert {path.read_bytes() for path in (tmp_path / "recordings").iterdir()} == {b"not ours"}


def test_what_is_held_outlives_a_destruction_that_failed(tmp_path: Path, folder: Folder) -> None:
    store = _store(folder)
    _ended(store)
    key = tmp_path / "recordings" / "session-1.key"
    wrapped = key.read_bytes()
    key.unlink()
    key.symlink_to("nowhere")  # cannot be opened to be overwritten
    with pytest.raises(OSError, match="symbolic"):
        store.shred("session-1", NOW.unix_ns)
    key.unlink()
    key.write_bytes(wrapped)
    assert "session-1.gone" not in _names(tmp_path)
    (tmp_path / "recordings" / "session-1.gone").write_bytes(bytes(32))  # as if that had failed, too
    assert store.hold("session-1", is_held=True).is_held
    assert "session-1.gone" not in _names(tmp_path)
    # Nor does a stone beside what is held have it destroyed, wherever that comes from.
    (tmp_path / "recordings" / "session-1.gone").write_bytes(bytes(32))
    found = _store(folder).entry("session-1")
    assert (found.state, found.is_held) == (RecordingState.COMPLETE, True)
    assert data_key_of(tmp_path, "session-1") == _KEY


def test_what_was_deleted_is_not_put_back_and_what_is_condemned_stays_due(folder: Folder) -> None:
    store = _store(folder)
    _ended(store)
    late = NOW.unix_ns + _DAYS * DAY_NS
    condemned = store.condemn("session-1", late)
    assert condemned is not None
    assert store.due(late) == ("session-1",)
    assert store.condemn("session-1", late) == condemned
    with pytest.raises(AuditUnavailable):
        _made(store)
    store.spare("session-1")
    assert store.entry("session-1") == condemned
    assert store.condemn("session-1", late) is not None
    store.delete("session-1")
    store.spare("session-1")
    assert not store.has("session-1")
    assert store.due(late) == ()


def _lay(folder: Path, count: int, *, is_gone: bool) -> None:
    """Writes as many ended recordings, or stones; the higher the number, the newer."""
    for number in range(count):
        name, time = f"s{number}", (number + 1).to_bytes(8, "big")
        if is_gone:
            (folder / f"{name}.gone").write_bytes(time * 4)
            continue
        header = Header(name, number + 1)
        (folder / f"{name}.rec").write_bytes(header.encode())
        (folder / f"{name}.key").write_bytes(wrap(_KEY, MOUNTED, header.digest))
        (folder / f"{name}.end").write_bytes(b"C" + time)


def test_stones_take_no_room_from_recordings_and_the_oldest_go_first(tmp_path: Path, folder: Folder) -> None:
    _lay(tmp_path / "recordings", MAX_STONES + 1, is_gone=True)
    store = _store(folder)
    names = _names(tmp_path)
    assert (len(names), "s0.gone" in names) == (MAX_STONES, False)
    _ended(store)
    store.shred("session-1", NOW.unix_ns)
    names = _names(tmp_path)
    assert (len(names), "s1.gone" in names, "session-1.gone" in names) == (MAX_STONES, False, True)


@pytest.mark.slow
def test_of_more_recordings_than_fit_the_newest_are_known_and_no_new_one_is_made(
    tmp_path: Path, folder: Folder
) -> None:
    _lay(tmp_path / "recordings", MAX_RECORDINGS + 1, is_gone=False)
    store = _store(folder, days=0)
    assert (len(store.page(None, 2 * MAX_RECORDINGS)), store.has("s0"), store.has("s1")) == (
        MAX_RECORDINGS,
        False,
        True,
    )
    with pytest.raises(AuditUnavailable, match="10000 recordings"):
        _made(store)
    assert (tmp_path / "recordings" / "s0.key").exists()
    store.shred("s1", NOW.unix_ns)
    _made(store)


def test_one_caller_cannot_fill_the_folder(tmp_path: Path, folder: Folder) -> None:
    _lay(tmp_path / "recordings", MAX_OF_CALLER, is_gone=False)
    store = _store(folder, days=0)
    for entry in store.page(None, MAX_OF_CALLER):
        store.told(entry.session_id, CALLER, "T-1")
    with pytest.raises(AuditUnavailable, match="of this caller"):
        _made(store)
    header = Header("other", 1)
    store.create(header, b"", _KEY, caller=f"{CALLER}-2", ticket="T-2")
    store.shred("s0", NOW.unix_ns)
    _made(store)


def test_a_recording_of_no_bytes_is_refused_to_its_reader(tmp_path: Path, folder: Folder) -> None:
    auditor = AuditorKey(X25519PrivateKey.generate().public_key().public_bytes_raw())
    (tmp_path / "recordings" / "session-1.rec").write_bytes(b"")
    folder.put("session-1", Part.KEY, wrap(_KEY, auditor, Header("session-1", 1).digest))
    archive = Archive(folder, Store(folder, auditor, _DAYS), auditor)
    with pytest.raises(RecordingDestroyed):
        archive.opening("session-1", _KEY)
