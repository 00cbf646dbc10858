"""What the kernel keeps from the sidecar has its reason in the answer, for each kind of neighbour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pod_files import SHOP
from pods import APP_ID, OTHER_ID, status_line

if TYPE_CHECKING:
    from pods import Street

pytestmark = [pytest.mark.container, pytest.mark.timeout(600)]

_REFUSED = {
    "other uid": "UID_MISMATCH",
    "other gid": "GID_MISMATCH",
    "capability": "CAPS_SUPERSET",
    "execute-only": "NOT_DUMPABLE",
}
_KINDS = ("web", "plain", "worker", *_REFUSED)


@pytest.mark.parametrize(("kind", "reason"), _REFUSED.items())
def test_an_environment_that_the_kernel_keeps_back_has_its_reason(street: Street, kind: str, reason: str) -> None:
    reply = street.pod.ask(street.agent, street.pod.alice, "env", str(street.pids[kind]), "-o", "json")

    assert reply.document()["unavailable"] == reason
    assert reply.document()["variables"] == []
    assert reply.code == 1
    assert reason in reply.err


@pytest.mark.parametrize(("kind", "reason"), _REFUSED.items())
def test_a_directory_that_the_kernel_keeps_back_has_its_reason(street: Street, kind: str, reason: str) -> None:
    reply = street.pod.ask(street.agent, street.pod.alice, "ls", str(street.pids[kind]), SHOP, "-o", "json")

    assert reply.document()["unavailable"] == reason
    assert reply.document()["entries"] == []


@pytest.mark.parametrize(("kind", "reason"), _REFUSED.items())
def test_a_file_that_the_kernel_keeps_back_has_its_reason(street: Street, kind: str, reason: str) -> None:
    reply = street.pod.ask(street.agent, street.pod.alice, "stat", str(street.pids[kind]), f"{SHOP}/x", "-o", "json")

    assert [file["unavailable"] for file in reply.rows("files")] == [reason]


@pytest.mark.parametrize("kind", _KINDS)
def test_every_neighbour_has_its_row_with_masked_arguments(street: Street, kind: str) -> None:
    reply = street.pod.ask(street.agent, street.pod.alice, "ps", "--pid", str(street.pids[kind]), "-o", "json")

    (row,) = reply.rows("processes")
    assert row["owner_uid"] == (OTHER_ID if kind == "other uid" else APP_ID)
    assert row["owner_gid"] == (OTHER_ID if kind == "other gid" else APP_ID)
    assert row["arguments"]
    assert row["executable_unavailable"] == _REFUSED.get(kind)
    assert (row["executable"] is None) == (kind in _REFUSED)


@pytest.mark.parametrize("kind", ["web", "plain", "worker"])
def test_a_neighbour_of_the_same_user_and_group_is_seen_in_full(street: Street, kind: str) -> None:
    names = ("API_TOKEN", "EMPTY_SETTING", "NO_SUCH_SETTING")
    reply = street.pod.ask(street.agent, street.pod.alice, "env", str(street.pids[kind]), *names, "-o", "json")

    presence = [(row["name"], row["presence"]) for row in reply.rows("variables")]
    assert presence == list(zip(names, ("PRESENT", "EMPTY", "UNSET"), strict=True))
    assert reply.code == 0


def test_the_neighbours_are_what_the_matrix_calls_them(street: Street) -> None:
    host = {kind: street.pod.engine.host_pid(name) for kind, name in street.containers.items()}

    held = {kind: int(status_line(pid, "CapPrm"), 16) for kind, pid in host.items()}
    assert held == dict.fromkeys(host, 0) | {"capability": 1 << 10}
