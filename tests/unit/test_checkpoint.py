"""Checkpoints are signed notes that only the log's key makes, and a note that differs in anything is refused."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.audit.checkpoint import (
    Checkpoint,
    LogSigner,
    NoteError,
    NoteFault,
    body,
    note_of,
    open_note,
    parse_verifier_key,
)
from leadglass_agent.audit.tree import EMPTY_ROOT

ORIGIN = "test.leadglass/agent/shop/log/0123456789abcdef"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = LogSigner(ORIGIN, KEY)
CHECKPOINT = Checkpoint(ORIGIN, 20, hashlib.sha256(b"root").digest())
NOTE = SIGNER.sign(CHECKPOINT)
ROOT_IN_OTHER_LETTERS = base64.urlsafe_b64encode(b"\xff" * 32).decode()

# A key and a note that the signed note's first implementation publishes in its tests (golang.org/x/mod/sumdb/note).
PUBLISHED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED_NOTE = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.

\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""


def _signed(text: str) -> str:
    """Signs any text as the log's key would, so that only its content can be what is refused."""
    signature = bytes.fromhex(SIGNER.verifier_key.split("+")[1]) + KEY.sign(text.encode())
    return f"{text}\n\u2014 {ORIGIN} {base64.b64encode(signature).decode()}\n"


def test_a_note_is_of_the_form_that_c2sp_describes() -> None:
    lines = NOTE.split("\n")
    raw = KEY.public_key().public_bytes_raw()
    key_id = hashlib.sha256(ORIGIN.encode() + b"\n\x01" + raw).digest()[:4]

    assert lines[:4] == [ORIGIN, "20", base64.b64encode(CHECKPOINT.root).decode(), ""]
    assert lines[4].startswith(f"\u2014 {ORIGIN} ")
    assert lines[5:] == [""]
    signature = base64.b64decode(lines[4].rsplit(" ", 1)[1])
    assert signature[:4] == key_id
    KEY.public_key().verify(signature[4:], "\n".join(lines[:3]).encode() + b"\n")
    assert SIGNER.verifier_key == f"{ORIGIN}+{key_id.hex()}+{base64.b64encode(bytes([1]) + raw).decode()}"
    assert len(NOTE.encode()) < 1_024


def test_a_note_that_was_signed_opens() -> None:
    assert open_note(NOTE, SIGNER.verifier_key) == CHECKPOINT
    assert note_of(CHECKPOINT, SIGNER.signature(CHECKPOINT)) == NOTE
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert open_note(SIGNER.sign(empty), SIGNER.verifier_key) == empty


@given(size=st.integers(0, 2**63 - 1), root=st.binary(min_size=32, max_size=32))
def test_every_state_comes_back_as_it_was_signed(size: int, root: bytes) -> None:
    state = Checkpoint(ORIGIN, size, root)

    assert open_note(SIGNER.sign(state), SIGNER.verifier_key) == state


def test_no_note_opens_that_differs_in_one_character() -> None:
    for at, character in enumerate(NOTE):
        for other in {"0", "A", "a", "=", "+", " ", "\n", "\u2014", "\u00e9", chr(ord(character) ^ 1)} - {character}:
            with pytest.raises(NoteError):
                open_note(NOTE[:at] + other + NOTE[at + 1 :], SIGNER.verifier_key)
        with pytest.raises(NoteError):
            open_note(NOTE[:at] + NOTE[at + 1 :], SIGNER.verifier_key)
        with pytest.raises(NoteError):
            open_note(NOTE[:at], SIGNER.verifier_key)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"{ORIGIN}\n020\n{base64.b64encode(bytes(32)).decode()}\n", NoteFault.BAD_SIZE),
        (f"{ORIGIN}\n+20\n{base64.b64encode(bytes(32)).decode()}\n", NoteFault.BAD_SIZE),
        (f"{ORIGIN}\n-1\n{base64.b64encode(bytes(32)).decode()}\n", NoteFault.BAD_SIZE),
        (f"{ORIGIN}\n2_0\n{base64.b64encode(bytes(32)).decode()}\n", NoteFault.BAD_SIZE),
        (f"{ORIGIN}\n\u0662\n{base64.b64encode(bytes(32)).decode()}\n", NoteFault.BAD_SIZE),
        (f"{ORIGIN}\n{2**63}\n{base64.b64encode(bytes(32)).decode()}\n", NoteFault.BAD_SIZE),
        (f"{ORIGIN}\n{'9' * 3_000}\n{base64.b64encode(bytes(32)).decode()}\n", NoteFault.BAD_SIZE),
        (f"{ORIGIN}\n20\n{base64.b64encode(bytes(31)).decode()}\n", NoteFault.BAD_ROOT),
        (f"{ORIGIN}\n20\n{base64.b64encode(bytes(33)).decode()}\n", NoteFault.BAD_ROOT),
        (f"{ORIGIN}\n20\n{base64.b64encode(bytes(32)).decode().rstrip('=')}\n", NoteFault.BAD_BASE64),
        (f"{ORIGIN}\n20\n{base64.b64encode(bytes(32)).decode()[:-2]}B=\n", NoteFault.BAD_BASE64),
        (f"{ORIGIN}\n20\n{ROOT_IN_OTHER_LETTERS}\n", NoteFault.BAD_BASE64),
        (f"{ORIGIN}\n20\n", NoteFault.BAD_CHECKPOINT),
        (f"{ORIGIN}\n20\n{base64.b64encode(bytes(32)).decode()}\nextension\n", NoteFault.BAD_CHECKPOINT),
        (f"\n20\n{base64.b64encode(bytes(32)).decode()}\n", NoteFault.BAD_ORIGIN),
        (f"{ORIGIN}/other\n20\n{base64.b64encode(bytes(32)).decode()}\n", NoteFault.OTHER_LOG),
    ],
)
def test_a_text_that_is_signed_and_no_checkpoint_of_this_log_is_refused(text: str, fault: NoteFault) -> None:
    with pytest.raises(NoteError) as refused:
        open_note(_signed(text), SIGNER.verifier_key)

    assert refused.value.fault is fault


def test_the_signature_of_another_key_is_refused() -> None:
    other = LogSigner(ORIGIN, Ed25519PrivateKey.generate())
    renamed = LogSigner(f"{ORIGIN}/other", KEY)

    for signer in (other, renamed):
        with pytest.raises(NoteError) as refused:
            open_note(NOTE, signer.verifier_key)
        assert refused.value.fault is NoteFault.NOT_SIGNED_ONCE


def test_a_signature_under_a_false_key_id_is_refused() -> None:
    other = Ed25519PrivateKey.generate()
    forged = bytes.fromhex(SIGNER.verifier_key.split("+")[1]) + other.sign(body(CHECKPOINT).encode())

    with pytest.raises(NoteError) as refused:
        open_note(note_of(CHECKPOINT, base64.b64encode(forged).decode()), SIGNER.verifier_key)

    assert refused.value.fault is NoteFault.SIGNATURE_MISMATCH


def test_signatures_of_witnesses_beside_the_logs_own_are_let_through_up_to_sixteen_in_all() -> None:
    witness = f"\u2014 witness.example {base64.b64encode(b'id__' + bytes(72)).decode()}\n"

    assert open_note(NOTE + witness * 15, SIGNER.verifier_key) == CHECKPOINT
    with pytest.raises(NoteError) as refused:
        open_note(NOTE + witness * 16, SIGNER.verifier_key)
    assert refused.value.fault is NoteFault.SIGNATURES


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("- witness AAAAAAA=", NoteFault.BAD_SIGNATURE_LINE),
        ("\u2014witness AAAAAAA=", NoteFault.BAD_SIGNATURE_LINE),
        ("\u2014 wit+ness AAAAAAA=", NoteFault.BAD_SIGNATURE_LINE),
        ("\u2014  AAAAAAA=", NoteFault.BAD_SIGNATURE_LINE),
        ("\u2014 wit\u2028ness AAAAAAA=", NoteFault.BAD_SIGNATURE_LINE),
        ("", NoteFault.BAD_SIGNATURE_LINE),
        ("\u2014 witness AAAAAAA= more", NoteFault.BAD_BASE64),
        ("\u2014 witness", NoteFault.SHORT_SIGNATURE),
        ("\u2014 witness AAAAAA==", NoteFault.SHORT_SIGNATURE),
    ],
)
def test_a_line_that_is_no_signature_makes_the_note_none(line: str, fault: NoteFault) -> None:
    with pytest.raises(NoteError) as refused:
        open_note(f"{NOTE}{line}\n", SIGNER.verifier_key)

    assert refused.value.fault is fault


def test_a_note_signed_twice_by_the_key_is_refused() -> None:
    with pytest.raises(NoteError) as refused:
        open_note(NOTE + NOTE.split("\n\n")[1], SIGNER.verifier_key)

    assert refused.value.fault is NoteFault.NOT_SIGNED_ONCE


@pytest.mark.parametrize(
    ("note", "fault"),
    [
        ("", NoteFault.UNSIGNED),
        (body(CHECKPOINT), NoteFault.UNSIGNED),
        (body(CHECKPOINT) + "\n", NoteFault.SIGNATURES),
        (NOTE[:-1], NoteFault.NO_END),
        (NOTE + "\udcff", NoteFault.NOT_UTF8),
        (NOTE + "\u2014 witness " + "A" * 4_096 + "\n", NoteFault.TOO_LONG),
    ],
)
def test_what_is_no_note_is_refused(note: str, fault: NoteFault) -> None:
    with pytest.raises(NoteError) as refused:
        open_note(note, SIGNER.verifier_key)

    assert refused.value.fault is fault


@given(st.text(max_size=300) | st.text("0123456789\n\u2014 +=Aa/", max_size=300))
def test_no_text_breaks_the_reading_of_notes_and_keys(text: str) -> None:
    with pytest.raises(NoteError):
        open_note(text, SIGNER.verifier_key)
    with pytest.raises(NoteError):
        open_note(NOTE, text)
    with pytest.raises(NoteError):
        parse_verifier_key(text)


@given(st.binary(min_size=32, max_size=32), st.from_regex(r"[a-z0-9./\u00e9-]{1,60}", fullmatch=True))
def test_every_key_that_a_signer_has_is_read_back(seed: bytes, origin: str) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    read = parse_verifier_key(LogSigner(origin, key).verifier_key)

    assert read.name == origin
    assert read.public_key == key.public_key()


def test_the_signature_of_a_published_note_is_right_and_its_text_no_checkpoint() -> None:
    for note, fault in (
        (PUBLISHED_NOTE, NoteFault.BAD_CHECKPOINT),
        (PUBLISHED_NOTE.replace("your", "my", 1), NoteFault.SIGNATURE_MISMATCH),
    ):
        with pytest.raises(NoteError) as refused:
            open_note(note, PUBLISHED_KEY)
        assert refused.value.fault is fault


def test_a_published_key_is_read_with_its_id() -> None:
    read = parse_verifier_key(PUBLISHED_KEY)

    assert (read.name, read.key_id.hex()) == ("PeterNeumann", "c74f20a3")


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        (PUBLISHED_KEY.replace("c74f20a3", "C74F20A3"), NoteFault.BAD_KEY),
        (PUBLISHED_KEY.replace("c74f20a3", "c74f20a4"), NoteFault.KEY_ID_MISMATCH),
        (PUBLISHED_KEY.replace("PeterNeumann", "PeterNeuman"), NoteFault.KEY_ID_MISMATCH),
        (PUBLISHED_KEY.replace("PeterNeumann", "Peter Neumann"), NoteFault.BAD_KEY),
        (PUBLISHED_KEY.replace("PeterNeumann", "Peter\ud800"), NoteFault.BAD_KEY),
        (PUBLISHED_KEY.replace("+ARpc", "+AhpC"), NoteFault.KEY_KIND),
        (PUBLISHED_KEY[:-4], NoteFault.KEY_KIND),
        (PUBLISHED_KEY + "\n", NoteFault.BAD_KEY),
        (PUBLISHED_KEY + "=", NoteFault.BAD_BASE64),
        ("n" * 600 + PUBLISHED_KEY, NoteFault.BAD_KEY),
        ("n" * 10_000 + PUBLISHED_KEY, NoteFault.BAD_KEY),
    ],
)
def test_a_key_of_another_form_is_refused(key: str, fault: NoteFault) -> None:
    with pytest.raises(NoteError) as refused:
        parse_verifier_key(key)

    assert refused.value.fault is fault


@pytest.mark.parametrize("origin", ["", "two words", "a+b", "line\nbreak", "a\u00a0b", "\u0007", "x" * 513, "\ud800"])
def test_a_log_has_a_name_that_a_note_can_carry(origin: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        LogSigner(origin, KEY)


def test_a_signer_signs_for_its_own_log_alone_and_shows_no_private_key() -> None:
    with pytest.raises(ValueError, match="another log"):
        SIGNER.signature(Checkpoint("other.log", 1, bytes(32)))
    assert repr(SIGNER) == f"LogSigner({SIGNER.verifier_key})"
