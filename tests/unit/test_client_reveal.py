"""A value that is revealed appears once on a terminal or in a private file, and nowhere else."""

from __future__ import annotations

import json
import os
import pty
import signal
import stat
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import grpc
import pytest

from fake_agent import (
    GRANT_ID,
    FakeAgent,
    Identities,
    giving,
    make_identities,
    plain_answers,
    refusing,
    sealing,
    serving,
)
from leadglass.v1 import access_pb2
from leadglass_cli import Home, flags

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VALUE = "postgresql://shop:" + "planted-" + "value-71@db/shop"
REVEAL = ("reveal", "DATABASE_URL", "--pid", "17")
LEAVE = "\x1b[2J\x1b[H\x1b[?1049l"


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Identities:
    return make_identities(tmp_path_factory.mktemp("identities"))


@pytest.fixture
def agent() -> FakeAgent:
    return FakeAgent({**plain_answers(), "Reveal": sealing(VALUE.encode())})


@pytest.fixture
def home(tmp_path: Path, agent: FakeAgent, identities: Identities) -> Iterator[Home]:
    with serving(agent, identities.server) as address:
        home = Home(tmp_path)
        added = home.run_here("context", "set", "demo", *flags(address, identities.client))
        assert added.code == 0, added.err
        yield home


def test_a_value_stands_on_the_second_screen_alone_and_goes_with_a_key(home: Home) -> None:
    outcome = home.converse(*REVEAL, replies=[(VALUE, "q")])
    assert outcome.code == 0, outcome.out
    before, _, after = outcome.out.partition(VALUE)
    assert before.startswith("\x1b[?1049h\x1b[2J\x1b[H")
    assert after.startswith(LEAVE)
    assert VALUE not in after
    assert "q" not in after.removeprefix(LEAVE).splitlines()[0]
    assert f"grant     {GRANT_ID}, used up" in after
    assert "review    r-1, owed" in after


def test_no_form_of_output_holds_the_value(home: Home) -> None:
    for form in ("table", "wide", "json", "jsonl", "yaml", "csv", "name"):
        outcome = home.converse(*REVEAL, "-o", form, replies=[(VALUE, "q")])
        assert outcome.code == 0
        assert outcome.out.count(VALUE) == 1
        assert "r-1" in outcome.out.partition(LEAVE)[2]


@pytest.mark.parametrize("key", ["\x03", "\x1a", "\x1c", "\n", "\x1b[A"])
def test_keys_that_interrupt_or_suspend_clear_the_screen_as_any_other(home: Home, key: str) -> None:
    outcome = home.converse(*REVEAL, replies=[(VALUE, key)])
    assert outcome.code == 0
    assert LEAVE in outcome.out.partition(VALUE)[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_it_clears_the_screen_first(home: Home, number: signal.Signals) -> None:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    command = [sys.executable, "-m", "leadglass_client.main", *REVEAL]
    env = home.environment(TERM="xterm")
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=env) as process:
        written = b""
        while VALUE.encode() not in written:
            written += os.read(ours, 65536)
        process.send_signal(number)
        assert process.wait(60) == 130
        assert process.stderr is not None
        assert VALUE.encode() not in process.stderr.read()
    assert termios.tcgetattr(theirs) == before
    assert os.read(ours, 65536).decode().startswith(LEAVE)
    os.close(theirs)
    os.close(ours)


def test_what_a_value_holds_cannot_move_the_cursor_and_long_ones_have_pages(home: Home, agent: FakeAgent) -> None:
    agent.answers["Reveal"] = sealing(b"first\x1b[2Jline\n" + b"x" * 3_000 + b"\xff\nlast line")
    outcome = home.converse(*REVEAL, replies=[("(1 of 2)", "q"), ("last line", "q")])
    assert outcome.code == 0
    assert r"first\x1b[2Jline" in outcome.out
    assert r"\udcff" in outcome.out


def test_without_a_terminal_nothing_is_asked_for(home: Home, agent: FakeAgent) -> None:
    outcome = home.run(*REVEAL)
    assert (outcome.code, outcome.out) == (2, "")
    assert "never goes to a pipe" in outcome.err
    assert home.converse("reveal", "A", "--pid", "1", "--address", "x", replies=[]).code == 2
    assert VALUE not in outcome.err
    assert agent.calls == []


def test_a_value_goes_to_a_new_file_that_its_owner_alone_can_read(home: Home) -> None:
    path = home.folder / "value"
    outcome = home.run(*REVEAL, "--to-file", str(path), "-o", "json")
    assert outcome.code == 0, outcome.err
    assert path.read_text() == VALUE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert VALUE not in outcome.out + outcome.err
    assert json.loads(outcome.out) == {
        "name": "DATABASE_URL",
        "pid": 17,
        "is_set": True,
        "shown_on": str(path),
        "grant_id": GRANT_ID,
        "review_id": "r-1",
    }


def test_a_file_that_cannot_be_written_is_found_before_the_grant_is_used_up(home: Home, agent: FakeAgent) -> None:
    path = home.folder / "value"
    path.write_text("something else")
    assert home.run(*REVEAL, "--to-file", str(path)).code == 2
    assert home.run(*REVEAL, "--to-file", str(home.folder / "no" / "folder")).code == 1
    assert path.read_text() == "something else"
    assert agent.calls == []


def test_a_refusal_leaves_no_file(home: Home, agent: FakeAgent) -> None:
    path = home.folder / "value"
    agent.answers["Reveal"] = refusing(grpc.StatusCode.PERMISSION_DENIED, "APPROVAL_NEEDED")
    assert home.run(*REVEAL, "--to-file", str(path)).code == 9
    assert not path.exists()


def test_a_variable_that_is_not_set_is_not_found_and_leaves_no_file(home: Home, agent: FakeAgent) -> None:
    path = home.folder / "value"
    agent.answers["Reveal"] = giving(access_pb2.RevealResponse(is_set=False))
    outcome = home.run(*REVEAL, "--to-file", str(path))
    assert outcome.code == 4
    assert "value     not set" in outcome.out
    assert not path.exists()


def test_a_value_sealed_for_another_variable_or_key_is_not_shown(home: Home, agent: FakeAgent) -> None:
    path = home.folder / "value"
    honest = sealing(VALUE.encode())

    def swapped(request: object, context: grpc.ServicerContext) -> access_pb2.RevealResponse:
        assert isinstance(request, access_pb2.RevealRequest)
        other = access_pb2.RevealRequest()
        other.CopyFrom(request)
        other.name = "OTHER"
        answer = honest(other, context)
        assert isinstance(answer, access_pb2.RevealResponse)
        return answer

    agent.answers["Reveal"] = swapped
    outcome = home.run(*REVEAL, "--to-file", str(path))
    assert (outcome.code, outcome.out) == (1, "")
    assert not path.exists()
    agent.answers["Reveal"] = giving(access_pb2.RevealResponse(is_set=True, sealed_value="AAAA"))
    assert home.run(*REVEAL, "--to-file", str(path)).code == 1


def test_every_reveal_has_a_key_of_its_own(home: Home, agent: FakeAgent) -> None:
    for number in range(2):
        assert home.run(*REVEAL, "--to-file", str(home.folder / f"value{number}")).code == 0
    keys = [call.request.recipient_key for call in agent.calls if isinstance(call.request, access_pb2.RevealRequest)]
    assert len(set(keys)) == 2
