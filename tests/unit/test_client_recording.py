"""`leadglass recording` against real agents: list, fetch, hold, release, shred, and who can open what was fetched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from leadglass_client.errors import ExitCode
from leadglass_client.forms import OutputForm
from recorded_shop import Recorded, Shop, recording_agent, shop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_RULES: Final = (
    'id: tree, effect: permit, permissions: [processes.list, processes.argv], processes: [{names: ["shop-*"]}]',
    'id: env, effect: permit, permissions: [env.presence, env.names], names: ["*"], processes: [{names: ["shop-*"]}]',
)
_WHY: Final = ("--reason", "the review of an incident needs this")


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with shop(tmp_path_factory.mktemp("shop")) as found:
        yield found


@pytest.fixture(scope="module")
def recorded(sold: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    with recording_agent(tmp_path_factory.mktemp("agent"), sold.policy("mounted", *_RULES)) as agent:
        yield agent


def _session(recorded: Recorded) -> tuple[str, str]:
    """Makes a session in which processes were listed; gives its id and what was printed."""
    session = recorded.open()
    shown = _shown(recorded)
    assert recorded.run("alice", "session", "close").code == 0
    return session, shown


def _shown(recorded: Recorded, *options: str) -> str:
    """Lists processes; a call for which the machine was too busy prints nothing, and replays as nothing."""
    outcome = recorded.run("alice", "ps", *options)
    while outcome.code == ExitCode.DEADLINE:
        outcome = recorded.run("alice", "ps", *options)
    return outcome.out


def test_recordings_are_listed_newest_first_without_anything_that_they_hold(recorded: Recorded) -> None:
    first, _ = _session(recorded)
    second, shown = _session(recorded)

    for form in OutputForm:
        outcome = recorded.run("carol", "recording", "list", "-o", form.value)
        assert outcome.code == 0
        assert outcome.out.index(second) < outcome.out.index(first)
        assert "shop-web" in shown
        assert "shop-web" not in outcome.out
    (newest,) = json.loads(recorded.run("carol", "recording", "list", "--limit", "1", "-o", "json").out)["recordings"]
    assert (newest["session_id"], newest["state"], newest["held"]) == (second, "COMPLETE", False)


def test_a_session_that_is_open_is_listed_as_such_and_can_be_replayed_so_far(recorded: Recorded) -> None:
    session = recorded.open()
    shown = _shown(recorded, "-o", "json")

    listed = json.loads(recorded.run("carol", "recording", "list", "-o", "json").out)["recordings"]
    outcome = recorded.run("carol", "replay", session, "-o", "json")

    assert {one["session_id"]: one["state"] for one in listed}[session] == "OPEN"
    assert (outcome.code, outcome.out) == (ExitCode.PARTIAL, shown)
    recorded.run("alice", "session", "close")


def test_a_fetched_recording_is_encrypted_and_only_its_owner_can_read_it(recorded: Recorded, tmp_path: Path) -> None:
    session, shown = _session(recorded)

    fetched = recorded.fetch(session, tmp_path / "it")
    again = recorded.fetch(session, tmp_path / "it")

    assert (fetched.code, fetched.out, again.code) == (0, "", ExitCode.USAGE)
    assert b"shop-web" not in (tmp_path / "it").read_bytes()
    assert {one.name: one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {"it": 0o600, "it.key": 0o600}
    assert (tmp_path / "it").read_bytes() == (recorded.agent.folder / "recordings" / f"{session}.rec").read_bytes()
    assert recorded.home.run_here("replay", str(tmp_path / "it")).out == shown
    log = str(recorded.agent.audit_log)
    assert recorded.home.run_here("replay", str(tmp_path / "it"), "--log", log).code == 0


def test_a_session_is_replayed_without_anything_being_kept(recorded: Recorded) -> None:
    session, shown = _session(recorded)
    before = sorted(recorded.home.folder.rglob("*"))

    outcome = recorded.run("carol", "replay", session)

    assert (outcome.code, outcome.out) == (0, shown)
    assert sorted(recorded.home.folder.rglob("*")) == before


def test_whoever_may_not_read_recordings_gets_none(recorded: Recorded, tmp_path: Path) -> None:
    session, _ = _session(recorded)

    for arguments in (
        ("recording", "list"),
        ("recording", "fetch", session, "-O", str(tmp_path / "it")),
        ("recording", "hold", session, *_WHY),
        ("recording", "release", session, *_WHY),
        ("recording", "shred", session, *_WHY, "--yes"),
        ("replay", session),
    ):
        outcome = recorded.run("alice", *arguments)
        assert (outcome.code, outcome.out) == (ExitCode.DENIED, "")
    assert list(tmp_path.iterdir()) == []


def test_a_session_that_was_not_recorded_is_not_found(recorded: Recorded, tmp_path: Path) -> None:
    for arguments in (
        ("recording", "fetch", "nobody", "-O", str(tmp_path / "it")),
        ("recording", "hold", "nobody", *_WHY),
        ("recording", "shred", "nobody", *_WHY, "--yes"),
        ("replay", "nobody"),
    ):
        assert recorded.run("carol", *arguments).code == ExitCode.NOT_FOUND
    assert recorded.run("carol", "recording", "hold", "no/session", *_WHY).code == ExitCode.USAGE


def test_what_is_held_is_not_destroyed_until_it_is_released(recorded: Recorded, tmp_path: Path) -> None:
    session, _ = _session(recorded)
    assert recorded.fetch(session, tmp_path / "copy").code == 0

    held = recorded.run("carol", "recording", "hold", session, *_WHY)
    refused = recorded.run("carol", "recording", "shred", session, *_WHY, "--yes")
    released = recorded.run("carol", "recording", "release", session, *_WHY)
    shredded = recorded.run("carol", "recording", "shred", session, *_WHY, "--yes", "-o", "json")

    assert (held.code, released.code, shredded.code) == (0, 0, 0)
    assert "held" in held.out
    assert "held" not in released.out
    assert refused.code == ExitCode.DENIED
    assert "recording release" in refused.err
    assert json.loads(shredded.out)["state"] == "SHREDDED"
    assert recorded.fetch(session, tmp_path / "gone").code == ExitCode.NOT_FOUND
    assert recorded.run("carol", "replay", session).code == ExitCode.NOT_FOUND
    assert recorded.home.run_here("replay", str(tmp_path / "copy")).code == 0  # a copy is not reached


def test_nothing_is_destroyed_without_a_yes(recorded: Recorded) -> None:
    session, shown = _session(recorded)
    connection = (
        "--cert",
        str(recorded.agent.client("carol").certificate),
        "--key",
        str(recorded.agent.client("carol").key),
    )
    where = ("--address", recorded.agent.address, "--server-name", "agent.test.leadglass")
    authority = ("--ca", str(recorded.agent.client("carol").authority))
    command = (*where, *connection, *authority, "recording", "shred", session, *_WHY)

    asked = recorded.run("carol", "recording", "shred", session, *_WHY)
    refused = recorded.home.converse(*command, replies=(("for good?", "n\n"),))

    assert (asked.code, refused.code) == (ExitCode.USAGE, ExitCode.INTERRUPTED)
    assert recorded.run("carol", "replay", session).out == shown
    assert recorded.home.converse(*command, replies=(("for good?", "y\n"),)).code == 0
    assert recorded.run("carol", "replay", session).code == ExitCode.NOT_FOUND


def test_what_is_sealed_to_an_auditor_opens_with_the_auditors_key_alone(sold: Shop, tmp_path: Path) -> None:
    auditor = X25519PrivateKey.generate()
    public = auditor.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "auditor.pub").write_bytes(public)
    private = tmp_path / "auditor.pem"
    private.write_bytes(
        auditor.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    private.chmod(0o600)
    key = ("--auditor-key", str(private))
    policy = sold.policy("sealed", *_RULES)
    with recording_agent(tmp_path / "agent", policy, auditor_key=tmp_path / "auditor.pub") as recorded:
        session, shown = _session(recorded)

        assert recorded.fetch(session, tmp_path / "sealed").code == 0
        assert recorded.fetch(session, tmp_path / "opened", *key).code == 0
        assert recorded.run("carol", "replay", session).code == ExitCode.USAGE
        assert recorded.run("carol", "replay", session, *key).out == shown

    assert recorded.home.run_here("replay", str(tmp_path / "sealed")).code == ExitCode.USAGE
    assert recorded.home.run_here("replay", str(tmp_path / "sealed"), *key).out == shown
    assert recorded.home.run_here("replay", str(tmp_path / "opened")).out == shown
