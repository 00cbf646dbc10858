"""`cat`, `tail` and `grep` against a simulated agent over real mutual TLS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fake_agent import FakeAgent, Identities, make_identities, plain_answers, reading, refusing, serving, text
from leadglass.v1 import common_pb2, inspect_pb2
from leadglass_cli import Home, flags

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import grpc
    from google.protobuf.message import Message

    from leadglass_cli import Outcome

_LOG = "/var/log/shop.log"


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Identities:
    return make_identities(tmp_path_factory.mktemp("identities"))


@pytest.fixture
def agent() -> FakeAgent:
    return FakeAgent(plain_answers())


@pytest.fixture
def connection(agent: FakeAgent, identities: Identities) -> Iterator[tuple[str, ...]]:
    with serving(agent, identities.server) as address:
        yield (*flags(address, identities.client), "--session", "s-1")


def _run(tmp_path: Path, connection: tuple[str, ...], *arguments: str) -> Outcome:
    return Home(tmp_path / "home").run(*connection, *arguments)


def _asked(agent: FakeAgent) -> inspect_pb2.ReadTextRequest:
    request = agent.calls[-1].request
    assert isinstance(request, inspect_pb2.ReadTextRequest)
    return request


def test_lines_are_printed_as_they_stand_in_the_file(
    agent: FakeAgent, connection: tuple[str, ...], tmp_path: Path
) -> None:
    agent.answers["ReadText"] = reading('a\tb \\\\"c\\\\" \\u001b[31m', "\x1b]0;title\x07", "wide \u202e")

    outcome = _run(tmp_path, connection, "cat", "17@9", _LOG)

    assert outcome.code == 0, outcome.err
    assert outcome.out == 'a\tb \\"c\\" \\u001b[31m\n\\x1b]0;title\\x07\nwide \\u202e\n'
    asked = _asked(agent)
    assert (asked.process.pid, asked.process.start_ticks, asked.path) == (17, 9, _LOG)
    assert (asked.start, asked.max_lines, asked.max_bytes) == (inspect_pb2.TEXT_START_HEAD, 0, 0)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("cat", "17", _LOG, "-n", "5"), {"start": 1, "max_lines": 5}),
        (("cat", "17", _LOG, "-c", "5", "--offset", "7"), {"start": 3, "max_bytes": 5, "offset_bytes": 7}),
        (("tail", "17", _LOG), {"start": 2, "max_lines": 10, "follow": False}),
        (("grep", "17", "x", _LOG, "-m", "3"), {"start": 0, "max_lines": 3}),
    ],
)
def test_the_options_say_which_window(
    agent: FakeAgent, connection: tuple[str, ...], tmp_path: Path, arguments: tuple[str, ...], expected: dict[str, int]
) -> None:
    _run(tmp_path, connection, *arguments)

    asked = _asked(agent)
    assert {name: getattr(asked, name) for name in expected} == expected


def test_the_options_of_grep_make_the_filter(agent: FakeAgent, connection: tuple[str, ...], tmp_path: Path) -> None:
    _run(tmp_path, connection, "grep", "17", "-i", "-F", "-A", "2", "-C", "3", "checkout", _LOG)

    wanted = _asked(agent).filter
    assert (wanted.pattern, wanted.fixed, wanted.ignore_case) == ("checkout", True, True)
    assert (wanted.before_lines, wanted.after_lines) == (3, 2)


def test_groups_of_lines_are_parted_as_grep_does(agent: FakeAgent, connection: tuple[str, ...], tmp_path: Path) -> None:
    lines = [
        inspect_pb2.TextLine(text=text("one")),
        inspect_pb2.TextLine(text=text("two", truncated=True), is_context=True, after_gap=True),
    ]
    reply = inspect_pb2.ReadTextResponse(lines=lines, end=inspect_pb2.TEXT_END_END_OF_FILE)
    agent.answers["ReadText"] = lambda _request, _context: reply

    assert _run(tmp_path, connection, "grep", "17", "-C", "1", "x", _LOG).out == "one\n--\ntwo…\n"
    assert _run(tmp_path, connection, "cat", "17", _LOG).out == "one\ntwo…\n"


def test_no_line_that_fits_is_exit_code_4(connection: tuple[str, ...], tmp_path: Path) -> None:
    outcome = _run(tmp_path, connection, "grep", "17", "absent", _LOG)

    assert (outcome.code, outcome.out) == (4, "")
    assert "no line fits" in outcome.err


@pytest.mark.parametrize(
    ("end", "arguments", "code"),
    [
        ("LINE_LIMIT", (), 8),
        ("LINE_LIMIT", ("-n", "3"), 0),
        ("BYTE_LIMIT", (), 8),
        ("BYTE_LIMIT", ("-c", "3"), 0),
        ("TIME_LIMIT", (), 7),
        ("FILE_TRUNCATED", (), 8),
        ("INTERRUPTED", (), 8),
    ],
)
def test_a_window_that_is_not_whole_says_so(
    agent: FakeAgent, connection: tuple[str, ...], tmp_path: Path, end: str, arguments: tuple[str, ...], code: int
) -> None:
    agent.answers["ReadText"] = reading("one", end=inspect_pb2.TextEnd.Value(f"TEXT_END_{end}"))

    outcome = _run(tmp_path, connection, "cat", "17", _LOG, *arguments)

    assert (outcome.code, outcome.out) == (code, "one\n")
    assert (_LOG in outcome.err) == (code != 0)


@pytest.mark.parametrize(
    ("reason", "code"), [("NOT_FOUND", 4), ("BINARY_FILE", 1), ("NOT_A_FILE", 1), ("TIMED_OUT", 7)]
)
def test_a_text_that_cannot_be_read_has_its_reason(
    agent: FakeAgent, connection: tuple[str, ...], tmp_path: Path, reason: str, code: int
) -> None:
    reply = inspect_pb2.ReadTextResponse(
        end=inspect_pb2.TEXT_END_UNAVAILABLE,
        unavailable=common_pb2.UnavailableReason.Value(f"UNAVAILABLE_REASON_{reason}"),
    )
    agent.answers["ReadText"] = lambda _request, _context: reply

    outcome = _run(tmp_path, connection, "cat", "17", _LOG)

    assert (outcome.code, outcome.out) == (code, "")
    assert reason in outcome.err


def test_following_goes_on_with_the_new_file(agent: FakeAgent, connection: tuple[str, ...], tmp_path: Path) -> None:
    ends = [inspect_pb2.TEXT_END_FILE_ROTATED, inspect_pb2.TEXT_END_FILE_TRUNCATED, inspect_pb2.TEXT_END_TIME_LIMIT]

    def answer(request: Message, context: grpc.ServicerContext) -> Message:
        count = len(agent.calls)
        return reading(f"file {count}", end=ends[count - 1])(request, context)

    agent.answers["ReadText"] = answer
    outcome = _run(tmp_path, connection, "tail", "17", "-f", _LOG)

    assert (outcome.code, outcome.out) == (0, "file 1\nfile 2\nfile 3\n")
    assert outcome.err.count("following it from its beginning") == 2
    asked = [call.request for call in agent.calls]
    assert [request.start for request in asked if isinstance(request, inspect_pb2.ReadTextRequest)] == [2, 1, 1]


@pytest.mark.parametrize("form", ["json", "yaml", "csv", "name"])
def test_a_text_without_an_end_has_no_document(connection: tuple[str, ...], tmp_path: Path, form: str) -> None:
    assert _run(tmp_path, connection, "tail", "17", "-f", _LOG, "-o", form).code == 2


def test_json_and_json_lines_hold_the_same_lines(agent: FakeAgent, connection: tuple[str, ...], tmp_path: Path) -> None:
    agent.answers["ReadText"] = reading("a\tb \\\\ c", "two")

    document = json.loads(_run(tmp_path, connection, "cat", "17", _LOG, "-o", "json").out)
    lines = [json.loads(line) for line in _run(tmp_path, connection, "cat", "17", _LOG, "-o", "jsonl").out.splitlines()]

    assert document["lines"] == lines
    assert [line["text"] for line in lines] == ["a\tb \\\\ c", "two"]
    assert (document["redaction"], document["end"]) == ("BALANCED", "END_OF_FILE")
    assert _run(tmp_path, connection, "cat", "17", _LOG, "-o", "name").out == f"{_LOG}\n"
    assert _run(tmp_path, connection, "cat", "17", _LOG, "-o", "csv").out.startswith("text,is_context,after_gap")


def test_a_refused_pattern_says_what_to_leave_out(
    agent: FakeAgent, connection: tuple[str, ...], tmp_path: Path
) -> None:
    import grpc  # noqa: PLC0415 - the fake agent has set its environment first

    agent.answers["ReadText"] = refusing(grpc.StatusCode.INVALID_ARGUMENT, "PATTERN_REFUSED")

    outcome = _run(tmp_path, connection, "grep", "17", "(?=x)", _LOG)

    assert outcome.code == 2
    assert "-F" in outcome.err
