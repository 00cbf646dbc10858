"""Reading the one raw value that break-glass is about."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from leadglass_agent.errors import InvalidRequest, PolicyDenied, ProcessNotFound, RevealRefused
from leadglass_agent.policy.model import ProcessSelector, RuleId
from leadglass_agent.policy.scope import Bound, Scope, ScopeRule
from leadglass_agent.views import procfs
from leadglass_agent.views.reveal import MAX_VALUE, BreakglassValue, read_breakglass_value
from leadglass_agent.views.rows import ProcessRef
from planted_secrets import plant
from sample_processes import EVERY_NAME, OnDisk, lay_out, names_scope, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from leadglass_agent.views.procfs import ProcRoot


@pytest.fixture
def proc() -> Iterator[ProcRoot]:
    opened = procfs.open_proc()
    yield opened
    opened.close()


def _value(proc: ProcRoot, pid: int, name: str, scope: Scope = EVERY_NAME, start: int = 0) -> bytes | None:
    value = read_breakglass_value(proc, ProcessRef(pid, start), name, scope)
    return None if value is None else value.raw


def test_a_set_an_empty_and_an_unset_variable_are_told_apart(proc: ProcRoot) -> None:
    planted = plant("value", "other")
    with running(environment={"TOKEN": planted["value"], "TOKENS": planted["other"], "NONE": ""}) as pid:
        assert _value(proc, pid, "TOKEN") == planted["value"].encode()
        assert _value(proc, pid, "NONE") == b""
        assert _value(proc, pid, "TOKE") is None


def test_a_value_is_given_byte_for_byte_as_the_program_was_started_with_it(proc: ProcRoot) -> None:
    raw = bytes(range(1, 256)) + b"=\n="
    with running(environment={b"RAW": raw, b"NAME": b"x"}, script="os.environ['NAME'] = 'changed'") as pid:
        assert _value(proc, pid, "RAW") == raw
        assert _value(proc, pid, "NAME") == b"x"


def test_of_two_entries_with_one_name_the_first_counts(tmp_path: Path) -> None:
    proc = procfs.open_proc(lay_out(tmp_path, OnDisk(5, environment=b"A=first\0A=second\0")))
    assert _value(proc, 5, "A") == b"first"
    proc.close()


@pytest.mark.parametrize("size", [MAX_VALUE, MAX_VALUE + 1])
def test_a_value_above_its_bound_is_refused(tmp_path: Path, size: int) -> None:
    proc = procfs.open_proc(lay_out(tmp_path, OnDisk(5, environment=b"A=" + b"v" * size + b"\0B=x\0")))
    if size <= MAX_VALUE:
        assert _value(proc, 5, "A") == b"v" * size
    else:
        with pytest.raises(RevealRefused, match="32 KiB"):
            _value(proc, 5, "A")
    assert _value(proc, 5, "B") == b"x"
    proc.close()


def test_a_name_that_the_scope_hides_is_refused_alike_whether_it_is_set_or_not(proc: ProcRoot) -> None:
    with running(environment={"DB_PASSWORD": "x"}) as pid:
        scope = names_scope("API_*")
        refusals = []
        for name in ("DB_PASSWORD", "DB_MISSING"):
            with pytest.raises(PolicyDenied) as caught:
                _value(proc, pid, name, scope)
            refusals.append(str(caught.value))
    assert len(set(refusals)) == 1


def test_a_grant_s_bound_holds_for_the_one_process_and_name_that_it_selects(proc: ProcRoot) -> None:
    def bounded(process: str, name: str) -> Scope:
        bound = Bound("g", processes=(ProcessSelector(names=(process,)),), names=(name,))
        return Scope(permits=(ScopeRule(RuleId("r"), names=("*",), bounds=(bound,)),))

    with running(environment={"TOKEN": "value"}) as pid, procfs.open_process(proc, pid) as process:
        own = procfs.read_stat(process).name.decode()
        assert _value(proc, pid, "TOKEN", bounded(own, "TOKEN")) == b"value"
        with pytest.raises(PolicyDenied):
            _value(proc, pid, "TOKEN", bounded(own, "OTHER"))
        with pytest.raises(ProcessNotFound):
            _value(proc, pid, "TOKEN", bounded("another", "TOKEN"))


def test_a_forbidden_name_is_never_revealed(proc: ProcRoot) -> None:
    scope = Scope(permits=EVERY_NAME.permits, forbids=(ScopeRule(RuleId("no"), names=("TOKEN",)),))
    with running(environment={"TOKEN": "value", "OTHER": "x"}) as pid:
        assert _value(proc, pid, "OTHER", scope) == b"x"
        with pytest.raises(PolicyDenied):
            _value(proc, pid, "TOKEN", scope)


def test_another_process_than_the_one_that_was_meant_is_not_read(proc: ProcRoot) -> None:
    with running(environment={"TOKEN": "value"}) as pid, procfs.open_process(proc, pid) as process:
        start = procfs.read_stat(process).start_ticks
        assert _value(proc, pid, "TOKEN", start=start) == b"value"
        with pytest.raises(ProcessNotFound):
            _value(proc, pid, "TOKEN", start=start + 1)
    with pytest.raises(ProcessNotFound):
        _value(proc, pid, "TOKEN")


@pytest.mark.parametrize("name", ["", "A=B", "A\0B", "A" * 257])
def test_a_name_that_no_variable_can_have_is_refused(proc: ProcRoot, name: str) -> None:
    with pytest.raises(InvalidRequest):
        _value(proc, os.getpid(), name)


@pytest.mark.parametrize("environment", [b"a title\0A=piece\0", b"A=" + b"v" * (1024 * 1024)], ids=["title", "large"])
def test_an_environment_that_cannot_be_told_from_a_title_or_is_cut_reveals_nothing(
    tmp_path: Path, environment: bytes
) -> None:
    proc = procfs.open_proc(lay_out(tmp_path, OnDisk(5, environment=environment)))
    with pytest.raises(RevealRefused, match="too large, or overwritten"):
        _value(proc, 5, "A")
    proc.close()


def test_a_process_without_memory_is_refused_with_its_reason(tmp_path: Path) -> None:
    proc = procfs.open_proc(lay_out(tmp_path, OnDisk(5, state="Z")))
    with pytest.raises(RevealRefused, match="NO_USER_MEMORY"):
        _value(proc, 5, "A")
    proc.close()


def test_a_process_that_becomes_another_while_it_is_read_is_not_there(proc: ProcRoot) -> None:
    # Whichever of the two names it has, the scope admits it; only the change between two looks is refused.
    flip = """
import threading
def flip():
    while True:
        for name in (b"one", b"two"):
            with open("/proc/self/comm", "wb", buffering=0) as comm: comm.write(name)
threading.Thread(target=flip, daemon=True).start()
"""
    deadline = time.monotonic() + 60
    seen = set[str]()
    with running(environment={"TOKEN": "value"}, script=flip) as pid:
        while seen != {"read", "refused"}:
            assert time.monotonic() < deadline, f"only {seen}"
            try:
                assert _value(proc, pid, "TOKEN") == b"value"
                seen.add("read")
            except ProcessNotFound:
                seen.add("refused")


def test_a_value_shows_nothing_of_itself() -> None:
    assert repr(BreakglassValue(b"secret")) == "BreakglassValue(...)"
