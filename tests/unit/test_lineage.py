"""Which processes do not come from the first process of their container, by what is seen of a pod over time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from leadglass_agent.views.lineage import MAX_FOREIGN, MAX_KNOWN, Finding, Foreign, Home, Lineage, Look
from leadglass_agent.views.proc_text import Origin

_PAUSE = Home(10, "a" * 12)
_APP = Home(20, "b" * 12)
_OTHER = Home(30, "c" * 12)
_AGENT = Home(40, "d" * 12)
_NODE = Home(90, "")


@dataclass(slots=True)
class _Pod:
    """A pod with a shared PID namespace as /proc shows it: pause is 1, an app 10, the agent 40 to 42."""

    running: dict[int, Origin] = field(default_factory=dict)
    homes: dict[int, Home] = field(default_factory=dict)
    lineage: Lineage = field(default_factory=lambda: Lineage(own_pid=42))
    ticks: int = 100

    def start(self, pid: int, home: Home, *, parent: int = 0, session: int | None = None, name: bytes = b"app") -> None:
        self.ticks += 1
        session = pid if session is None else session
        self.running[pid] = Origin(pid, name, "S", parent, session, False, 0, self.ticks, 0)  # noqa: FBT003 - one record
        self.homes[pid] = home

    def end(self, *pids: int) -> None:
        """Ends processes; process 1 takes over their children."""
        for pid in pids:
            del self.running[pid]
        for pid, origin in self.running.items():
            if origin.parent_pid in pids:
                self.running[pid] = replace(origin, parent_pid=1)

    def look(self) -> dict[int, Finding]:
        """Looks as the scan does: what is asked for and nothing else."""
        listed = frozenset(self.running)
        read = {pid: self.running[pid] for pid in self.lineage.unread(listed)}
        homes = {pid: self.homes[pid] for pid in self.lineage.homes_wanted(read)}
        return {one.origin.pid: one.finding for one in self.lineage.take(Look(listed, read, homes))}


def _pod() -> _Pod:
    pod = _Pod()
    pod.start(1, _PAUSE)
    pod.start(10, _APP)
    pod.start(11, _APP, parent=10, session=10)
    pod.start(40, _AGENT)
    for pid in (41, 42):
        pod.start(pid, _AGENT, parent=40, session=40)
    return pod


def test_a_pod_of_which_every_process_descends_from_its_containers_first_has_no_finding() -> None:
    pod = _pod()

    assert pod.look() == pod.look() == {}


def test_a_shell_that_the_runtime_puts_into_an_app_does_not_descend() -> None:
    pod = _pod()
    pod.look()
    pod.start(50, _APP, name=b"sh")

    assert pod.look() == pod.look() == {50: Finding.NOT_DESCENDED}


def test_what_that_shell_runs_does_not_descend_either_even_as_an_orphan() -> None:
    pod = _pod()
    pod.look()
    pod.start(50, _APP, name=b"sh")
    pod.start(51, _APP, parent=50, session=50)
    assert pod.look() == dict.fromkeys((50, 51), Finding.NOT_DESCENDED)
    pod.end(50)
    pod.start(52, _APP, parent=1, session=50)  # nobody saw it with its parent

    assert pod.look() == dict.fromkeys((51, 52), Finding.NOT_DESCENDED)


def test_a_shell_that_was_there_before_the_agent_is_found_at_the_first_look() -> None:
    pod = _Pod()
    pod.start(1, _PAUSE)
    pod.start(10, _APP)
    pod.start(50, _APP, name=b"sh")
    for pid in (40, 41, 42):
        pod.start(pid, _AGENT, parent=0 if pid == 40 else 40)

    assert pod.look() == {50: Finding.NOT_DESCENDED}


def test_a_process_in_the_agents_own_container_that_the_agent_did_not_start_is_found() -> None:
    pod = _pod()
    pod.look()
    pod.start(50, _AGENT, name=b"python3")
    pod.start(51, _AGENT, parent=1, session=49)  # an orphan, whose parent nobody saw

    assert pod.look() == dict.fromkeys((50, 51), Finding.OWN_CONTAINER)


def test_the_agents_own_workers_are_no_finding() -> None:
    pod = _pod()
    pod.look()
    pod.start(50, _AGENT, parent=40, session=40)

    assert pod.look() == {}


def test_without_a_shared_pid_namespace_the_agents_own_container_is_still_watched() -> None:
    pod = _Pod(lineage=Lineage(own_pid=3))
    for pid in (1, 2, 3):
        pod.start(pid, _AGENT, parent=0 if pid == 1 else 1, session=1)
    assert pod.look() == {}
    pod.start(9, _AGENT)

    assert pod.look() == {9: Finding.OWN_CONTAINER}


def test_a_daemon_of_the_app_is_no_finding_whether_its_parents_were_seen_or_not() -> None:
    pod = _pod()
    pod.look()
    pod.start(50, _APP, parent=10, session=50)
    pod.start(51, _APP, parent=50, session=50)
    pod.look()
    pod.end(50)
    pod.start(61, _APP, parent=1, session=60)

    assert pod.look() == pod.look() == {}


def test_orphans_of_an_app_that_go_to_its_own_init_are_no_finding() -> None:
    pod = _pod()
    pod.look()
    pod.start(50, _APP, parent=10, session=49)

    assert pod.look() == {}


def test_a_container_that_restarts_is_no_finding_even_where_its_names_stay() -> None:
    pod = _pod()
    pod.look()
    pod.end(11)
    pod.end(10)
    pod.start(70, _APP)
    pod.start(71, _APP, parent=70, session=70)

    assert pod.look() == pod.look() == {}
    pod.start(72, _APP)
    assert pod.look() == {72: Finding.NOT_DESCENDED}


def test_a_container_that_starts_later_is_no_finding_even_if_it_is_seen_before_it_is_ready() -> None:
    pod = _pod()
    pod.look()
    pod.start(70, Home(77, ""), name=b"runc:[2:INIT]", session=0)
    assert pod.look() == {}
    pod.homes[70] = _OTHER
    pod.running[70] = replace(pod.running[70], session=70, name=b"other")

    assert pod.look() == pod.look() == {}
    pod.start(71, _OTHER)
    assert pod.look() == {71: Finding.NOT_DESCENDED}


def test_somebody_of_the_node_who_enters_the_namespaces_by_hand_is_found() -> None:
    pod = _pod()
    pod.look()
    pod.start(80, _NODE, session=0, name=b"bash")
    pod.start(81, _APP, session=0, name=b"bash")

    assert pod.look() == {81: Finding.NOT_DESCENDED}
    assert pod.look() == dict.fromkeys((80, 81), Finding.NOT_DESCENDED)


def test_a_shell_that_takes_a_mount_namespace_of_its_own_is_found_by_its_container() -> None:
    pod = _pod()
    pod.look()
    pod.start(50, Home(99, _APP.container_id), name=b"unshare")

    assert pod.look() == {50: Finding.NOT_DESCENDED}


def test_a_shell_is_found_beside_a_first_process_that_has_moved_since() -> None:
    pod = _pod()
    pod.look()
    pod.look()
    pod.homes[10] = Home(21, "")
    pod.start(50, Home(21, ""), name=b"sh")

    assert pod.look() == {50: Finding.NOT_DESCENDED}


def test_an_agent_that_somebody_starts_by_hand_in_a_container_accuses_nobody_there() -> None:
    pod = _Pod()
    pod.start(1, _APP)
    pod.start(30, _APP, name=b"sh")
    pod.start(40, _APP, parent=30, session=30)
    for pid in (41, 42):
        pod.start(pid, _APP, parent=40, session=30)
    pod.start(50, _APP, name=b"sh")
    assert pod.look() == {}
    pod.start(51, _APP, name=b"sh")

    assert pod.look() == {}


def test_on_a_laptop_nothing_is_found() -> None:
    pod = _Pod()
    pod.start(1, _NODE)
    pod.start(40, _NODE, parent=1)
    for pid in (41, 42):
        pod.start(pid, _NODE, parent=40, session=40)
    pod.look()
    pod.start(50, _NODE, parent=1, session=7)
    pod.running[2] = Origin(2, b"kthreadd", "S", 0, 0, True, 0, 0, 0)  # noqa: FBT003 - as above
    pod.homes[2] = _NODE

    assert pod.look() == pod.look() == {}


def test_the_number_of_an_ended_shell_accuses_no_process_that_has_it_later() -> None:
    pod = _pod()
    pod.look()
    pod.start(50, _APP, name=b"sh")
    pod.look()
    pod.end(50)
    pod.start(50, _APP, parent=10, session=10)

    assert pod.look() == {}


def test_what_is_remembered_is_bounded() -> None:
    pod = _pod()
    pod.look()
    for number in range(MAX_KNOWN + 100):
        pod.start(1_000 + number, _APP, parent=10, session=10)
    for number in range(MAX_FOREIGN + 100):
        pod.start(100_000 + number, _APP)

    assert len(pod.look()) <= MAX_FOREIGN
    assert len(pod.lineage._known) <= MAX_KNOWN  # noqa: SLF001 - what is kept is the point


def test_an_app_that_fills_its_own_container_with_strangers_hides_none_elsewhere() -> None:
    pod = _pod()
    pod.start(20, _OTHER)
    pod.look()
    for number in range(MAX_FOREIGN + 100):
        pod.start(1_000 + number, _APP)  # CLONE_PARENT in its first process makes these
    pod.look()
    pod.start(5_000, _OTHER, name=b"sh")
    pod.start(5_001, _AGENT, name=b"python3")

    found = pod.look()

    assert (found[5_000], found[5_001]) == (Finding.NOT_DESCENDED, Finding.OWN_CONTAINER)


@st.composite
def _days(draw: st.DrawFn) -> list[tuple[str, int]]:
    steps = st.sampled_from(("fork", "daemon", "end", "look", "put", "restart"))
    return draw(st.lists(st.tuples(steps, st.integers(0, 10**6)), max_size=60))


@given(_days())
@settings(max_examples=300, deadline=None)
def test_of_any_day_only_what_was_put_in_and_its_children_are_found_and_all_that_is_put_in_is(
    day: list[tuple[str, int]],
) -> None:
    pod = _pod()
    pod.look()
    foreign: set[int] = set()
    number = 1_000
    for step, choice in day:
        of_app = [pid for pid in pod.running if pod.homes[pid] == _APP and pid not in foreign]
        first = min(of_app)
        number += 2
        match step:
            case "fork":
                parents = sorted({*of_app, *foreign})
                parent = parents[choice % len(parents)]
                pod.start(number, _APP, parent=parent, session=pod.running[parent].session)
                foreign |= {number} if parent in foreign else set()
            case "daemon":
                pod.start(number, _APP, parent=1, session=number - 1)
            case "put":
                pod.start(number, _APP)
                foreign.add(number)
            case "end" if len(pod.running) > 6:
                # What ends right after it has started another may leave an orphan that nobody can place: look first.
                pod.look()
                ending = sorted({*of_app, *foreign} - {first})
                if ending:
                    gone = ending[choice % len(ending)]
                    pod.end(gone)
                    foreign.discard(gone)
            case "restart":
                pod.end(*of_app, *foreign)
                foreign.clear()
                pod.start(number, _APP)
            case _:
                pass
        assert pod.look() == dict.fromkeys(foreign, Finding.NOT_DESCENDED)


def test_a_finding_tells_the_first_process_of_its_container() -> None:
    pod = _pod()
    pod.look()
    pod.start(50, _APP, name=b"sh")
    read = {50: pod.running[50]}
    look = Look(frozenset(pod.running), read, {50: _APP, 10: _APP})

    assert pod.lineage.take(look) == (Foreign(pod.running[50], Finding.NOT_DESCENDED, 10, _APP.container_id),)
