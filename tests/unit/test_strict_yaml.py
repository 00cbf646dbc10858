"""The strict YAML reader: what it takes, what it refuses, and where it says the fault is."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.strict_yaml import MAX_BYTES, MAX_DEPTH, MAX_VALUES, DocumentError, load, load_document, quoted


class Colour(StrEnum):
    """A closed choice."""

    RED = "red"
    BLUE = "blue"


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """One entry of a list."""

    item_name: Annotated[str, msgspec.Meta(max_length=20)]
    colour: Colour = Colour.RED
    count: Annotated[int, msgspec.Meta(ge=1)] = 1
    tags: tuple[str, ...] = ()


class Box(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A document."""

    kind: Literal["Box"]
    items: tuple[Item, ...] = ()
    open: bool = False
    labels: dict[str, str] = {}


def fault(text: str | bytes) -> str:
    with pytest.raises(DocumentError) as caught:
        load(text if isinstance(text, bytes) else text.encode(), "box.yaml", Box)
    return str(caught.value)


def test_a_document_becomes_its_type() -> None:
    text = b"""\
---
kind: Box
open: true
items:
  - itemName: 'yes'
    count: 3
    tags: [a, "1"]
labels: {a.b/c: d}
"""
    assert load(text, "box.yaml", Box) == Box(
        kind="Box", items=(Item(item_name="yes", count=3, tags=("a", "1")),), open=True, labels={"a.b/c": "d"}
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "box.yaml:1:1: the file holds no document"),
        ("# nothing\n", "box.yaml:2:1: the file holds no document"),
        ("[]", "box.yaml:1:1: expected `object`, got `array`"),
        ("items: []", "box.yaml:1:1: the key 'kind' is missing"),
        ("kind: Box\nkind: Box", "box.yaml:2:1: the key 'kind' is there twice"),
        ("kind: Box\nitems:\n  - itemName: a\n    itemName: b", "box.yaml:4:5: the key 'itemName' is there twice"),
        ("kind: Box\nitem: []", "box.yaml:2:1: unknown key 'item'"),
        ("kind: Box\nitems:\n  - {itemName: a, itemNam: b}", "box.yaml:3:19: unknown key 'itemNam'"),
        ("kind: Box\nitems:\n  - itemName: a\n  - colour: red", "box.yaml:4:5: the key 'itemName' is missing"),
        (
            "kind: Box\nitems:\n  - itemName: a\n    colour: mauve",
            "box.yaml:4:13: 'mauve' is not one of the values allowed here: red, blue",
        ),
        ("kind: Bax", "box.yaml:1:7: 'Bax' is not one of the values allowed here: Box"),
        ("kind: Box\nitems:\n  - itemName: 7", "box.yaml:3:15: expected `str`, got `int`"),
        ("kind: Box\nitems:\n  - itemName: a\n    tags: [b, 1]", "box.yaml:4:15: expected `str`, got `int`"),
        ("kind: Box\nitems:\n  - itemName: a\n    count: 0", "box.yaml:4:12: expected `int` >= 1"),
        ("kind: Box\nitems:", "box.yaml:2:7: expected `array`, got `null`"),
        ("kind: &a Box", "box.yaml:1:7: an anchor is not allowed"),
        ("kind: *a", "box.yaml:1:7: an alias is not allowed"),
        ("kind: !!str Box", "box.yaml:1:7: a tag is not allowed"),
        ("kind: ! Box", "box.yaml:1:7: a tag is not allowed"),
        ("kind: !!python/object/apply:os.system [id]", "box.yaml:1:7: a tag is not allowed"),
        ("kind: Box\n---\nkind: Box", "box.yaml:2:1: a second document is not allowed"),
        ("%YAML 1.1\n---\nkind: Box", "box.yaml:1:1: directives are not allowed"),
        ("? [a]\n: b", "box.yaml:1:3: a key must be a plain word"),
        ("&k kind: Box", "box.yaml:1:1: a key must be a plain word"),
        ("1: Box", "box.yaml:1:1: a key must be a word of letters, digits, '_', '.', '/' and '-'"),
        ('"a b": Box', "box.yaml:1:1: a key must be a word of letters, digits, '_', '.', '/' and '-'"),
        ("kind: Box\nopen: {", "box.yaml:3:1: not YAML: did not find expected node content"),
        ("kind: Box\n\x07", "box.yaml:2:1: an invisible character (U+0007) is not allowed"),
        ("kind: Box # \u202edesrever", "box.yaml:1:13: an invisible character (U+202E) is not allowed"),
        ("kind:\u00a0Box", "box.yaml:1:6: an invisible character (U+00A0) is not allowed"),
    ],
)
def test_a_fault_is_told_with_its_line_and_column(text: str, message: str) -> None:
    assert fault(text) == message


@pytest.mark.parametrize(
    "word",
    ["yes", "No", "on", "OFF", "True", "FALSE", "y", "N", "012", "0x1f", "0b1", "1_000", "1:30", "1.5", "1e3", ".inf",
     "+1", "2024-01-01", "Null", "NULL", "=", "9" * 19],
)  # fmt: skip
def test_a_word_that_yaml_versions_read_differently_is_refused(word: str) -> None:
    assert "means different things to different readers" in fault(f"kind: Box\nlabels: {{a: {word}}}")
    assert load(f'kind: Box\nlabels: {{a: "{word}"}}'.encode(), "box.yaml", Box).labels == {"a": word}


def test_a_merge_key_is_refused() -> None:
    assert fault("kind: Box\n<<: {open: true}").startswith("box.yaml:2:1: '<<' means different things")


def test_bytes_that_are_not_utf_8_are_placed() -> None:
    assert fault("kind: Box # \u00e9\n# \u00e9".encode() + b"\xff") == "box.yaml:2:4: the file is not UTF-8 here"
    assert fault("kind: Box".encode("utf-16")) == "box.yaml:1:1: the file is not UTF-8 here"


def test_size_depth_and_number_of_values_are_bounded() -> None:
    assert fault(b"#" * (MAX_BYTES + 1)) == f"box.yaml:1:1: the file is larger than {MAX_BYTES} bytes"
    assert f"nested more than {MAX_DEPTH} deep" in fault("[" * 5000)
    assert f"nested more than {MAX_DEPTH} deep" in fault("\n".join(" " * depth + "a:" for depth in range(200)))
    assert f"more than {MAX_VALUES} values" in fault("labels: [" + "a," * MAX_VALUES + "]")


def test_an_error_echoes_at_most_forty_escaped_characters() -> None:
    long = "\u00e9" * 500
    for text in (
        f"kind: {long}",
        f"kind: Box\nitems: [{{itemName: a, colour: '{long}'}}]",
        f"kind: Box\n{'k' * 128}: 1",
        f"kind: Box\n? {long}\n: 1",
        f"kind: Box\nlabels: {{a: 1{'_1' * 300}}}",
    ):
        message = fault(text)
        assert len(message) < 200
        assert message.isascii() or message.replace("…", "").isascii()
        assert all(len(echo) <= 40 for echo in re.findall(r"'([^']*)'", message))


def test_later_checks_can_point_at_a_value() -> None:
    document = load_document(b"kind: Box\nitems:\n  - itemName: a\n    tags: [v, w]\n", "box.yaml", Box)
    assert str(document.error(("items", 0, "tags", 1), "no")) == "box.yaml:4:15: no"
    assert str(document.error(("items", 0, "colour"), "no")) == "box.yaml:3:5: no"


@given(st.text(max_size=200))
def test_a_quoted_text_stays_on_one_line_and_short(text: str) -> None:
    echo = quoted(text)
    assert len(echo) <= 43
    assert echo.isprintable()
    assert echo.rstrip("…").isascii()


def read(text: bytes) -> None:
    fault = ""
    try:
        load(text, "box.yaml", Box)
    except DocumentError as error:
        fault = str(error)
    assert not fault or re.match(r"box\.yaml:[1-9][0-9]*:[1-9][0-9]*: .", fault)


@settings(max_examples=3000)
@given(st.binary(max_size=80))
def test_arbitrary_bytes_give_the_type_or_a_document_error(text: bytes) -> None:
    read(text)


_WORDS = "kind items itemName colour open labels Box red true yes 1 ~ # ' \" \\ [ ] { } : ! @ << --- ... *a"
_TOKENS = st.sampled_from(
    [
        *_WORDS.split(),
        *(": ", "- ", ", ", "? ", "| ", "> ", "&a ", "!!str ", "%YAML 1.1", "` - at `$.items[0]"),
        *("\n", "\n  ", "\n    ", "\t", "\r", "\u00e9", "\u2028", "\x85", "\ufeff"),
    ]
)


@settings(max_examples=3000)
@given(st.lists(_TOKENS, max_size=25).map("".join))
def test_arbitrary_yaml_gives_the_type_or_a_document_error(text: str) -> None:
    read(text.encode())


@given(
    st.lists(
        st.builds(
            Item,
            item_name=st.text(max_size=20),
            colour=st.sampled_from(Colour),
            count=st.integers(min_value=1, max_value=10**17),
            tags=st.lists(st.text(max_size=20), max_size=3).map(tuple),
        ),
        max_size=4,
    ).map(tuple)
)
def test_what_is_written_as_json_in_ascii_is_read_back(items: tuple[Item, ...]) -> None:
    # JSON with escapes is YAML; surrogate pairs are the one thing that the two write differently.
    items = tuple(item for item in items if max(item.item_name + "".join(item.tags), default="") <= "\uffff")
    box = Box(kind="Box", items=items)
    written = msgspec.json.encode(box).decode()
    text = "".join(mark if mark.isascii() and mark.isprintable() else f"\\u{ord(mark):04x}" for mark in written)
    assert load(text.encode(), "box.yaml", Box) == box
