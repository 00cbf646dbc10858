"""Texts of /proc that tell where a process comes from: read as the kernel writes them, refused in any other form."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.views.proc_text import (
    ProcParseError,
    parse_container_id,
    parse_last_pid,
    parse_origin,
    parse_processors,
    parse_root_mount,
)

_ID = "7a9086428662a63752186303398c2c1fad270215a2348e5472c6c67e00cf4349"


def test_the_origin_of_this_very_process_is_read() -> None:
    origin = parse_origin(Path("/proc/self/stat").read_bytes())

    assert (origin.pid, origin.parent_pid, origin.session) == (os.getpid(), os.getppid(), os.getsid(0))
    assert (origin.nice, origin.policy) == (os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0))
    assert (origin.kernel_thread, origin.state) == (False, "R")


@pytest.mark.parametrize("name", [b"a b", b"a) S 1 (b", b"\n", b"", b"((", b"))"])
def test_a_name_cannot_tell_another_parent(name: bytes) -> None:
    rest = b") S 7 7 8 0 -1 4194560 " + b"0 " * 8 + b"20 -5 1 0 99 " + b"0 " * 18 + b"3 0 0\n"

    origin = parse_origin(b"41 (" + name + rest)

    assert (origin.pid, origin.name, origin.parent_pid, origin.session) == (41, name, 7, 8)
    assert (origin.nice, origin.start_ticks) == (-5, 99)


def test_a_session_of_a_process_that_ends_is_none() -> None:
    rest = b") Z 7 -1 -1 0 -1 4194560 " + b"0 " * 8 + b"20 0 1 0 99 " + b"0 " * 18 + b"3 0 0\n"

    assert parse_origin(b"41 (x" + rest).session == 0


def test_the_last_mount_on_the_root_is_the_one_that_is_seen() -> None:
    proc = b"74 73 0:5 / /proc rw - proc proc rw\n"

    assert parse_root_mount(b"20 1 0:1 / / rw - rootfs none rw\n73 20 0:40 / / rw - overlay overlay rw\n" + proc) == 73
    assert parse_root_mount(proc) == 0
    assert parse_root_mount(b"") == 0


def test_the_number_given_last_is_the_last_of_loadavg() -> None:
    assert parse_last_pid(b"1.30 0.95 0.75 2/126 14026\n") == 14026


@pytest.mark.parametrize(
    ("cgroup", "found"),
    [
        (f"0::/../cri-containerd-{_ID}.scope\n", _ID[:12]),
        (f"0::/kubepods/burstable/pod1e2d/{_ID}\n", _ID[:12]),
        (f"0::/libpod_parent/{'0' * 64}/libpod-{_ID}\n", _ID[:12]),
        (f"9:name=systemd:/docker/{_ID}\n0::/docker/{_ID}\n", _ID[:12]),
        (f"0::/system.slice/docker-{_ID}.scope/init\n", _ID[:12]),
        ("0::/\n", ""),
        ("0::/user.slice/user-0.slice/session-1.scope\n", ""),
        (f"0::/{_ID}ab\n", ""),
    ],
)
def test_a_container_has_the_name_that_its_runtime_gives(cgroup: str, found: str) -> None:
    assert parse_container_id(cgroup.encode()) == found


def test_the_processors_are_those_of_this_process() -> None:
    text = parse_processors(Path("/proc/self/status").read_bytes()).decode()
    spans = [part.split("-") for part in text.split(",")]

    assert {one for span in spans for one in range(int(span[0]), int(span[-1]) + 1)} == os.sched_getaffinity(0)


@given(st.binary(max_size=400))
def test_any_other_text_is_one_error(text: bytes) -> None:
    for parse in (parse_origin, parse_root_mount, parse_last_pid, parse_container_id, parse_processors):
        with suppress(ProcParseError):
            parse(text)
