"""Command lines and dialogues that are written as strings in quotes are read word by word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction.quoted_words import (
    read_answer,
    read_cookie_jar,
    read_quoted_auth,
    read_quoted_command,
)
from planted_text import PASSWORD, VALUE, planted, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.redaction.spans import Span

_TIME = "2026-03-14 09:30:00 "
_BYTES = st.one_of(st.binary(max_size=120), st.text("\"'\\ ,[]-pu\t\n=aZ9", max_size=120).map(str.encode))
_READERS = (read_answer, read_cookie_jar, read_quoted_auth, read_quoted_command)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('["mysql", "-h", "db", "-p@@"]', '["mysql", "-h", "db", "-p[redacted:argument-secret]"]'),
        ("['mysqladmin', 'ping', '-p@@']", "['mysqladmin', 'ping', '-p[redacted:argument-secret]']"),
        ('exec("redis-cli", "-a", "@@", "ping")', 'exec("redis-cli", "-a", "[redacted:argument-secret]", "ping")'),
    ],
)
@pytest.mark.parametrize("value", [VALUE, PASSWORD])
def test_the_words_of_a_known_program_are_read_as_its_arguments(text: str, expected: str, value: str) -> None:
    assert planted(_TIME + text, value) == _TIME + expected


@pytest.mark.parametrize(
    "text",
    [
        '["mysql", "--host", "db", "shop"]',
        '["ls", "-p", "shop"]',
        '"mysql" is what the "-p" of it',
        '["mysql", "-p"]',
        '["mysql"], ["-pretty"]',
    ],
)
def test_words_that_hold_no_password_stay(text: str) -> None:
    assert shown(_TIME + text) == _TIME + text


def test_a_command_ends_where_its_list_does() -> None:
    assert planted(_TIME + '["mysql", "shop"], "-p@@"') == f'{_TIME}["mysql", "shop"], "-p{VALUE}"'


@pytest.mark.parametrize("text", ['"AUTH" "worker" "@@"', '[0 10.0.0.7:5] "auth" "worker" "@@"'])
def test_the_last_word_of_what_a_server_was_sent_to_log_in_is_masked(text: str) -> None:
    assert planted(_TIME + text) == (_TIME + text).replace("@@", "[redacted:password]")


@pytest.mark.parametrize("text", ['"AUTH" "worker" "none"', '"AUTH" "${REDIS_PASSWORD}"', '"AUTH" ""'])
def test_a_login_without_a_password_stays(text: str) -> None:
    assert shown(_TIME + text) == _TIME + text


@pytest.mark.parametrize("mark", ["", "C: ", ">> ", "<- "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_answer_to_a_question_for_a_password_is_masked(mark: str, end: str) -> None:
    value = "Qm9z" + "dG9uMTk4NDIx"

    assert planted(f"334 UGFzc3dvcmQ6{end}{mark}@@{end}235 ok", value).endswith(
        f"{end}{mark}[redacted:password]{end}235 ok"
    )


@pytest.mark.parametrize(
    "text", ["334 UGFzc3dvcmQ6", "334 UGFzc3dvcmQ6\n", "334 UGFzc3dvcmQ6\n\n", "334 UGFzc3dvcmQ6 accepted"]
)
def test_a_question_without_an_answer_stays(text: str) -> None:
    assert shown(text) == text


def test_a_cookie_of_a_jar_is_masked_and_a_setting_in_it_stays() -> None:
    value = VALUE + VALUE[::-1]
    line = ".shop.example\tTRUE\t/\tFALSE\t1799999999\t{}\n"

    assert planted(line.format("visit\t@@"), value) == line.format("visit\t[redacted:cookie]")
    assert shown(line.format("theme\tdark")) == line.format("theme\tdark")


@given(_BYTES, st.integers(1, 120), st.sampled_from(_READERS))
def test_a_reader_gives_spans_within_the_text_whatever_follows_its_anchor(
    data: bytes, end: int, reader: Callable[[bytes, int, list[Span]], None]
) -> None:
    spans: list[Span] = []
    reader(data + b"x", min(end, len(data) + 1), spans)
    assert all(0 <= span.start < span.end <= len(data) + 1 for span in spans)
