"""An agent that is not honest can neither fool the reader's terminal nor exhaust the reader's machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import grpc
import pytest
import yaml

from fake_agent import FakeAgent, Identities, file, giving, make_identities, plain_answers, process, refusing, serving
from leadglass.v1 import access_pb2, inspect_pb2
from leadglass_cli import Home, flags

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVIL = "\x1b[2J\x1b]0;owned\x07\r\u202e\u200b\u2028\x9b31m\x7f\U000e0041"
ESCAPED = r"\x1b[2J\x1b]0;owned\x07\x0d\u202e\u200b\u2028\x9b31m\x7f\U000e0041"


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Identities:
    return make_identities(tmp_path_factory.mktemp("identities"))


@pytest.fixture
def agent() -> FakeAgent:
    return FakeAgent(plain_answers())


@pytest.fixture
def run(agent: FakeAgent, identities: Identities, tmp_path: Path) -> Iterator[tuple[Home, tuple[str, ...]]]:
    with serving(agent, identities.server) as address:
        yield Home(tmp_path), flags(address, identities.client)


def _is_clean(text: str) -> bool:
    return all(line.isprintable() for line in text.splitlines()) and "\x1b" not in text


@pytest.mark.parametrize("form", ["table", "wide", "json", "jsonl", "yaml", "name"])
def test_escape_sequences_never_reach_the_terminal(
    run: tuple[Home, tuple[str, ...]], agent: FakeAgent, form: str
) -> None:
    home, given = run
    evil = inspect_pb2.ListDirectoryResponse(path=file(EVIL).name, entries=[file(EVIL)])
    agent.answers["ListDirectory"] = giving(evil)
    outcome = home.run_here(*given, "ls", "17", "/d", "-o", form)
    assert outcome.code == 0
    assert _is_clean(outcome.out)
    match form:
        case "json":
            shown = json.loads(outcome.out)["entries"][0]["name"]
        case "jsonl":
            shown = json.loads(outcome.out)["name"]
        case "yaml":
            shown = yaml.safe_load(outcome.out)["entries"][0]["name"]
        case "name":
            shown = outcome.out.strip().split("/")[-1]
        case _:
            shown = outcome.out.splitlines()[1].split("  ")[-1]
    assert shown == ESCAPED


def test_texts_of_refusals_and_sessions_are_escaped_too(run: tuple[Home, tuple[str, ...]], agent: FakeAgent) -> None:
    home, given = run
    agent.answers["GetSelf"] = refusing(grpc.StatusCode.INTERNAL, "INTERNAL", error_id=EVIL)
    assert _is_clean(home.run_here(*given, "self").err)
    agent.answers["GetSelf"] = refusing(grpc.StatusCode.INTERNAL, EVIL)
    assert _is_clean(home.run_here(*given, "self").err)
    session = access_pb2.Session(session_id=EVIL, caller=EVIL, reason=EVIL, ticket=EVIL, permissions=[EVIL])
    agent.answers["GetSession"] = giving(access_pb2.GetSessionResponse(session=session))
    for form in ("table", "json"):
        assert _is_clean(home.run_here(*given, "session", "show", "s-1", "-o", form).out)


def test_markup_in_a_name_stays_text(run: tuple[Home, tuple[str, ...]], agent: FakeAgent) -> None:
    home, given = run
    named = process(5, 0, "[bold red]x[/]", "[link=http://a]b[/link]", ":warning:")
    agent.answers["ListProcesses"] = giving(inspect_pb2.ListProcessesResponse(processes=[named]))
    assert home.run_here(*given, "ps").out.splitlines()[1].endswith("[link=http://a]b[/link] :warning:")


def test_an_oversized_message_is_an_error_and_not_a_crash(run: tuple[Home, tuple[str, ...]], agent: FakeAgent) -> None:
    home, given = run
    agent.answers["ListDirectory"] = giving(inspect_pb2.ListDirectoryResponse(entries=[file("x" * 9_000_000)]))
    outcome = home.run(*given, "ls", "17", "/d")
    assert (outcome.code, outcome.out) == (1, "")
    assert "RESOURCE_EXHAUSTED" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_large_message_is_shown_whole_where_a_program_reads_it(
    run: tuple[Home, tuple[str, ...]], agent: FakeAgent
) -> None:
    home, given = run
    agent.answers["ListDirectory"] = giving(inspect_pb2.ListDirectoryResponse(entries=[file("x" * 4_000_000)]))
    outcome = home.run_here(*given, "ls", "17", "/d", "-o", "json")
    assert outcome.code == 0
    assert len(json.loads(outcome.out)["entries"][0]["name"]) == 4_000_000


def test_pages_without_end_are_left(run: tuple[Home, tuple[str, ...]], agent: FakeAgent) -> None:
    home, given = run
    agent.answers["ListDirectory"] = giving(inspect_pb2.ListDirectoryResponse(next_page_token="again"))
    outcome = home.run_here(*given, "ls", "17", "/d")
    assert (outcome.code, outcome.out) == (1, "")
    assert "pages without end" in outcome.err
    assert len(agent.calls) == 2


def test_more_rows_than_asked_for_are_said_to_be_more(run: tuple[Home, tuple[str, ...]], agent: FakeAgent) -> None:
    home, given = run
    agent.answers["ListDirectory"] = giving(inspect_pb2.ListDirectoryResponse(entries=[file(str(n)) for n in range(5)]))
    outcome = home.run_here(*given, "ls", "17", "/d", "--limit", "2")
    assert "more than 2 rows" in outcome.err


def test_times_and_numbers_out_of_range_are_shown_and_not_a_crash(
    run: tuple[Home, tuple[str, ...]], agent: FakeAgent
) -> None:
    home, given = run
    odd = file("odd")
    odd.modify_time.seconds = 2**62
    odd.change_time.seconds = -(2**62)
    odd.change_time.nanos = -5
    odd.size_bytes = 2**64 - 1
    odd.mode = 2**32 - 1
    odd.type = 99  # type: ignore[assignment] # a value of a later version
    agent.answers["ListDirectory"] = giving(inspect_pb2.ListDirectoryResponse(entries=[odd]))
    for form in ("table", "wide", "json", "csv"):
        outcome = home.run_here(*given, "ls", "17", "/d", "-o", form)
        assert (outcome.code, outcome.err) == (0, ""), form


def test_fewer_answers_than_paths_are_an_error(run: tuple[Home, tuple[str, ...]]) -> None:
    home, given = run
    outcome = home.run_here(*given, "stat", "17", "/a", "/b")
    assert (outcome.code, outcome.out) == (1, "")
    assert "answered 1 of 2 paths" in outcome.err
