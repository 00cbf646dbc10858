"""Fingerprints: every spelling of a value is found, nothing else is, compiled or not."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from leadglass_agent.barrier.canonical import folded, unescaped, unescaped_around
from leadglass_agent.barrier.fingerprints import Fingerprints, TooManyCandidates
from leadglass_agent.barrier.forms import LONGEST, SHORTEST, pieces
from spellings import SPELLINGS

_VALUES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=8, max_size=80
)
_FOLDED = st.text("ab+/.1", max_size=60).map(str.encode)


def _known(*values: str, compiled: bool | None = None) -> Fingerprints:
    fingerprints = Fingerprints(compiled=compiled)
    for number, value in enumerate(values):
        fingerprints.add(fingerprints.prints(pieces(value.encode())), number)
    return fingerprints


def _found(fingerprints: Fingerprints, reply: bytes) -> set[int]:
    plain = unescaped_around(reply) or b""
    return {*fingerprints.search(folded(reply)).values(), *fingerprints.search(plain).values()}


@pytest.mark.parametrize("spelling", SPELLINGS)
@example(value="p\"a's\\s$w%0r&d")
@example(value="tr%41p-\\x41-&amp;-end")
@given(value=_VALUES)
def test_a_value_is_found_in_every_spelling(spelling: str, value: str) -> None:
    # What folds to less than a piece has none: in UTF-16 some letters take fewer bytes than in UTF-8.
    assume(len(folded(value.encode("utf-16-le" if "UTF-16" in spelling else "utf-8"))) >= SHORTEST)
    assume(len(folded(value.encode())) >= SHORTEST)
    reply = f"\n\x12status: {SPELLINGS[spelling](value)} ;\x1a\x05other".encode()
    assert _found(_known(value), reply) == {0}


@given(known=st.lists(_FOLDED, max_size=4), text=_FOLDED)
def test_both_sieves_find_exactly_the_pieces_that_are_there(known: list[bytes], text: bytes) -> None:
    parts = [part[:LONGEST] for part in known if len(part) >= SHORTEST]
    for compiled in (True, False):
        fingerprints = Fingerprints(compiled=compiled)
        for number, part in enumerate(parts):
            fingerprints.add(fingerprints.prints((part,)), number)
        assert set(fingerprints.search(text).values()) == {parts.index(part) for part in parts if part in text}


@given(text=st.binary(max_size=300))
def test_what_is_searched_around_escapes_is_what_is_undone(text: bytes) -> None:
    assert (unescaped_around(text) is None) == (unescaped(text) is None)
    if len(text) < 256:
        whole, around = unescaped(text), unescaped_around(text)
        assert whole is None or around is None or around in whole


@pytest.mark.parametrize("compiled", [True, False])
def test_a_value_is_found_at_every_place_of_a_long_text(compiled: bool) -> None:  # noqa: FBT001 - a parameter of the test
    value = "hunter2-of-the-shop"
    fingerprints = _known(value, *(secrets.token_urlsafe(24) for _ in range(500)), compiled=compiled)
    spelled = folded(value.encode())
    for length in (0, 1, 7, 65_530, 65_536 - len(spelled), 65_536, 70_001):
        assert set(fingerprints.search(b"." * length + spelled + b"." * (length % 9)).values()) == {0}
        assert not fingerprints.search(b"." * length + spelled[:-1])


def test_a_long_value_is_found_by_any_stretch_of_it() -> None:
    value = secrets.token_hex(300)
    fingerprints = _known(value)
    for start in range(0, len(value) - 63, 13):
        assert set(fingerprints.search(value[start : start + 63].encode()).values()) == {0}


def test_thousands_of_values_are_told_apart() -> None:
    values = [secrets.token_urlsafe(18) for _ in range(3_000)]
    fingerprints = _known(*values)
    for number in range(0, 3_000, 101):
        assert _found(fingerprints, f"a {values[number]} b".encode()) == {number}
    assert not _found(fingerprints, b" ".join(secrets.token_urlsafe(18).encode() for _ in range(1_000)))


def test_a_text_made_of_known_grams_is_given_up_in_bounded_time() -> None:
    values = tuple("x" * length + "abcdefgh" for length in range(1, 24))
    with pytest.raises(TooManyCandidates):
        _known(*values).search(b"abcdefgh" * 5_000)


def test_nothing_of_a_piece_can_be_read_from_its_fingerprint() -> None:
    value = "hunter2hunter2"
    one, other = _known(value), _known(value)
    assert one.prints((b"hunter2hunter2",)) != other.prints((b"hunter2hunter2",))
    assert repr(one).startswith("Fingerprints(")
    assert value not in str(vars(one))
