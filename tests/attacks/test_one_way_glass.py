"""An app of the agent's own user cannot look back through the glass, from the very first moment of the agent on."""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from execute_only import USER, Interpreters, interpreters, open_ground
from running_agent import RunningAgent, prepare, wait_until_listening

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="root alone makes an interpreter that its user cannot read"),
    pytest.mark.timeout(900),
]

_ATTACKER = Path(__file__).parents[1] / "support" / "proc_attacker.py"
_STARTS = 20
_PLANTED = "planted-" + "4f1c9a7e03b5"
_CALLS = {"oom_score_adj", "process_vm_readv", "kcmp", "pidfd_getfd", "ptrace seize", "ptrace attach"}
# What the kernel gives of every process to everybody: proc(5). None of it holds memory, arguments apart, or a name of
# a file that is open. `net` is the network namespace's, which the app shares anyway.
_FOR_EVERYBODY = re.compile(
    r"(?:task/N/)?(?:cmdline|comm|status|stat|statm|cgroup|limits|mountinfo|mounts|oom_score|oom_adj|oom_score_adj"
    r"|loginuid|sessionid|schedstat|sched|cpuset|autogroup|uid_map|gid_map|projid_map|setgroups|timerslack_ns"
    r"|timens_offsets|coredump_filter|arch_status|cpu_resctrl_groups|ksm_stat|ksm_merging_pages|wchan|children"
    r"|attr/.*|net/.*|latency|patch_state|make-it-fail|fail-nth|unevictable)"
)


@dataclass(frozen=True, slots=True)
class _Got:
    """What the attacker says that it got."""

    readable: frozenset[str]
    allowed: frozenset[str]
    found: frozenset[str]
    bound: tuple[int, ...]
    victims: int
    tries: int

    @property
    def forbidden(self) -> frozenset[str]:
        """Names of files that it read although they are not for everybody."""
        return frozenset(name for name in self.readable if _FOR_EVERYBODY.fullmatch(name) is None)


@pytest.fixture(scope="module")
def ground() -> Iterator[Path]:
    with open_ground() as folder:
        yield folder


@pytest.fixture(scope="module")
def copies(ground: Path) -> Interpreters:
    return interpreters(ground / "python")


@contextmanager
def _attacking(copies: Interpreters, victim: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs the attacker for the time of a with-block, from before the victim's start on."""
    attacker = copies.popen(copies.readable, str(_ATTACKER), victim)
    try:
        assert attacker.stdout is not None
        assert attacker.stdout.readline() == b"ready\n"
        yield attacker
    finally:
        attacker.kill()
        attacker.communicate()


def _last_look(attacker: subprocess.Popen[bytes], secrets: list[bytes], *ports: int) -> _Got:
    assert attacker.stdin is not None
    assert attacker.stdout is not None
    attacker.stdin.write(json.dumps({"secrets": [one.hex() for one in secrets], "ports": ports}).encode() + b"\n")
    attacker.stdin.flush()
    got = json.loads(attacker.stdout.readline())
    return _Got(
        frozenset(got["readable"]),
        frozenset(got["allowed"]),
        frozenset(got["found"]),
        tuple(got["bound"]),
        got["victims"],
        got["tries"],
    )


@contextmanager
def _agent(copies: Interpreters, program: Path, folder: Path, *, glass: bool) -> Iterator[RunningAgent]:
    """Runs an agent as the other user under a copy of the interpreter, with a secret in its environment."""
    config = prepare(folder)
    text = config.read_text().replace("unsafeRunAsRoot: true", "unsafeRunAsRoot: false")
    config.write_text(text.replace("requireOneWayGlass: false", f"requireOneWayGlass: {str(glass).lower()}"))
    for path in (folder, *folder.rglob("*")):
        os.chown(path, USER, USER)
    out, errors = folder / "out", folder / "err"
    with out.open("wb") as out_file, errors.open("wb") as errors_file:
        process = subprocess.Popen(
            [str(program), "-I", "-m", "leadglass_agent", "--config", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=out_file,
            stderr=errors_file,
            env={**copies.environment(), "PLANTED": _PLANTED},
            user=USER,
            group=USER,
            extra_groups=(),
            cwd="/",
        )
    try:
        ready = wait_until_listening(process, out, errors)
        agent = RunningAgent(folder, process, ready["address"], ready["health"], folder / "ca", out, errors)
        try:
            yield agent
        finally:
            agent.stop()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _secrets(agent: RunningAgent, session_id: str) -> list[bytes]:
    """The environment's secret, two lines from the middle of the private key, and the session's name."""
    key = (agent.folder / "server" / "tls.key").read_bytes().splitlines()
    return [_PLANTED.encode(), *key[1:3], session_id.encode()]


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


@pytest.mark.slow
def test_in_twenty_starts_an_attacker_of_the_same_user_gets_nothing(copies: Interpreters, ground: Path) -> None:
    tries = 0
    for number in range(_STARTS):
        folder = ground / f"leadglass-sealed-{number}"
        folder.mkdir()
        with _attacking(copies, folder.name) as attacker, _agent(copies, copies.sealed, folder, glass=True) as agent:
            caller = agent.caller()
            got = _last_look(attacker, _secrets(agent, caller.session_id), _port(agent.address))

        assert got.victims >= 3  # supervisor, reader, front
        assert got.forbidden == frozenset()
        assert got.allowed == frozenset()
        assert got.found == frozenset()
        assert got.bound == ()
        tries += got.tries
    assert tries > 0


def test_the_same_attack_gets_everything_of_an_ordinary_program(copies: Interpreters) -> None:
    program = f"import os, sys; key = {_PLANTED!r}[::-1]; print(1, flush=True); sys.stdin.read()"
    with _attacking(copies, "an-ordinary-program") as attacker:
        victim = copies.popen(copies.readable, "-c", program, "an-ordinary-program", PLANTED=_PLANTED)
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"1\n"
        got = _last_look(attacker, [_PLANTED.encode(), _PLANTED[::-1].encode()])
        victim.communicate()

    assert {"mem", "maps", "environ", "root/", "exe", "fd/N"} <= got.forbidden
    assert got.allowed == _CALLS
    assert {"files 0", "memory 1"} <= got.found


@pytest.mark.slow
def test_an_agent_under_a_readable_interpreter_loses_the_race_although_it_hardens_itself(
    copies: Interpreters, ground: Path
) -> None:
    folder = ground / "readable-agent"
    folder.mkdir()
    with _attacking(copies, folder.name) as attacker, _agent(copies, copies.readable, folder, glass=False) as agent:
        got = _last_look(attacker, [_PLANTED.encode()], _port(agent.address))

    assert {"mem", "maps", "environ"} <= got.forbidden
    assert {"files 0", "memory 0"} <= got.found
    assert got.bound == ()


def test_an_agent_that_is_to_have_the_glass_does_not_start_without_it(copies: Interpreters, ground: Path) -> None:
    folder = ground / "refused"
    folder.mkdir()

    with (
        pytest.raises(AssertionError, match=r"exit 2.*requireOneWayGlass"),
        _agent(copies, copies.readable, folder, glass=True),
    ):
        pass
