"""Outside of logs, and beside no name, a run is masked only when it can be nothing but a secret."""

from __future__ import annotations

import base64
import gzip
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.precise import is_precise
from leadglass_agent.redaction.shapes import COUNTED, PASSWORD, PLAIN, RANDOM, SHORT, WEAK
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.strict import precise_spans
from leadglass_agent.redaction.surroundings import PRECISE, Line
from planted_text import shown

_MADE = "velvet" + "_1987"
_COUNTED = "wren" + "88"
_SHORT = "a7b3" + "k9x2m4"


def _random(length: int, seed: str) -> str:
    chance = random.Random(seed)  # noqa: S311 - the same strings on every run
    return "".join(chance.choice(string.ascii_letters + string.digits) for _ in range(length))


@pytest.mark.parametrize("length", [20, 40, 64, 100])
def test_a_random_run_is_a_token_up_to_the_length_of_one(length: int) -> None:
    run = _random(length, "token")

    assert shown(f"bob {run}") == "bob [redacted:token-like]"


@pytest.mark.parametrize(
    "text",
    [
        _random(101, "long"),
        _random(300, "long"),
        f"{_random(64, 'a')}\n{_random(64, 'b')}\n{_random(40, 'c')}",
        f"{_random(64, 'a')}\r\n{_random(64, 'b')}\r\n{_random(30, 'c')}",
        "MII" + _random(61, "certificate"),
        base64.b64encode(b"nothing in this text is a secret of anybody").decode(),
        base64.b64encode(gzip.compress(b"nothing in this text is a secret", mtime=0)).decode(),
    ],
)
def test_a_text_in_base64_stays(text: str) -> None:
    assert shown(text) == text


def test_a_short_word_in_base64_may_be_a_password() -> None:
    word = base64.b64encode(b"Sum" + b"mer77").decode().rstrip("=")

    assert is_precise(word.encode(), 0, len(word), RANDOM, Line(PRECISE))


@pytest.mark.parametrize(
    "text",
    [f'deploy("{_SHORT}")', f"x = '{_SHORT}'", f"admin/{_COUNTED}", f"root: {_COUNTED}", f"the password: {_COUNTED}"],
)
def test_a_shorter_run_is_masked_in_quotes_behind_an_account_or_near_a_name(text: str) -> None:
    out = shown(text)

    assert _SHORT not in out
    assert _COUNTED not in out


@pytest.mark.parametrize(
    "text",
    [
        f"deploy {_SHORT}",
        f"deploy('{_SHORT[:9]}')",
        f"bob/{_COUNTED}",
        f"city: {_COUNTED}",
        f"<{_MADE}>",
        f"\\{_MADE}",
        "see ABCD-EFGH-IJKL",
    ],
)
def test_without_either_it_stays(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(("text", "expected"), [('"@@"', True), ("'@@'", True), ("'@@\"", False), (" @@ ", False)])
def test_a_short_random_run_is_certain_in_quotes_of_one_kind(text: str, expected: bool) -> None:  # noqa: FBT001 - a case
    data = text.replace("@@", _SHORT).encode()

    assert is_precise(data, 1, len(data) - 1, SHORT, Line(PRECISE)) is expected
    assert not is_precise(b'"kQzXvJwMpT"', 1, 11, SHORT, Line(PRECISE))


@pytest.mark.parametrize("joint", ["/", "=", "+"])
def test_what_is_certain_is_not_masked_again_by_a_run_that_goes_on_into_it(joint: str) -> None:
    data = f"{_random(40, 'token')}{joint}{_MADE}\n".encode()
    certain = [Span(40 + len(joint), len(data) - 1, 40, RuleId("password"))]
    added: list[Span] = []
    precise_spans(data, certain, added, 0, 768)

    assert not [span for span in added if span.end > certain[0].start]
    precise_spans(data, [], added, 0, 768)
    assert [(span.start, span.end) for span in added] == [(0, len(data) - 1)]


def _line(secret_end: int, kind: int = 1) -> Line:
    line = Line(PRECISE)
    line.secret_end, line.secret_kind = secret_end, kind
    return line


def test_near_a_name_words_with_a_number_and_codes_in_groups_are_certain() -> None:
    data = b"key ABCD-EFGH-IJKL"
    for shape in (COUNTED, SHORT):
        assert is_precise(data, 4, len(data), shape, _line(3))
    assert not is_precise(data, 4, len(data), WEAK, _line(3))
    assert is_precise(data, 4, len(data), WEAK, _line(3, kind=5))
    assert is_precise(data, 4, len(data), PLAIN, _line(3))
    assert not is_precise(data, 4, len(data), PLAIN, _line(-1))
    assert not is_precise(b"key ABCDEFGH", 4, 12, PLAIN, _line(3))


@given(
    st.text("aZ9+/=-_<\\\"' \n", max_size=120).map(str.encode),
    st.integers(0, 120),
    st.integers(1, 40),
    st.sampled_from([PLAIN, WEAK, COUNTED, PASSWORD, SHORT, RANDOM]),
)
def test_any_run_of_any_text_is_decided(data: bytes, start: int, length: int, shape: int) -> None:
    data += b"."
    start = min(start, len(data) - 1)
    end = min(start + length, len(data))

    assert is_precise(data, start, end, shape, Line(PRECISE)) in (True, False)
