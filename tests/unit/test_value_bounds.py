"""Values are found within their text, wherever it ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction.lines import Walks
from leadglass_agent.redaction.redactor import Redactor
from leadglass_agent.redaction.values import find_value

_NAME = b"password"
_SEPARATORS = b"=:>"
_PIECES = st.sampled_from(
    [
        *(b"** ", b"</b>", b"string(32) ", b"\x1b[1m", b"!tag ", b"[", b"{", b"}", b"<<EOF\n", b"|\n  ", b"&quot;"),
        *(b'"', b"'", b"\\", b"\n", b"\r\n", b" ", b"x", b"horse", b"]", b"# ", b"; ", b"\0", b"\xe2\x80\x9c"),
    ]
)


@pytest.mark.parametrize("ending", [b"** ", b" ** ", b"string(3) ", b"** string(3) ", b"</b>", b"\x1b[1m", b"!tag "])
def test_a_text_that_ends_behind_a_mark_before_a_value_stays_as_it_is(ending: bytes) -> None:
    text = b"password:" + ending

    assert Redactor().redact(text).text.data == text


@given(
    before=st.lists(_PIECES, max_size=3), after=st.lists(_PIECES, max_size=6), separator=st.sampled_from(_SEPARATORS)
)
def test_a_value_lies_behind_its_separator_and_within_its_text(
    before: list[bytes], after: list[bytes], separator: int
) -> None:
    head = b"".join(before) + _NAME + bytes((separator,))
    data = head + b"".join(after)

    start, end, _quoted = find_value(data, len(head), len(head) - len(_NAME) - 1, separator, 0, Walks())

    assert start < 0 or len(head) <= start < end <= len(data)
