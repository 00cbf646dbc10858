"""Frames are cut the same however the stream is split, and a bad length ends the channel."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.processes.frames import MAX_FRAME, ChannelError, FrameBuffer, frame

_payloads = st.lists(st.binary(min_size=1, max_size=300), max_size=8)


@given(payloads=_payloads, cuts=st.lists(st.integers(0, 2_500), max_size=12))
def test_any_split_of_a_stream_gives_the_same_frames(payloads: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frame(payload) for payload in payloads)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    buffer = FrameBuffer()
    received = [payload for start, end in itertools.pairwise(edges) for payload in buffer.feed(stream[start:end])]
    assert received == payloads


def test_a_stream_that_comes_byte_by_byte_gives_its_frames() -> None:
    stream = frame(b"first") + frame(b"second")
    buffer = FrameBuffer()
    received = [payload for position in range(len(stream)) for payload in buffer.feed(stream[position : position + 1])]
    assert received == [b"first", b"second"]


def test_a_frame_that_is_not_whole_is_kept_back() -> None:
    buffer = FrameBuffer()
    assert buffer.feed(frame(b"whole") + frame(b"half")[:-1]) == [b"whole"]
    assert buffer.feed(b"f") == [b"half"]


def test_the_largest_frame_passes() -> None:
    payload = bytes(MAX_FRAME)
    assert FrameBuffer().feed(frame(payload)) == [payload]


@pytest.mark.parametrize("payload", [b"", bytes(MAX_FRAME + 1)], ids=["empty", "too large"])
def test_a_payload_out_of_bounds_is_not_framed(payload: bytes) -> None:
    with pytest.raises(ChannelError):
        frame(payload)


@given(length=st.just(0) | st.integers(MAX_FRAME + 1, 2**32 - 1), rest=st.binary(max_size=50))
def test_a_length_out_of_bounds_ends_the_channel_before_its_payload_comes(length: int, rest: bytes) -> None:
    with pytest.raises(ChannelError):
        FrameBuffer().feed(struct.pack("!I", length) + rest)


@settings(max_examples=500)
@given(st.lists(st.binary(max_size=80), max_size=6))
def test_noise_gives_frames_within_bounds_or_the_end_of_the_channel(pieces: list[bytes]) -> None:
    buffer = FrameBuffer()
    received: list[bytes] = []
    try:
        for piece in pieces:
            received += buffer.feed(piece)
    except ChannelError:
        return
    assert all(0 < len(payload) <= MAX_FRAME for payload in received)
    assert sum(len(frame(payload)) for payload in received) <= sum(len(piece) for piece in pieces)
