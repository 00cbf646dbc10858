"""Canonical JSON has one text for one value, and nothing else is read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.audit.canonical import Json, NotCanonical, NotJson, canonical, parse

_scalars: st.SearchStrategy[Json] = st.text() | st.integers() | st.booleans()
_objects = st.dictionaries(st.text(), _scalars | st.lists(_scalars) | st.dictionaries(st.text(), _scalars))


@given(_objects)
def test_what_is_written_is_read_back_as_the_same_value(value: dict[str, Json]) -> None:
    text = canonical(value)

    assert parse(text) == value
    assert text.isascii()
    assert b"\n" not in text


@given(_objects)
def test_another_json_text_of_the_same_value_is_refused(value: dict[str, Json]) -> None:
    other = json.dumps(value, sort_keys=True).encode()

    if other != canonical(value):
        with pytest.raises(NotCanonical):
            parse(other)


@pytest.mark.parametrize(
    "text",
    [
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"a": 1}',
        b'{"a":1} ',
        b'{"a":-0}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":"\\u00FC"}',
        b'{"a":"\\ud800"}',
        b'{"\\ud800":1}',
    ],
)
def test_json_in_another_form_is_not_canonical(text: bytes) -> None:
    with pytest.raises(NotCanonical):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"null",
        b"[1]",
        b'"text"',
        b'{"a":1.5}',
        b'{"a":1e3}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":01}',
        b'{"a":"\xc3\xbc"}',
        b'{"a":"\x00"}',
        b"\xef\xbb\xbf{}",
        b'{"a":' + b"9" * 5_000 + b"}",
        b"[" * 16_000,
        b'{"a":' * 3_000,
    ],
)
def test_what_this_module_never_writes_is_not_json(text: bytes) -> None:
    with pytest.raises(NotJson):
        parse(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_either_one_value_or_refused(data: bytes) -> None:
    try:
        value = parse(data)
    except (NotJson, NotCanonical):
        return
    assert canonical(value) == data
