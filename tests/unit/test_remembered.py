"""What is remembered of masked names is bounded, and tells nothing of what they were."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction.redactor import Redactor
from leadglass_agent.views.remembered import Remembered, ShownNames

_REDACTOR = Redactor()


@given(st.lists(st.binary(max_size=8), max_size=4), st.lists(st.binary(max_size=8), max_size=4))
def test_a_digest_stands_for_its_parts_and_their_boundaries(one: list[bytes], other: list[bytes]) -> None:
    remembered: Remembered[int] = Remembered()
    assert (remembered.digest(*one) == remembered.digest(*other)) == (one == other)


def test_a_digest_under_another_key_is_another() -> None:
    assert Remembered[int]().digest(b"4711") != Remembered[int]().digest(b"4711")


def test_only_so_many_answers_and_characters_are_kept() -> None:
    remembered: Remembered[int] = Remembered()
    for number in range(5_000):
        remembered.keep(remembered.digest(str(number).encode()), number, 1)
    kept = [number for number in range(5_000) if remembered.find(remembered.digest(str(number).encode())) is not None]
    assert 0 < len(kept) <= 4_096
    assert kept[-1] == 4_999

    large = remembered.digest(b"large")
    remembered.keep(large, 1, 4 * 1024 * 1024)
    assert remembered.find(large) == 1
    assert remembered.find(remembered.digest(b"4999")) is None


@given(st.binary(max_size=60))
def test_a_name_looks_the_second_time_as_it_looked_the_first_time(raw: bytes) -> None:
    names = ShownNames(_REDACTOR, 40)
    first = names.of(raw)
    assert names.of(raw) == first == ShownNames(_REDACTOR, 40).of(raw)
    assert len(first.text.text) <= 40
