"""The key of a recording opens for the mounted keys or the auditor's, for its own recording, and for nobody else."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.recordings.keys import (
    WRAPPED_BYTES,
    AuditorKey,
    MountedKeys,
    RecordingKeyError,
    open_sealed_key,
    parse_auditor,
    parse_mounted,
    seal,
    sealed_to_auditor,
    unwrap,
    wrap,
)
from reference_hpke import open_reference
from taped_sessions import auditor_pem

if TYPE_CHECKING:
    from pathlib import Path

_DATA_KEY = bytes(range(100, 132))
_DIGEST, _OTHER = b"d" * 32, b"o" * 32
_FIRST, _SECOND = os.urandom(32), os.urandom(32)


def test_a_mounted_key_opens_what_it_wrapped_for_its_recording_alone() -> None:
    wrapped = wrap(_DATA_KEY, MountedKeys((_FIRST,)), _DIGEST)
    assert unwrap(wrapped, MountedKeys((_FIRST,)), _DIGEST) == _DATA_KEY
    assert _DATA_KEY not in wrapped
    assert sealed_to_auditor(wrapped) is None
    for keys, digest in (
        (MountedKeys((_SECOND,)), _DIGEST),
        (MountedKeys((_FIRST,)), _OTHER),
        (MountedKeys(()), _DIGEST),
    ):
        with pytest.raises(RecordingKeyError):
            unwrap(wrapped, keys, digest)


def test_a_new_key_in_front_of_the_old_one_still_opens_what_the_old_one_wrapped() -> None:
    old = wrap(_DATA_KEY, parse_mounted(_FIRST), _DIGEST)
    rotated = parse_mounted(_SECOND + _FIRST)
    assert unwrap(old, rotated, _DIGEST) == _DATA_KEY
    with pytest.raises(RecordingKeyError):
        unwrap(wrap(_DATA_KEY, rotated, _DIGEST), parse_mounted(_FIRST), _DIGEST)


def test_each_bit_that_is_flipped_in_a_wrapped_key_is_found() -> None:
    private = X25519PrivateKey.generate()
    mounted = wrap(_DATA_KEY, MountedKeys((_FIRST,)), _DIGEST)
    sealed = seal(_DATA_KEY, private.public_key().public_bytes_raw(), _DIGEST)
    for at in range(len(mounted) * 8):
        with pytest.raises(RecordingKeyError):
            unwrap(_flipped(mounted, at), MountedKeys((_FIRST,)), _DIGEST)
    for at in range(0, len(sealed) * 8, 3):
        if at != 255:  # RFC 7748, section 5: the highest bit of a point says nothing
            with pytest.raises(RecordingKeyError):
                open_sealed_key(_flipped(sealed, at), private, _DIGEST)


def test_what_is_sealed_to_the_auditor_opens_with_the_private_key_alone() -> None:
    private = X25519PrivateKey.generate()
    key = parse_auditor(auditor_pem(private))
    wrapped = wrap(_DATA_KEY, key, _DIGEST)
    sealed = sealed_to_auditor(wrapped)
    assert len(wrapped) == WRAPPED_BYTES
    assert sealed is not None
    assert open_sealed_key(sealed, private, _DIGEST) == _DATA_KEY
    with pytest.raises(RecordingKeyError):
        unwrap(wrapped, MountedKeys((_FIRST,)), _DIGEST)
    for other, digest in ((X25519PrivateKey.generate(), _DIGEST), (private, _OTHER)):
        with pytest.raises(RecordingKeyError):
            open_sealed_key(sealed, other, digest)


@given(data_key=st.binary(min_size=32, max_size=32), digest=st.binary(min_size=32, max_size=32))
def test_the_sealed_key_is_hpke_as_the_rfc_writes_it(data_key: bytes, digest: bytes) -> None:
    private = X25519PrivateKey.generate()
    sealed = seal(data_key, private.public_key().public_bytes_raw(), digest)
    assert open_reference(sealed, private, b"leadglass recording v1\0" + digest) == data_key


def test_a_key_that_everybody_could_open_is_no_auditors_key() -> None:
    for point in (bytes(32), (1).to_bytes(32, "little")):
        with pytest.raises(RecordingKeyError):
            seal(_DATA_KEY, point, _DIGEST)
    with pytest.raises(RecordingKeyError):
        seal(_DATA_KEY, b"short", _DIGEST)


@pytest.mark.parametrize(
    "content",
    [b"", b"x" * 31, os.urandom(33), bytes(32), _FIRST + _FIRST, os.urandom(32 * 9), b"\n".join((_FIRST, b""))],
    ids=["empty", "short", "odd", "zeros", "twice", "nine", "newline"],
)
def test_a_file_of_something_else_is_no_mounted_key(content: bytes) -> None:
    with pytest.raises(RecordingKeyError):
        parse_mounted(content)


def test_a_file_of_something_else_is_no_auditors_key() -> None:
    signing = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for content in (b"", b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", signing, os.urandom(32)):
        with pytest.raises(RecordingKeyError):
            parse_auditor(content)


def test_keys_are_not_shown() -> None:
    assert repr(MountedKeys((_FIRST, _SECOND))) == "MountedKeys(2)"


def test_keys_made_as_the_documentation_says_are_taken(tmp_path: Path) -> None:
    key, private, public = tmp_path / "key", tmp_path / "auditor.key", tmp_path / "auditor.pub"
    for command in (
        ["openssl", "rand", "-out", str(key), "32"],
        ["openssl", "genpkey", "-algorithm", "X25519", "-out", str(private)],
        ["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public)],
    ):
        subprocess.run(command, check=True, timeout=60, capture_output=True)
    assert isinstance(parse_mounted(key.read_bytes()), MountedKeys)
    assert isinstance(parse_auditor(public.read_bytes()), AuditorKey)


def _flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
