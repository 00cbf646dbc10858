"""Sealing a value to a key: the agent's half, the client's half, and RFC 9180 between them."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.access.sealing import info, padded, seal
from leadglass_agent.errors import InvalidRequest
from leadglass_client.unsealing import MAX_SEALED, RevealKey, UnsealingError, new_key, open_sealed
from reference_hpke import open_reference

_NAME = "DATABASE_PASSWORD"
_values = st.binary(max_size=1_200)


def _sealed(value: bytes, key: RevealKey, pid: int = 7, name: str = _NAME) -> str:
    return base64.b64encode(seal(value, base64.b64decode(key.recipient_key), pid, name.encode())).decode()


def _sealed_plain(plain: bytes, key: RevealKey) -> str:
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    sealed = suite.encrypt(plain, key.private.public_key(), info=info(7, _NAME.encode()))
    return base64.b64encode(sealed).decode()


def test_the_reference_opens_the_vector_of_the_rfc() -> None:
    # RFC 9180, appendix A.1.1, sequence number 0.
    private = X25519PrivateKey.from_private_bytes(
        bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
    )
    sealed = bytes.fromhex(
        "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"
        "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"
    )
    text = open_reference(sealed, private, b"Ode on a Grecian Urn", b"Count-0", key_bytes=16)
    assert text == b"Beauty is truth, truth beauty"


@given(value=_values)
def test_what_the_agent_seals_is_hpke_as_the_rfc_writes_it(value: bytes) -> None:
    private = X25519PrivateKey.generate()
    sealed = seal(value, private.public_key().public_bytes_raw(), 7, _NAME.encode())
    bound = b"leadglass reveal v1\0" + b"7\0" + _NAME.encode()
    assert open_reference(sealed, private, bound) == padded(value)


@given(value=_values, pid=st.integers(1, 4_194_304), name=st.text("ABC_ä", min_size=1, max_size=40))
def test_the_client_opens_what_the_agent_sealed(value: bytes, pid: int, name: str) -> None:
    key = new_key()
    assert open_sealed(_sealed(value, key, pid, name), key, pid=pid, name=name) == value


@given(value=_values)
def test_the_length_of_what_is_sealed_tells_256_bytes_of_the_value_and_no_less(value: bytes) -> None:
    assert len(padded(value)) % 256 == 0
    assert len(padded(value)) - 256 < len(value) + 4 <= len(padded(value))


def test_the_largest_value_fits_into_what_the_client_takes() -> None:
    key, value = new_key(), b"v" * 32 * 1024
    sealed = _sealed(value, key)
    assert len(sealed) <= MAX_SEALED
    assert open_sealed(sealed, key, pid=7, name=_NAME) == value


def test_a_sealed_value_opens_under_no_other_key_name_or_number() -> None:
    key = new_key()
    sealed = _sealed(b"value", key)
    for other, pid, name in ((new_key(), 7, _NAME), (key, 8, _NAME), (key, 7, "OTHER")):
        with pytest.raises(UnsealingError):
            open_sealed(sealed, other, pid=pid, name=name)
    assert open_sealed(sealed, key, pid=7, name=_NAME) == b"value"


@given(at=st.integers(0, 303), bit=st.integers(0, 7))
def test_an_edited_value_does_not_open(at: int, bit: int) -> None:
    key = new_key()
    sealed = bytearray(base64.b64decode(_sealed(b"value", key)))
    # The topmost bit of an X25519 point is masked (RFC 7748, section 5), yet it is part of what the key is made from.
    sealed[at] ^= 1 << bit
    with pytest.raises(UnsealingError):
        open_sealed(base64.b64encode(sealed).decode(), key, pid=7, name=_NAME)


@given(text=st.text(max_size=200) | st.binary(max_size=200).map(lambda data: base64.b64encode(data).decode()))
def test_whatever_else_comes_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(
        UnsealingError, match=r"^the sealed value does not open with this key, or is not of this variable$"
    ):
        open_sealed(text, new_key(), pid=7, name=_NAME)


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        bytes(3),
        bytes(255),
        padded(b"v") + b"\0",
        (300).to_bytes(4) + bytes(252),
        (1).to_bytes(4) + b"vw" + bytes(250),
        (2**32 - 1).to_bytes(4) + bytes(252),
    ],
    ids=["empty", "short", "uneven", "long", "beyond", "tail", "huge"],
)
def test_a_padding_that_is_not_exact_is_refused(plain: bytes) -> None:
    key = new_key()
    with pytest.raises(UnsealingError):
        open_sealed(_sealed_plain(plain, key), key, pid=7, name=_NAME)


def test_text_that_is_too_large_is_not_decoded() -> None:
    with pytest.raises(UnsealingError, match="too large"):
        open_sealed("A" * (MAX_SEALED + 4), new_key(), pid=7, name=_NAME)


@pytest.mark.parametrize(
    "key", [b"", bytes(31), bytes(33), bytes(32), b"\1" + bytes(31)], ids=["empty", "short", "long", "zero", "one"]
)
def test_a_key_that_everybody_could_open_or_nobody_is_refused(key: bytes) -> None:
    with pytest.raises(InvalidRequest):
        seal(b"value", key, 7, b"NAME")


def test_a_key_shows_nothing_of_itself() -> None:
    key = new_key()
    assert repr(key) == "RevealKey(...)"
    assert len(base64.b64decode(key.recipient_key)) == 32
    assert new_key().recipient_key != key.recipient_key
