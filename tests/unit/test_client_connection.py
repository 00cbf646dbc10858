"""The client connects to the workload that it means, as itself, and says what is wrong if it cannot."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from fake_agent import SERVER_NAME, FakeAgent, Identities, make_identities, plain_answers, serving
from leadglass_cli import SECONDS, Home, Outcome, flags
from leadglass_client.authority import create_authority, issue_client, issue_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from google.protobuf.message import Message


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Identities:
    return make_identities(tmp_path_factory.mktemp("identities"))


@pytest.fixture
def agent() -> FakeAgent:
    return FakeAgent(plain_answers())


@pytest.fixture
def address(agent: FakeAgent, identities: Identities) -> Iterator[str]:
    with serving(agent, identities.server) as address:
        yield address


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def _only_line(outcome: Outcome) -> str:
    """Gives what happened, and checks that nothing but it and what to do next was said."""
    happened, next_step = outcome.err.splitlines()
    assert next_step.startswith("      next: ")
    return happened.removeprefix("leadglass: ")


def test_flags_alone_are_enough(home: Home, address: str, identities: Identities) -> None:
    outcome = home.run(*flags(address, identities.client), "self")
    assert (outcome.code, outcome.err) == (0, "")


def test_a_server_that_is_another_workload_is_refused(
    home: Home, agent: FakeAgent, address: str, identities: Identities
) -> None:
    outcome = home.run(*flags(address, identities.client, "other.leadglass.internal"), "self")
    assert outcome.code == 5
    assert _only_line(outcome).startswith("the server's certificate does not name 'other.leadglass.internal'")
    assert agent.calls == []


def test_a_server_of_another_authority_is_refused(
    home: Home, agent: FakeAgent, address: str, identities: Identities, tmp_path: Path
) -> None:
    other = create_authority(tmp_path / "other", "demo.leadglass")
    outcome = home.run(*flags(address, replace(identities.client, authority=other.authority)), "self")
    assert outcome.code == 5
    assert _only_line(outcome).startswith("the server's certificate is not from the authority in")
    assert agent.calls == []


def test_an_expired_server_certificate_is_said_to_be_expired(home: Home, tmp_path: Path) -> None:
    past = datetime.now(UTC) - timedelta(days=2)
    create_authority(tmp_path / "ca", "demo.leadglass", now=past)
    server = issue_server(tmp_path / "ca", SERVER_NAME, tmp_path / "server", timedelta(hours=1), now=past)
    client = issue_client(tmp_path / "ca", "/user/alice", tmp_path / "alice")
    with serving(FakeAgent(plain_answers()), server) as address:
        outcome = home.run(*flags(address, client), "self")
    assert outcome.code == 5
    assert _only_line(outcome).startswith("the server's certificate has expired")


def test_a_caller_of_another_authority_is_told_that_the_agent_did_not_accept_the_certificate(
    home: Home, agent: FakeAgent, address: str, identities: Identities, tmp_path: Path
) -> None:
    create_authority(tmp_path / "other", "demo.leadglass")
    stranger = issue_client(tmp_path / "other", "/user/alice", tmp_path / "stranger")
    outcome = home.run(*flags(address, replace(stranger, authority=identities.client.authority)), "self")
    assert outcome.code == 5
    assert _only_line(outcome).startswith("the agent did not accept your certificate, or you sent none")
    assert agent.calls == []


def test_ones_own_expired_certificate_is_found_before_connecting(home: Home, tmp_path: Path) -> None:
    past = datetime.now(UTC) - timedelta(days=2)
    create_authority(tmp_path / "ca", "demo.leadglass", now=past)
    client = issue_client(tmp_path / "ca", "/user/alice", tmp_path / "alice", timedelta(hours=1), now=past)
    outcome = home.run(*flags("127.0.0.1:1", client), "self")
    assert outcome.code == 5
    assert f"expired at {past + timedelta(hours=1):%Y-%m-%d}" in outcome.err
    assert "leadglass ca issue" in outcome.err


def test_nothing_at_the_address_is_unreachable(home: Home, identities: Identities) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        outcome = home.run(*flags(address, identities.client), "self")
    assert outcome.code == 6
    assert f"nothing listens at {address}" in outcome.err


def test_something_else_at_the_address_is_unreachable(home: Home, identities: Identities) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "0", "--directory", str(home.folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().split("port ")[1].split()[0]
            outcome = home.run(*flags(f"127.0.0.1:{port}", identities.client), "self")
        finally:
            server.terminate()
    assert outcome.code == 6
    assert "does not speak TLS" in outcome.err


def test_an_agent_that_never_answers_ends_at_the_deadline(
    home: Home, agent: FakeAgent, address: str, identities: Identities
) -> None:
    def silent(_request: Message, _context: object) -> Message:
        time.sleep(3)
        raise AssertionError

    agent.answers["GetSelf"] = silent
    outcome = home.run(*flags(address, identities.client), "--timeout", "0.5", "self")
    assert outcome.code == 7
    assert f"no full answer from {address} within 0.5 s" in outcome.err


def test_a_key_that_others_can_read_is_refused_with_the_command_that_helps(
    home: Home, address: str, identities: Identities, tmp_path: Path
) -> None:
    key = tmp_path / "my key.pem"
    shutil.copy(identities.client.key, key)
    key.chmod(0o640)
    outcome = home.run_here(*flags(address, replace(identities.client, key=key)), "self")
    assert outcome.code == 2
    assert f"next: keep it to yourself: chmod 600 '{key}'" in outcome.err
    key.chmod(0o600)
    assert home.run_here(*flags(address, replace(identities.client, key=key)), "self").code == 0


def test_a_key_of_another_certificate_is_found_before_connecting(
    home: Home, identities: Identities, tmp_path: Path
) -> None:
    bob = issue_client(identities.authority, "/user/bob", tmp_path / "bob")
    outcome = home.run_here(*flags("127.0.0.1:1", replace(identities.client, key=bob.key)), "self")
    assert outcome.code == 2
    assert "does not belong to the certificate" in outcome.err


@pytest.mark.parametrize("left_out", ["--address", "--server-name", "--ca", "--cert", "--key"])
def test_what_is_missing_is_named_with_the_flag_that_gives_it(
    home: Home, identities: Identities, left_out: str
) -> None:
    given = flags("127.0.0.1:1", identities.client)
    at = given.index(left_out)
    outcome = home.run_here(*given[:at], *given[at + 2 :], "self")
    assert outcome.code == 2
    assert f"next: give {left_out} " in outcome.err


@pytest.mark.parametrize(
    "address", ["localhost", ":7443", "host:0", "host:70000", "unix:/run/agent", "http://a:1", "::1:2"]
)
def test_an_address_that_is_none_is_refused(home: Home, identities: Identities, address: str) -> None:
    outcome = home.run_here(*flags(address, identities.client), "self")
    assert outcome.code == 2
    assert "is no address" in outcome.err


@pytest.mark.parametrize("session", ["a b", "é", "x\ny", "a" * 201])
def test_a_session_id_that_is_none_is_not_sent(home: Home, identities: Identities, session: str) -> None:
    outcome = home.run_here(*flags("127.0.0.1:1", identities.client), "--session", session, "self")
    assert outcome.code == 2
    assert "id of the session is none" in outcome.err


def test_a_proxy_of_the_environment_has_no_say(home: Home, address: str, identities: Identities) -> None:
    outcome = home.run(*flags(address, identities.client), "self", http_proxy="http://127.0.0.1:1", no_proxy="")
    assert outcome.code == 0


def test_an_interrupt_ends_quietly(home: Home, agent: FakeAgent, address: str, identities: Identities) -> None:
    def silent(_request: Message, _context: object) -> Message:
        time.sleep(2)
        raise AssertionError

    agent.answers["GetSelf"] = silent
    with subprocess.Popen(
        [sys.executable, "-m", "leadglass_client.main", *flags(address, identities.client), "self"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=home.environment(),
    ) as command:
        while not agent.calls:
            time.sleep(0.01)
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=SECONDS)
    assert (command.returncode, out, err.strip()) == (130, b"", b"")


def test_a_reader_that_leaves_ends_the_command_quietly(home: Home, address: str, identities: Identities) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(
        [sys.executable, "-m", "leadglass_client.main", *flags(address, identities.client), "ps"],
        stdout=writing,
        stderr=subprocess.PIPE,
        env=home.environment(),
    ) as command:
        os.close(writing)
        _, err = command.communicate(timeout=SECONDS)
    assert (command.returncode, err) == (130, b"")
