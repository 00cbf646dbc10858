"""Presence of environment variables, and nothing about their values."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.errors import InvalidRequest, PolicyDenied, ProcessNotFound
from leadglass_agent.policy.model import ProcessSelector, RuleId
from leadglass_agent.policy.scope import Scope, ScopeRule
from leadglass_agent.redaction.redactor import Redactor
from leadglass_agent.views import procfs
from leadglass_agent.views.environment import list_environment, parse_environment
from leadglass_agent.views.procfs import Block
from leadglass_agent.views.remembered import ShownNames
from leadglass_agent.views.rows import Presence, ProcessRef, Unavailable
from planted_secrets import plant
from sample_processes import EVERY_NAME, OnDisk, lay_out, names_scope, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.views.procfs import ProcRoot
    from leadglass_agent.views.rows import EnvironmentPage

REDACTOR = Redactor()
NAMES = ShownNames(REDACTOR, 256)


@pytest.fixture
def proc() -> Iterator[ProcRoot]:
    opened = procfs.open_proc()
    yield opened
    opened.close()


def _asked(proc: ProcRoot, pid: int, *names: str, scope: Scope = EVERY_NAME, start: int = 0) -> EnvironmentPage:
    return list_environment(proc, NAMES, ProcessRef(pid, start), names, scope, None, 0, 100)


def _listed(
    proc: ProcRoot,
    pid: int,
    presence: Scope = EVERY_NAME,
    names: Scope | None = EVERY_NAME,
    after: int = 0,
    limit: int = 1_000,
) -> EnvironmentPage:
    return list_environment(proc, NAMES, ProcessRef(pid, 0), (), presence, names, after, limit)


def _presences(page: EnvironmentPage) -> list[Presence]:
    return [row.presence for row in page.rows]


def _names(page: EnvironmentPage) -> list[str]:
    return [row.name.text for row in page.rows]


def _laid_out(folder: Path, environment: bytes) -> ProcRoot:
    return procfs.open_proc(lay_out(folder, OnDisk(5, environment=environment)))


def test_a_variable_is_unset_empty_or_present_and_its_value_is_nowhere(proc: ProcRoot) -> None:
    planted = plant("value", "other value")
    environment = {"LANG": "C.UTF-8", "TOKEN": planted["value"], "OTHER": planted["other value"], "NONE": ""}
    with running(environment=environment) as pid:
        asked = _asked(proc, pid, "TOKEN", "NONE", "MISSING", "TOKE", "TOKEN")
        listed = _listed(proc, pid)
    assert _presences(asked) == [Presence.PRESENT, Presence.EMPTY, Presence.UNSET, Presence.UNSET, Presence.PRESENT]
    assert _names(asked) == ["TOKEN", "NONE", "MISSING", "TOKE", "TOKEN"]
    assert (asked.process.pid, asked.next_index, asked.unavailable, asked.truncated) == (pid, 0, None, False)
    assert set(_names(listed)) >= {"TOKEN", "OTHER", "NONE"}
    assert _names(listed) == sorted(_names(listed))
    assert planted.leaks(msgspec.msgpack.encode((asked, listed)) + repr((asked, listed)).encode()) == ()


def test_values_of_every_length_give_the_same_bytes(tmp_path: Path) -> None:
    answers = set()
    for length in range(1, 65):
        proc = _laid_out(tmp_path / str(length), b"A=1\0KEY=" + b"v" * length + b"\0")
        answers.add(msgspec.msgpack.encode((_asked(proc, 5, "KEY"), _listed(proc, 5))))
        proc.close()
    assert len(answers) == 1


_NAME = st.binary(min_size=1, max_size=8).filter(lambda name: not {0, ord("=")} & set(name))
_VALUE = st.binary(max_size=8).map(lambda value: value.replace(b"\0", b""))


@given(st.lists(st.tuples(_NAME, _VALUE), max_size=10), st.lists(_NAME, max_size=3))
def test_the_first_entry_of_a_name_counts_and_entries_that_are_none_are_ignored(
    pairs: list[tuple[bytes, bytes]], junk: list[bytes]
) -> None:
    entries = [name + b"=" + value for name, value in pairs]
    data = b"".join(
        entry + b"\0" for entry in [*entries, *(junk if entries else []), b"=nameless"] if entries or entry[:1] != b"="
    )
    read = parse_environment(Block(data, cut=False))
    expected = {name: Presence.PRESENT if value else Presence.EMPTY for name, value in reversed(pairs)}
    assert read.variables == expected
    assert list(read.variables) == sorted(expected)
    assert read.otherwise is Presence.UNSET


@given(st.binary(max_size=200), st.booleans())
def test_any_block_parses_and_says_no_more_than_names(data: bytes, cut: bool) -> None:  # noqa: FBT001 - drawn
    read = parse_environment(Block(data, cut))
    assert all(name and b"=" not in name and b"\0" not in name for name in read.variables)
    assert not cut or read.otherwise is Presence.UNKNOWN


@pytest.mark.parametrize("data", [b"A=1\0B=\0C=cut off", b"A=1\0B=\0C=", b"A=1\0B=\0C"])
def test_an_entry_without_its_end_is_not_judged_when_the_block_was_cut(data: bytes) -> None:
    read = parse_environment(Block(data, cut=True))
    assert read.variables == {b"A": Presence.PRESENT, b"B": Presence.EMPTY}
    assert read.otherwise is Presence.UNKNOWN


def test_a_block_above_a_mebibyte_is_cut_and_what_lies_behind_is_unknown(proc: ProcRoot) -> None:
    environment = {"FIRST": "1"} | {f"FILL{number}": "x" * 120_000 for number in range(12)} | {"LAST": "1"}
    with running(environment=environment) as pid:
        page = _asked(proc, pid, "FIRST", "LAST", "MISSING")
    assert _presences(page) == [Presence.PRESENT, Presence.UNKNOWN, Presence.UNKNOWN]
    assert page.truncated


@pytest.mark.parametrize("data", [b"er title\0et-rest=x\0KEY=v\0", b"\0\0\0\0"])
def test_a_block_that_a_program_wrote_its_title_over_says_nothing(tmp_path: Path, data: bytes) -> None:
    proc = _laid_out(tmp_path, data)
    assert _presences(_asked(proc, 5, "KEY", "MISSING")) == [Presence.UNKNOWN, Presence.UNKNOWN]
    listed = _listed(proc, 5)
    assert (listed.rows, listed.truncated) == ((), True)
    proc.close()


def test_a_hidden_name_is_answered_like_one_that_is_not_there(tmp_path: Path) -> None:
    for folder, cut in (("whole", b""), ("cut", b"\0F=" + b"x" * 2**20)):
        proc = _laid_out(tmp_path / folder, b"APP_KEY=v\0SECRET=v" + cut + b"\0")
        page = _asked(proc, 5, "APP_KEY", "SECRET", "SECRES", scope=names_scope("APP_*"))
        assert page.rows[0].presence is Presence.PRESENT
        assert page.rows[1].presence is page.rows[2].presence
        proc.close()


def test_names_are_listed_where_both_scopes_admit_them_page_by_page(tmp_path: Path) -> None:
    names = [f"APP_{number:02}" for number in range(20)]
    proc = _laid_out(tmp_path, b"".join(f"{name}=v\0".encode() for name in [*reversed(names), "OTHER", "APP_SECRET"]))
    found: list[str] = []
    after = 0
    for _ in range(10):
        page = _listed(proc, 5, names_scope("APP_*"), names_scope("*0?", "*1?", "OTHER"), after, 7)
        found += _names(page)
        after = page.next_index
        if not after:
            break
    assert found == names
    with pytest.raises(PolicyDenied):
        _listed(proc, 5, names=None)
    proc.close()


def test_a_secret_in_a_name_is_masked_and_a_long_name_is_cut(tmp_path: Path) -> None:
    token = "ghp_" + "a1B2c3D4e5F6" * 3
    proc = _laid_out(tmp_path, f"{token}=v\0{'N' * 1_000}=v\0".encode())
    page = _listed(proc, 5)
    assert token not in repr(page)
    assert [(len(row.name.text) <= 256, row.name.truncated) for row in page.rows] == [(True, True), (True, False)]
    proc.close()


def test_absent_reused_hidden_and_thread_numbers_get_one_answer(proc: ProcRoot) -> None:
    script = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    refusals = []
    hidden = Scope(permits=(ScopeRule(RuleId("r"), (ProcessSelector(names=("other",)),), ("*",)),))
    with running(script=script) as pid:
        thread = next(thread.id for thread in psutil.Process(pid).threads() if thread.id != pid)
        start = _asked(proc, pid, "A").process.start_ticks
        assert _asked(proc, pid, "A", start=start).process == ProcessRef(pid, start)
        for number, ticks, scope in (
            (pid, start + 1, EVERY_NAME),
            (thread, 0, EVERY_NAME),
            (pid, 0, hidden),
            (pid, 0, Scope()),
            (4_194_304, 0, EVERY_NAME),
        ):
            with pytest.raises(ProcessNotFound) as refusal:
                _asked(proc, number, "A", start=ticks, scope=scope)
            refusals.append((type(refusal.value), str(refusal.value)))
    assert len(set(refusals)) == 1


@pytest.mark.parametrize("name", ["", "A=B", "A\0", "N" * 257])
def test_a_name_that_no_variable_can_have_is_refused_before_anything_is_read(proc: ProcRoot, name: str) -> None:
    with pytest.raises(InvalidRequest):
        _asked(proc, 4_194_304, "A", name)
    with pytest.raises(InvalidRequest):
        _asked(proc, 4_194_304, *["A"] * 201)


def test_a_process_without_memory_says_so(tmp_path: Path) -> None:
    proc = procfs.open_proc(lay_out(tmp_path, OnDisk(5, state="Z")))
    page = _asked(proc, 5, "A")
    assert (page.rows, page.unavailable) == ((), Unavailable.NO_USER_MEMORY)
    proc.close()


@pytest.mark.skipif(
    Path("/proc/1").stat().st_uid == os.geteuid() or os.geteuid() == 0, reason="needs a process of others"
)
def test_an_environment_that_the_kernel_refuses_comes_with_the_reason(proc: ProcRoot) -> None:
    page = _asked(proc, 1, "A")
    assert (page.rows, page.unavailable) == ((), Unavailable.UID_MISMATCH)
