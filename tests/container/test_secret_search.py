"""The search that the container tests rely on finds a secret in every form that it names."""

from __future__ import annotations

import base64
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planted_secrets import Planted, encodings, plant

_SECRET = "p@ss/w0rd+of?the&shop"


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_a_secret_is_found_in_base64_whatever_surrounds_it(before: bytes, after: bytes) -> None:
    text = base64.b64encode(before + _SECRET.encode() + after)

    assert any("base64" in leak for leak in Planted({"env": _SECRET}).leaks(text))


@pytest.mark.parametrize(
    "text",
    [
        f"x{_SECRET}y",
        _SECRET[::-1],
        _SECRET.encode().hex(),
        _SECRET.encode().hex().upper(),
        urllib.parse.quote(_SECRET, safe=""),
        "".join(f"%{byte:02x}" for byte in _SECRET.encode()),
    ],
)
def test_a_secret_is_found_in_each_form(text: str) -> None:
    assert Planted({"env": _SECRET}).leaks(text.encode())


def test_nothing_is_found_where_no_secret_is() -> None:
    planted = plant("env", "argv")

    assert planted.leaks(b"\0" * 1000 + plant("other")["other"].encode()) == ()


def test_two_places_never_get_the_same_secret() -> None:
    planted = plant("env", "argv", "file")

    assert len(set(planted.by_place.values())) == 3


def test_a_secret_too_short_to_search_for_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 12 bytes"):
        list(encodings(b"1234"))
