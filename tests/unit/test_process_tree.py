"""The process tree as a scope shows it."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from typing import TYPE_CHECKING, cast

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadglass_agent.policy.model import ProcessSelector, Profile, RuleId
from leadglass_agent.policy.scope import Scope, ScopeRule
from leadglass_agent.redaction.escape import Visible
from leadglass_agent.redaction.findings import RedactionError
from leadglass_agent.views import procfs
from leadglass_agent.views.process_tree import DEFAULT_LIMITS, ProcessLimits, ProcessQuery, list_processes
from leadglass_agent.views.redactors import Redactors, build_redactors
from leadglass_agent.views.rows import ProcessRow, Unavailable
from sample_processes import EVERYTHING, OnDisk, forked, lay_out, processes_named, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from leadglass_agent.redaction.redactor import Redaction, Redactor
    from leadglass_agent.views.procfs import ProcRoot
    from leadglass_agent.views.rows import ProcessPage

REDACTORS = build_redactors()
NOTHING = Scope()
# The bound of time is for its own test: on a busy machine it would end the pages of all the others early.
UNTIMED = ProcessLimits(elapsed_ns=3_600_000_000_000)


@pytest.fixture
def proc() -> Iterator[ProcRoot]:
    opened = procfs.open_proc()
    yield opened
    opened.close()


def _page(
    proc: ProcRoot,
    query: ProcessQuery,
    scope: Scope = EVERYTHING,
    limits: ProcessLimits = UNTIMED,
) -> ProcessPage:
    return list_processes(proc, REDACTORS, scope, EVERYTHING, EVERYTHING, query, limits)


def _rows(proc: ProcRoot, query: ProcessQuery, scope: Scope = EVERYTHING) -> dict[int, ProcessRow]:
    return {row.ref.pid: row for row in _page(proc, query, scope).rows}


def _pids(page: ProcessPage) -> list[int]:
    return [row.ref.pid for row in page.rows]


def _texts(row: ProcessRow) -> list[str]:
    assert not isinstance(row.arguments, Unavailable)
    return [argument.text for argument in row.arguments]


def test_the_tree_of_live_processes_is_the_one_that_psutil_sees(proc: ProcRoot) -> None:
    child = "import subprocess; p = subprocess.Popen(['sleep', '60'], stdin=subprocess.DEVNULL)"
    with running("--mode=test", "", "plain", script=child) as pid:
        family = [psutil.Process(pid), *psutil.Process(pid).children()]
        try:
            rows = _rows(proc, ProcessQuery(subtree_of_pid=pid))
            assert sorted(rows) == sorted(process.pid for process in family)
            for oracle in family:
                row = rows[oracle.pid]
                assert row.parent_pid == oracle.ppid()
                assert row.name == Visible(oracle.name(), truncated=False)
                assert row.owner_uid == oracle.uids().effective
                assert row.owner_gid == oracle.gids().effective
                assert row.threads == oracle.num_threads()
                assert row.virtual_bytes == oracle.memory_info().vms
                assert row.resident_bytes == pytest.approx(oracle.memory_info().rss, rel=0.5)
                assert row.start_unix_ns == pytest.approx(oracle.create_time() * 1e9, abs=2e7)
                assert row.cpu_ns == pytest.approx(sum(oracle.cpu_times()[:2]) * 1e9, abs=3e8)
                assert row.state in {"S", "R", "D"}
                assert row.executable == Visible(oracle.exe(), truncated=False)
                assert _texts(row) == [part.replace("\n", "\\u000a") for part in oracle.cmdline()]
                assert not row.arguments_truncated
        finally:
            for oracle in family[1:]:
                oracle.kill()


def test_all_processes_that_psutil_lists_are_listed_and_none_else(proc: ProcRoot) -> None:
    before = set(psutil.pids())
    rows = set(_rows(proc, ProcessQuery()))
    after = set(psutil.pids())
    assert before & after <= rows <= before | after | rows & {os.getpid()}


def test_only_processes_of_the_scope_are_listed_and_a_hidden_parent_is_not_told(tmp_path: Path) -> None:
    proc = procfs.open_proc(
        lay_out(
            tmp_path, OnDisk(10, name=b"secret"), OnDisk(20, 10, b"app"), OnDisk(30, 20, b"app"), OnDisk(40, 99, b"app")
        )
    )
    rows = _rows(proc, ProcessQuery(), processes_named("app"))
    assert {pid: row.parent_pid for pid, row in rows.items()} == {20: 0, 30: 20, 40: 0}
    assert _rows(proc, ProcessQuery(), NOTHING) == {}
    proc.close()


def test_a_subtree_ends_at_a_hidden_process_and_does_not_exist_below_a_hidden_root(tmp_path: Path) -> None:
    proc = procfs.open_proc(
        lay_out(
            tmp_path,
            OnDisk(10),
            OnDisk(20, 10),
            OnDisk(30, 20, b"secret"),
            OnDisk(40, 30),
            OnDisk(50, 1),
            OnDisk(5, 20),
        )
    )
    shown = processes_named("app")
    assert sorted(_rows(proc, ProcessQuery(subtree_of_pid=10), shown)) == [5, 10, 20]
    assert sorted(_rows(proc, ProcessQuery(subtree_of_pid=10))) == [5, 10, 20, 30, 40]
    assert _rows(proc, ProcessQuery(subtree_of_pid=30), shown) == {}
    assert _rows(proc, ProcessQuery(subtree_of_pid=77), shown) == {}
    proc.close()


def test_a_parent_that_is_younger_than_its_child_is_none(tmp_path: Path) -> None:
    proc = procfs.open_proc(lay_out(tmp_path, OnDisk(10, start_ticks=500), OnDisk(20, 10, start_ticks=400)))
    assert _rows(proc, ProcessQuery())[20].parent_pid == 0
    proc.close()


_TREES = st.dictionaries(st.integers(1, 30), st.tuples(st.integers(0, 31), st.booleans()), min_size=1, max_size=15)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40, deadline=None)
@given(tree=_TREES, root=st.integers(1, 31), size=st.integers(1, 5))
def test_pages_of_any_tree_together_hold_what_a_plain_walk_finds(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[int, tuple[int, bool]], root: int, size: int
) -> None:
    shown = {pid: parent for pid, (parent, hidden) in tree.items() if not hidden}

    def descends(pid: int) -> bool:
        seen: set[int] = set()
        while pid in shown and pid not in seen:
            if pid == root:
                return True
            seen.add(pid)
            pid = shown[pid]
        return False

    on_disk = [OnDisk(pid, parent, b"hid" if hidden else b"app") for pid, (parent, hidden) in tree.items()]
    proc = procfs.open_proc(lay_out(tmp_path_factory.mktemp("pod"), *on_disk))
    for query_root, expected in ((0, sorted(shown)), (root, sorted(filter(descends, shown)))):
        found: list[int] = []
        after = 0
        for _ in range(40):
            query = ProcessQuery(after_pid=after, limit=size, subtree_of_pid=query_root)
            page = _page(proc, query, processes_named("app"))
            found += _pids(page)
            after = page.next_pid
            if not after:
                break
        assert found == expected
    proc.close()


def test_a_tree_of_thousands_of_generations_is_followed(tmp_path: Path) -> None:
    proc = procfs.open_proc(lay_out(tmp_path, *(OnDisk(pid, pid - 1) for pid in range(1, 1_500))))
    page = _page(proc, ProcessQuery(subtree_of_pid=1, after_pid=1_400))
    assert _pids(page) == list(range(1_401, 1_500))
    proc.close()


def test_a_page_ends_at_its_bounds_and_the_next_goes_on_behind_it(tmp_path: Path) -> None:
    proc = procfs.open_proc(
        lay_out(tmp_path, *(OnDisk(pid, arguments=_words("x", 500).encode() + b"\0") for pid in range(1, 21)))
    )
    for limits, query in (
        (ProcessLimits(text_bytes=2_000), ProcessQuery()),
        (ProcessLimits(looked_at=4), ProcessQuery()),
        (DEFAULT_LIMITS, ProcessQuery(limit=4)),
    ):
        page = _page(proc, query, limits=limits)
        assert (_pids(page), page.next_pid) == ([1, 2, 3, 4], 4)
        again = ProcessQuery(after_pid=4, limit=query.limit)
        assert _pids(_page(proc, again, limits=limits)) == [5, 6, 7, 8]
    assert _page(proc, ProcessQuery(after_pid=20)).next_pid == 0
    proc.close()


def test_a_page_whose_time_is_over_ends_after_its_first_row_and_the_pages_together_lack_nothing(tmp_path: Path) -> None:
    proc = procfs.open_proc(lay_out(tmp_path, *(OnDisk(pid) for pid in range(1, 6))))
    limits = ProcessLimits(elapsed_ns=0)
    after, seen = 0, []
    while True:
        page = _page(proc, ProcessQuery(after_pid=after), limits=limits)
        assert len(page.rows) == 1
        seen += _pids(page)
        after = page.next_pid
        if not after:
            break
    assert seen == [1, 2, 3, 4, 5]
    proc.close()


def test_processes_are_chosen_by_number_and_by_the_name_that_is_shown(tmp_path: Path) -> None:
    on_disk = [
        OnDisk(1, name=b"nginx"),
        OnDisk(2, name=b"redis-server"),
        OnDisk(3, name=b"a\nb"),
        OnDisk(4, name=b"[x]"),
    ]
    proc = procfs.open_proc(lay_out(tmp_path, *on_disk))
    assert sorted(_rows(proc, ProcessQuery(pids=(2, 4, 9)))) == [2, 4]
    assert sorted(_rows(proc, ProcessQuery(name_glob="redis*"))) == [2]
    assert sorted(_rows(proc, ProcessQuery(name_glob="?ginx"))) == [1]
    assert sorted(_rows(proc, ProcessQuery(name_glob="[x]"))) == [4]
    assert sorted(_rows(proc, ProcessQuery(name_glob="a\\u000ab"))) == [3]
    assert _rows(proc, ProcessQuery(name_glob="a\nb")) == {}
    proc.close()


def test_a_thread_is_no_process_although_its_number_opens(proc: ProcRoot) -> None:
    script = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    with running(script=script) as pid:
        threads = [thread.id for thread in psutil.Process(pid).threads()]
        assert len(threads) == 2
        assert sorted(_rows(proc, ProcessQuery(pids=tuple(threads)))) == [pid]


def test_executable_and_arguments_need_their_own_scope(tmp_path: Path) -> None:
    proc = procfs.open_proc(lay_out(tmp_path, OnDisk(1, name=b"one"), OnDisk(2, name=b"two")))
    for executable, argv in itertools.product((None, NOTHING, processes_named("two")), repeat=2):
        rows = list_processes(proc, REDACTORS, EVERYTHING, executable, argv, ProcessQuery(), UNTIMED).rows
        assert (rows[0].executable, rows[0].arguments) == (Unavailable.NOT_PERMITTED, Unavailable.NOT_PERMITTED)
        shown = [scope == processes_named("two") for scope in (executable, argv)]
        assert [not isinstance(value, Unavailable) for value in (rows[1].executable, rows[1].arguments)] == shown
    proc.close()


def test_a_selector_on_the_executable_sees_the_link_even_if_the_caller_does_not(tmp_path: Path) -> None:
    proc = procfs.open_proc(
        lay_out(tmp_path, OnDisk(1, executable="/usr/bin/a"), OnDisk(2, executable="/opt/b (deleted)"))
    )
    selector = ProcessSelector(executables=("/usr/bin/*",))
    scope = Scope(permits=(ScopeRule(RuleId("r"), processes=(selector,)),))
    page = list_processes(proc, REDACTORS, scope, None, None, ProcessQuery(), UNTIMED)
    assert _pids(page) == [1]
    assert _rows(proc, ProcessQuery())[2].executable == Visible("/opt/b (deleted)", truncated=False)
    proc.close()


def test_kernel_threads_and_ended_processes_have_neither_executable_nor_arguments(
    tmp_path: Path, proc: ProcRoot
) -> None:
    laid_out = procfs.open_proc(lay_out(tmp_path, OnDisk(2, name=b"kthreadd", flags=0x00200000)))
    row = _rows(laid_out, ProcessQuery())[2]
    assert (row.executable, row.arguments) == (Unavailable.NO_USER_MEMORY, Unavailable.NO_USER_MEMORY)
    laid_out.close()
    with forked(lambda: None) as pid:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        row = _rows(proc, ProcessQuery(pids=(pid,)))[pid]
    assert (row.state, row.executable, row.arguments) == ("Z", Unavailable.NO_USER_MEMORY, Unavailable.NO_USER_MEMORY)


def test_processes_that_come_and_go_while_the_list_is_read_break_nothing(proc: ProcRoot) -> None:
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            pid = os.posix_spawn("/bin/true", ["true"], {})
            os.waitpid(pid, 0)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(60):
            assert os.getpid() in _rows(proc, ProcessQuery())
    finally:
        stop.set()
        thread.join()


def _words(letter: str, length: int) -> str:
    """Makes harmless text: a single long word could be a token."""
    return (f"{letter * 3} " * length)[:length]


def test_arguments_keep_their_boundaries_within_every_bound(tmp_path: Path) -> None:
    cases = {
        1: (b"a\0\0b\0", ["a", "", "b"], False),
        2: (b"", [], False),
        3: (b"\0", [""], False),
        4: (b"title without an end", ["title without an end"], False),
        5: (b"x\0" * 300, ["x"] * 256, True),
        6: (b"a\0" + _words("y", 70_000).encode() + b"\0", ["a"], True),
        7: (_words("y", 70_000).encode(), [], True),
        8: (_words("y", 2_000).encode() + b"\0b\0", [_words("y", 1_024), "b"], False),
        9: ((_words("z", 1_024).encode() + b"\0") * 5, [_words("z", 1_024)] * 4, True),
        10: ((_words("z", 1_000).encode() + b"\0") * 5, [_words("z", 1_000)] * 4 + [_words("z", 96)], False),
    }
    proc = procfs.open_proc(lay_out(tmp_path, *(OnDisk(pid, arguments=case[0]) for pid, case in cases.items())))
    rows = _rows(proc, ProcessQuery())
    for pid, (_, expected, truncated) in cases.items():
        assert (_texts(rows[pid]), rows[pid].arguments_truncated) == (expected, truncated), pid
    arguments = rows[8].arguments
    assert not isinstance(arguments, Unavailable)
    assert [argument.truncated for argument in arguments] == [True, False]
    proc.close()


def test_a_masked_argument_is_counted_and_named(tmp_path: Path) -> None:
    secret = "Zq7" + "k3J9" * 8
    proc = procfs.open_proc(lay_out(tmp_path, OnDisk(1, arguments=f"app\0--password={secret}\0--port=80\0".encode())))
    page = _page(proc, ProcessQuery())
    texts = _texts(page.rows[0])
    assert texts[0::2] == ["app", "--port=80"]
    assert texts[1].startswith("--password=[redacted:")
    assert secret not in repr(page)
    assert page.masked == 1
    proc.close()


class _Failing:
    """Fails on command lines, and on nothing else."""

    def __init__(self, redactor: Redactor) -> None:
        self.profile = redactor.profile
        self.redact = redactor.redact

    def redact_arguments(self, _: object) -> tuple[Redaction, ...]:
        raise RedactionError


def test_a_command_line_that_the_engine_fails_on_is_not_shown_and_hides_no_other_row(tmp_path: Path) -> None:
    proc = procfs.open_proc(lay_out(tmp_path, OnDisk(1, name=b"web", arguments=b"a\0"), OnDisk(2, name=b"db")))
    failing = cast("Redactor", _Failing(REDACTORS.strict))
    redactors = Redactors.made_of(REDACTORS.balanced, failing)
    page = list_processes(proc, redactors, EVERYTHING, EVERYTHING, EVERYTHING, ProcessQuery(), UNTIMED)
    assert [row.name.text for row in page.rows] == ["web", "db"]
    assert _texts(page.rows[0]) == ["[redacted:unreadable]"]
    assert page.rows[0].arguments_truncated
    proc.close()


def test_the_same_command_line_is_masked_once_and_shown_alike(tmp_path: Path) -> None:
    secret = "Zq7" + "k3J9" * 8
    alike = f"app\0--password={secret}\0".encode()
    proc = procfs.open_proc(lay_out(tmp_path, OnDisk(1, arguments=alike), OnDisk(2, arguments=alike)))
    redactors = build_redactors()
    first = list_processes(proc, redactors, EVERYTHING, EVERYTHING, EVERYTHING, ProcessQuery(), UNTIMED)
    again = list_processes(proc, redactors, EVERYTHING, EVERYTHING, EVERYTHING, ProcessQuery(), UNTIMED)
    assert first.rows == again.rows
    assert (first.masked, again.masked) == (2, 2)
    assert _texts(first.rows[0]) == _texts(first.rows[1]) == ["app", "--password=[redacted:password]"]
    proc.close()


def test_command_lines_are_masked_strictly_unless_their_rules_ask_for_less(tmp_path: Path) -> None:
    on_disk = (OnDisk(1, name=b"web", arguments=b"a\0"), OnDisk(2, name=b"other", arguments=b"b\0"))
    proc = procfs.open_proc(lay_out(tmp_path, *on_disk))
    web = ScopeRule(RuleId("web"), processes=(ProcessSelector(names=("web",)),), redaction=Profile.BALANCED)
    mixed = Scope(permits=(ScopeRule(RuleId("all")), web))

    def profile(argv: Scope | None, pid: int) -> Profile:
        return list_processes(proc, REDACTORS, EVERYTHING, None, argv, ProcessQuery(pids=(pid,))).redaction

    assert [profile(argv, 1) for argv in (None, EVERYTHING, mixed)] == [
        Profile.STRICT,
        Profile.STRICT,
        Profile.BALANCED,
    ]
    assert profile(mixed, 2) is Profile.STRICT
    page = list_processes(proc, REDACTORS, EVERYTHING, None, mixed, ProcessQuery(), UNTIMED)
    assert page.redaction is Profile.BALANCED
    proc.close()
