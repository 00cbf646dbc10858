"""The sidecar beside a server program that is not ours: what it shows, what it never shows, and what it records."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

import wire_crawl
from leadglass.v1 import access_pb2, agent_pb2, inspect_pb2
from pod_files import SERVER_NAME, SHOP

if TYPE_CHECKING:
    from pods import Reply, Street

pytestmark = [pytest.mark.container, pytest.mark.timeout(600)]

# What a call may end with, however hostile; anything else is a fault of the agent.
_STATUSES = {"OK", "INVALID_ARGUMENT", "FAILED_PRECONDITION", "PERMISSION_DENIED", "NOT_FOUND", "UNIMPLEMENTED"}


class _Ref(msgspec.Struct):
    pid: int


class _Process(msgspec.Struct):
    ref: _Ref
    name: str
    arguments: tuple[str, ...]


class _Processes(msgspec.Struct):
    processes: tuple[_Process, ...]


def _ask(street: Street, *arguments: str) -> Reply:
    return street.pod.ask(street.agent, street.pod.alice, *arguments)


def test_the_tree_shows_a_real_server_with_its_password_masked(street: Street) -> None:
    rows = {row.ref.pid: row for row in _processes(_ask(street, "ps", "-o", "json"))}

    redis = rows[street.pids["plain"]]
    assert redis.name == "redis-server"
    assert redis.arguments[:4] == ("redis-server", "--port", "6381", "--requirepass")
    assert redis.arguments[4].startswith("[redacted:")
    assert set(street.pids.values()) <= rows.keys()


def test_arguments_keep_their_boundaries_when_masked(street: Street) -> None:
    shell, called = _processes(_ask(street, "ps", "--subtree", str(street.pids["worker"]), "-o", "json"))

    assert (len(shell.arguments), len(called.arguments)) == (3, 6)
    assert called.arguments[1:3] == (f"{SHOP}/bin/curl", "-u")
    assert "[redacted:" in called.arguments[3]
    assert called.arguments[4].startswith("--password=[redacted:")
    assert called.arguments[5].startswith("-Dspring.datasource.password=[redacted:")
    assert shell.arguments[2].startswith("PGPASSWORD=[redacted:")


def test_the_environment_of_a_real_server_is_names_and_presence(street: Street) -> None:
    reply = _ask(street, "env", str(street.pids["web"]), "-o", "json")

    presence = {row["name"]: row["presence"] for row in reply.rows("variables")}
    assert presence["API_TOKEN"] == presence["DATABASE_URL"] == "PRESENT"
    assert presence["EMPTY_SETTING"] == "EMPTY"


def test_metadata_of_a_file_is_as_the_app_sees_it(street: Street) -> None:
    reply = _ask(street, "stat", str(street.pids["web"]), f"{SHOP}/settings.env", f"{SHOP}/current", "-o", "json")

    settings, link = reply.rows("files")
    assert (settings["type"], settings["owner_uid"], settings["unavailable"]) == ("REGULAR", 1000, None)
    assert settings["size_bytes"] == len("STRIPE_KEY=\n") + len(street.pod.planted["file content"])
    assert (link["type"], link["link_target"]) == ("SYMLINK", "settings.env")


def test_a_directory_lists_what_policy_lets_the_caller_see(street: Street) -> None:
    reply = _ask(street, "ls", str(street.pids["web"]), SHOP, "-o", "json")

    assert [row["name"] for row in reply.rows("entries")] == ["bin", "current", "escape", "settings.env"]


@pytest.mark.parametrize("path", ["/etc/passwd", f"{SHOP}/keys", "/proc/1/environ", f"{SHOP}/escape"])
def test_what_policy_hides_looks_like_what_does_not_exist(street: Street, path: str) -> None:
    pid = str(street.pids["web"])
    hidden = _ask(street, "stat", "-L", pid, path, "-o", "json")
    absent = _ask(street, "stat", "-L", pid, "/no/such/file", "-o", "json")

    assert hidden.code == absent.code == 4
    assert hidden.out == absent.out.replace("/no/such/file", path)


@pytest.mark.parametrize("path", [f"{SHOP}/../../etc/passwd", "settings.env", ""])
def test_a_path_that_climbs_or_does_not_begin_at_the_root_is_refused(street: Street, path: str) -> None:
    reply = _ask(street, "stat", str(street.pids["web"]), path)

    assert (reply.code, reply.out) == (2, "")


def test_a_caller_without_permission_is_denied_with_the_reason(street: Street) -> None:
    pod = street.pod
    opened = pod.ask(
        street.agent, pod.bob, "session", "open", "--reason", "looking where I may not look", "--ticket", "X-1"
    )
    reply = pod.ask(street.agent, pod.bob, "ps")

    assert opened.code == 0, opened.err
    assert (reply.code, reply.out) == (3, "")
    assert "policy" in reply.err


def test_the_agent_holds_no_capability_and_can_gain_none(street: Street) -> None:
    document = _ask(street, "self", "-o", "json").document()

    assert document["audit_writable"] is True
    processes = _ask(street, "self", "-o", "json").rows("processes")
    assert {process["role"] for process in processes} >= {"READER", "FRONT"}
    assert {process["effective_capabilities"] for process in processes} == {0}
    assert {process["no_new_privs"] for process in processes} == {True}
    assert {(process["uid"], process["gid"]) for process in processes} == {(1000, 1000)}


def test_nothing_but_the_audit_volume_can_be_written_in_the_sidecar(street: Street) -> None:
    pid = street.pod.engine.host_pid(street.agent.container)
    mounts = [line.split() for line in Path(f"/proc/{pid}/mountinfo").read_text(encoding="ascii").splitlines()]

    writable = {fields[4] for fields in mounts if "rw" in fields[5].split(",")}
    kernel = {place for place in writable if place == "/dev" or place.startswith(("/dev/", "/proc", "/sys"))}
    # podman writes these three itself, outside the container.
    assert writable - kernel - {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/run/.containerenv"} == {
        "/var/lib/leadglass"
    }


def test_every_method_is_asked_about_everything_and_no_secret_comes_back(street: Street) -> None:
    pod = street.pod
    command = [sys.executable, wire_crawl.__file__, street.agent.address, SERVER_NAME, str(pod.alice.certificates)]
    crawled = pod.inside(command, pod.alice)

    assert crawled.code == 0, crawled.err
    answers = [json.loads(line) for line in crawled.out.splitlines()]
    leaks = {leak for answer in answers for leak in pod.planted.leaks(bytes.fromhex(answer["bytes"]))}
    answered = {answer["method"] for answer in answers if answer["status"] == "OK"}
    assert leaks == set()
    # A policy without break-glass has nothing to reveal, and no review that could be closed.
    assert answered == {
        f"/{service.full_name}/{method.name}"
        for descriptor in (access_pb2.DESCRIPTOR, agent_pb2.DESCRIPTOR, inspect_pb2.DESCRIPTOR)
        for service in descriptor.services_by_name.values()
        for method in service.methods
        if method.name not in {"Reveal", "CloseReview"}
    }
    assert {answer["status"] for answer in answers} <= _STATUSES
    assert len(answers) > 500


def test_no_form_of_output_shows_a_secret(street: Street) -> None:
    pid = str(street.pids["web"])
    questions = (("ps",), ("env", pid), ("ls", pid, SHOP), ("stat", pid, f"{SHOP}/settings.env"), ("self",))
    every = ("table", "wide", "json", "jsonl", "yaml", "csv", "name")
    forms = {"ps": every, "env": every}
    shown = [
        _ask(street, *question, "-o", form)
        for question in questions
        for form in forms.get(question[0], ("wide", "csv"))
    ]

    assert {reply.code for reply in shown} == {0}
    assert street.pod.planted.leaks("".join(reply.out + reply.err for reply in shown).encode()) == ()


def test_no_secret_is_in_the_audit_log_or_in_what_the_agent_prints(street: Street) -> None:
    _ask(street, "ps")

    assert street.pod.planted.leaks(street.agent.audit_log.read_bytes()) == ()
    assert street.pod.planted.leaks(street.agent.output()) == ()


def test_the_search_would_find_what_was_planted(street: Street) -> None:
    root = Path(f"/proc/{street.pod.engine.host_pid(street.containers['worker'])}")
    redis = Path(f"/proc/{street.pod.engine.host_pid(street.containers['plain'])}")
    web = Path(f"/proc/{street.pod.engine.host_pid(street.containers['web'])}")
    planted = b"".join(
        (
            (root / "cmdline").read_bytes(),
            (redis / "cmdline").read_bytes(),
            (web / "environ").read_bytes(),
            (web / "root/srv/shop/settings.env").read_bytes(),
            "\n".join(path.name for path in (web / "root/srv/shop/keys").iterdir()).encode(),
        )
    )

    assert {leak.partition(" (")[0] for leak in street.pod.planted.leaks(planted)} == set(street.pod.planted.by_place)


def test_the_audit_log_verifies_offline(street: Street) -> None:
    reply = _ask(street, "audit", "verify", str(street.agent.audit_log))

    assert reply.code == 0, reply.err
    kinds = [record["kind"] for record in street.agent.records()]
    assert kinds[0] == "AGENT_STARTED"
    assert {"SESSION_OPENED", "INTENT", "OUTCOME"} <= set(kinds)


def test_an_audit_log_that_was_edited_does_not_verify(street: Street, tmp_path: Path) -> None:
    forged = tmp_path / "audit.jsonl"
    forged.write_bytes(street.agent.audit_log.read_bytes().replace(b"/user/alice", b"/user/carol", 1))
    reply = _ask(street, "audit", "verify", str(forged))

    assert reply.code == 10


def _processes(reply: Reply) -> tuple[_Process, ...]:
    assert reply.code == 0, reply.err
    return msgspec.json.decode(reply.out, type=_Processes).processes
