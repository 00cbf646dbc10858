"""The escape gives printable text for any bytes, different for different bytes, cut without splitting an escape."""

from __future__ import annotations

import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction.escape import Visible, visible
from leadglass_agent.redaction.mask import Clean, mask

_UNBOUNDED = 10**6
_TROUBLE = st.sampled_from(
    "\\\n\r\t\0\x1b\x7f\x85\xa0\u034f\u061c\u115f\u200b\u200e\u2028\u202e\u2066\u2800\u3164\ufe0f\ufeff\U000e0041\U0001f600é漢"
)
_TEXTS = st.one_of(
    st.binary(max_size=60),
    st.text(st.one_of(_TROUBLE, st.characters(exclude_categories=["Cs"])), max_size=30).map(str.encode),
)


def _clean(data: bytes) -> Clean:
    return mask(data, [])


def _unescaped(text: str) -> bytes:
    """Reads the escapes back, as the documentation of the form says."""
    result = bytearray()
    position = 0
    widths = {"x": 2, "u": 4, "U": 8}
    while position < len(text):
        if text[position] != "\\":
            result += text[position].encode()
            position += 1
        elif text[position + 1] == "\\":
            result += b"\\"
            position += 2
        else:
            kind = text[position + 1]
            end = position + 2 + widths[kind]
            number = int(text[position + 2 : end], 16)
            result += bytes([number]) if kind == "x" else chr(number).encode()
            position = end
    return bytes(result)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain text", "plain text"),
        ("naïve 漢字 😀".encode(), "naïve 漢字 😀"),
        (b"a\nb\tc\x1b[31m", r"a\u000ab\u0009c\u001b[31m"),
        (b"back\\slash", r"back\\slash"),
        (b"\xff\xfe", r"\xff\xfe"),
        (b"\xc2\x85", r"\u0085"),
        ("abc\u202ecba".encode(), r"abc\u202ecba"),
        ("zero\u200bwidth\ufeff".encode(), r"zero\u200bwidth\ufeff"),
        ("tag\U000e0041".encode(), r"tag\U000e0041"),
        ("\u2028\u2029\u00a0\u3164".encode(), r"\u2028\u2029\u00a0\u3164"),
        (b"\xed\xa0\x80", r"\xed\xa0\x80"),
    ],
)
def test_what_cannot_be_seen_is_written_out(data: bytes, text: str) -> None:
    assert visible(_clean(data), 100) == Visible(text, truncated=False)


@given(_TEXTS)
def test_the_text_is_valid_printable_utf8_without_bidi_or_invisible_characters(data: bytes) -> None:
    text = visible(_clean(data), _UNBOUNDED).text
    assert text.isprintable()
    assert text.encode("utf-8").decode("utf-8") == text
    assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"} for character in text)
    assert not any(
        unicodedata.bidirectional(character) in {"RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI"} for character in text
    )
    assert not set(text) & set("\u034f\u115f\u1160\u17b4\u2800\u3164\ufe0f\uffa0")


@given(_TEXTS)
def test_the_bytes_can_be_read_back_from_the_text_so_no_two_inputs_look_alike(data: bytes) -> None:
    assert _unescaped(visible(_clean(data), _UNBOUNDED).text) == data


@given(_TEXTS, st.integers(min_value=0, max_value=40))
def test_a_cut_text_keeps_its_cap_and_whole_escapes(data: bytes, cap: int) -> None:
    whole = visible(_clean(data), _UNBOUNDED).text
    cut = visible(_clean(data), cap)
    assert len(cut.text) <= cap
    assert whole.startswith(cut.text)
    assert cut.truncated is (cut.text != whole)
    assert data.startswith(_unescaped(cut.text))


def test_a_cap_uses_the_room_that_it_has() -> None:
    assert visible(_clean(b"ab\ncd"), 7) == Visible("ab", truncated=True)
    assert visible(_clean(b"ab\ncd"), 8) == Visible(r"ab\u000a", truncated=True)
    assert visible(_clean(b"ab\ncd"), 10) == Visible(r"ab\u000acd", truncated=False)


def test_visible_text_cannot_be_changed_and_unknown_fields_are_refused() -> None:
    text = visible(_clean(b"x"), 10)
    with pytest.raises(AttributeError):
        text.text = "y"  # type: ignore[misc]
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"text":"x","truncated":false,"more":1}', type=Visible)


def test_clean_text_never_shows_itself_in_a_traceback_or_log() -> None:
    clean = _clean(b"hunter2")
    assert "hunter2" not in f"{clean!r} {clean!s} {clean}"
