"""Whatever is changed in a recording is found: each bit, each frame's place, each end, and a frame of another file."""

from __future__ import annotations

import hashlib
import io

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.recordings.format import (
    MAX_PLAIN,
    FrameReader,
    FrameSealer,
    Header,
    RecordingError,
    is_session_id,
    read_header,
)
from leadglass_agent.recordings.reading import RecordReader
from leadglass_agent.recordings.records import Called, Closed, Ended, Opened, Replied, decode, encode
from taped_sessions import called, ended, opened, replied

_KEY = bytes(range(32))
_HEADER = Header("session-1", 1_800_000_000_000_000_000)
_OPENED = opened()
_CLOSED = Closed(time_unix_ns=9, state="CLOSED", calls=1)


def _frames(*plains: bytes, header: Header = _HEADER, key: bytes = _KEY) -> list[bytes]:
    sealer = FrameSealer(key, header.digest)
    last = len(plains) - 1
    return [sealer.seal(plain, at, 0, is_last=at == last) for at, plain in enumerate(plains)]


def _read(content: bytes, key: bytes = _KEY) -> tuple[list[bytes], FrameReader]:
    reader = FrameReader(io.BytesIO(content).read, key)
    return [frame.plain for frame in reader], reader


@given(plains=st.lists(st.binary(max_size=300), min_size=1, max_size=6), step=st.integers(1, 50))
def test_what_was_written_is_read_however_few_bytes_come_at_once(plains: list[bytes], step: int) -> None:
    file = io.BytesIO(_HEADER.encode() + b"".join(_frames(*plains)))
    reader = FrameReader(lambda size: file.read(min(size, step)), _KEY)
    assert [frame.plain for frame in reader] == plains
    assert (reader.header, reader.is_complete, reader.torn_bytes) == (_HEADER, True, 0)


def test_each_bit_that_is_flipped_is_found() -> None:
    content = _HEADER.encode() + b"".join(_frames(b"one", b"two", b"three"))
    for at in range(len(content) * 8):
        changed = bytearray(content)
        changed[at // 8] ^= 1 << at % 8
        try:
            _, reader = _read(bytes(changed))
        except RecordingError:
            continue
        # A length that says more than is there looks like a torn end: the reader says that it is none.
        assert not reader.is_complete, at
        assert reader.torn_bytes, at


@given(order=st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_frames_that_are_dropped_doubled_or_moved_are_found(order: list[int]) -> None:
    frames = _frames(b"a", b"b", b"c", b"d")
    content = _HEADER.encode() + b"".join(frames[at] for at in order)
    if order == list(range(len(order))):  # a cut end is all that is left of it
        plains, reader = _read(content)
        assert len(plains) == len(order)
        assert reader.is_complete is (len(order) == len(frames))
    else:
        with pytest.raises(RecordingError):
            _read(content)


def test_a_frame_of_another_recording_does_not_fit_even_under_the_same_key() -> None:
    other = Header("session-2", _HEADER.open_unix_ns)
    mixed = _HEADER.encode() + _frames(b"a", b"b")[0] + _frames(b"a", b"b", header=other)[1]
    with pytest.raises(RecordingError, match="frame 1"):
        _read(mixed)


def test_a_header_of_another_time_opens_nothing() -> None:
    later = Header(_HEADER.session_id, _HEADER.open_unix_ns + 1)
    with pytest.raises(RecordingError, match="frame 0"):
        _read(later.encode() + b"".join(_frames(b"a")))


def test_at_each_cut_the_whole_frames_before_it_are_read() -> None:
    frames = _frames(b"a" * 20, b"b" * 20, b"c" * 20)
    content = _HEADER.encode() + b"".join(frames)
    for end in range(len(_HEADER.encode()), len(content)):
        plains, reader = _read(content[:end])
        whole = (end - len(_HEADER.encode())) // len(frames[0])
        assert len(plains) == whole
        assert not reader.is_complete
        assert reader.torn_bytes == (end - len(_HEADER.encode())) % len(frames[0])


def test_bytes_behind_the_last_frame_are_found() -> None:
    content = _HEADER.encode() + b"".join(_frames(b"a"))
    for behind in (b"\0", _frames(b"a")[0]):
        with pytest.raises(RecordingError, match="behind the last one"):
            _read(content + behind)


def test_another_key_opens_nothing_and_one_of_another_length_is_none() -> None:
    content = _HEADER.encode() + b"".join(_frames(b"a"))
    with pytest.raises(RecordingError, match="frame 0"):
        _read(content, bytes(32))
    with pytest.raises(RecordingError, match="32 bytes"):
        FrameReader(io.BytesIO(content).read, b"short")


def test_the_same_frame_written_again_after_a_failure_has_another_nonce() -> None:
    sealer = FrameSealer(_KEY, _HEADER.digest)
    first, second = sealer.seal(b"same", 3, 0), sealer.seal(b"same", 3, 1)
    assert first[8:-16] != second[8:-16]  # without the tag, which covers the attempt anyway


def test_a_frame_opens_by_what_the_documentation_says_and_nothing_else() -> None:
    header = b"LGREC\0\1\n" + bytes([9]) + b"session-1" + _HEADER.open_unix_ns.to_bytes(8, "big")
    assert _HEADER.encode() == header
    raw = FrameSealer(_KEY, _HEADER.digest).seal(b"plain", 7, 3, is_last=True)
    head, sealed = raw[:8], raw[8:]
    assert head == len(sealed).to_bytes(4, "big") + bytes([1, 0, 0, 3])
    nonce = (3).to_bytes(4, "big") + (7).to_bytes(8, "big")
    bound = b"leadglass recording frame v1\0" + hashlib.sha256(header).digest() + (7).to_bytes(8, "big") + head
    assert AESGCM(_KEY).decrypt(nonce, sealed, bound) == b"plain"


def test_what_has_no_room_in_a_frame_is_not_written() -> None:
    sealer = FrameSealer(_KEY, _HEADER.digest)
    with pytest.raises(RecordingError, match="larger"):
        sealer.seal(bytes(MAX_PLAIN + 1), 0, 0)


def test_a_frame_says_nothing_of_its_content_or_key() -> None:
    reader = FrameReader(io.BytesIO(_HEADER.encode() + b"".join(_frames(b"hidden words"))).read, _KEY)
    assert "hidden" not in repr(next(iter(reader)))
    assert repr(FrameSealer(_KEY, _HEADER.digest)) == "FrameSealer(...)"


@given(content=st.binary(max_size=200))
def test_what_is_no_recording_is_refused(content: bytes) -> None:
    with pytest.raises(RecordingError):
        _read(content)


@given(content=st.binary(max_size=300))
def test_what_follows_a_header_is_a_frame_or_refused(content: bytes) -> None:
    try:
        plains, reader = _read(_HEADER.encode() + content)
    except RecordingError:
        return
    assert plains == []
    assert not reader.is_complete


@pytest.mark.parametrize("name", ["", "a" * 65, "../etc", "a/b", "a.b", "ä", "a b", "a\n"])
def test_a_name_that_could_lead_elsewhere_is_no_session_id(name: str) -> None:
    assert not is_session_id(name)
    if name.isascii() and len(name) < 256:
        with pytest.raises(RecordingError):
            read_header(Header(name, 1).encode())


_texts = st.text(st.characters(codec="utf-8"), max_size=20)


@given(text=_texts, payload=st.binary(max_size=50), number=st.integers(0, 2**63 - 1))
def test_records_are_read_as_they_were_written(text: str, payload: bytes, number: int) -> None:
    for record in (
        _OPENED,
        Called(text, text, text, (text,), number, text, (text, text), (), {"tier": text, "grants": []}, payload),
        Called(text, text, text, (), number, text, (), (), None, payload),
        Replied(text, number, number, text, payload),
        Ended(text, number, number, text, text, number, number, number),
        _CLOSED,
    ):
        assert decode(encode(record)) == record


@given(plain=st.binary(max_size=100))
def test_what_is_no_record_is_refused(plain: bytes) -> None:
    with pytest.raises(RecordingError):
        decode(plain)


def test_a_record_with_a_member_too_many_too_few_or_of_another_type_is_refused() -> None:
    plain = encode(_CLOSED)
    for old, new in ((b'"calls":1', b'"calls":1,"x":1'), (b'"calls":1,', b""), (b":1,", b":-1,"), (b":1,", b":true,")):
        text = plain[4:].replace(old, new)
        assert text != plain[4:]
        with pytest.raises(RecordingError):
            decode(len(text).to_bytes(4) + text)
    with pytest.raises(RecordingError, match="exactly"):
        decode(plain + b"payload")


def _records_read(*records: Opened | Called | Replied | Ended | Closed, last: bool = True) -> int:
    sealer = FrameSealer(_KEY, _HEADER.digest)
    raw = [
        sealer.seal(encode(record), at, 0, is_last=last and at == len(records) - 1) for at, record in enumerate(records)
    ]
    return len(list(RecordReader(io.BytesIO(_HEADER.encode() + b"".join(raw)).read, _KEY)))


def test_records_come_in_the_order_of_a_session() -> None:
    assert _records_read(_OPENED, called(), replied(), ended(), _CLOSED) == 5
    assert _records_read(_OPENED, called(), called("c2"), replied("c2"), replied(), ended(), ended("c2"), _CLOSED) == 8
    for wrong in (
        (called(), _CLOSED),
        (_OPENED, _OPENED, _CLOSED),
        (_OPENED, _CLOSED, _CLOSED),
        (_OPENED, replied(), _CLOSED),
        (_OPENED, called(), replied(number=1), _CLOSED),
        (_OPENED, called(), replied(), replied(), _CLOSED),
        (_OPENED, ended(), _CLOSED),
        (_OPENED, called(), replied(), called(), _CLOSED),
        (_OPENED, called()),
    ):
        with pytest.raises(RecordingError, match="cannot stand there"):
            _records_read(*wrong)
    with pytest.raises(RecordingError, match="cannot stand there"):
        _records_read(_OPENED, _CLOSED, last=False)
