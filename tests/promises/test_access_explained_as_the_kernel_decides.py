"""Promise: `leadglass why` says what the kernel would say, for any process, path and operation."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from leadglass.v1 import common_pb2, inspect_pb2
from running_agent import running_agent

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRIALS = Path(__file__).parents[1] / "support" / "access_trials.py"
_SECONDS = 300

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/proc/self/ns/user").exists(),
    reason="needs root: it makes files of other users, mounts, and processes with other credentials",
)


def _agreement(seed: int, trees: int) -> dict[str, int]:
    """Tries the trees, fails with what differs, and gives how often each verdict was met."""
    done = subprocess.run(
        [sys.executable, str(_TRIALS), str(seed), str(trees)],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=_SECONDS,
    )
    if "Operation not permitted" in done.stderr and not done.stdout:
        pytest.skip("this root may not mount or make namespaces")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong_count"] == 0, "\n\n".join(found["wrong"])
    seen: dict[str, int] = found["seen"]
    return seen


@needs_root
def test_a_sample_of_random_trees_is_explained_as_the_kernel_decides() -> None:
    seen = _agreement(seed=6, trees=60)
    assert sum(seen.values()) == 60 * 24


@needs_root
@pytest.mark.slow
def test_a_thousand_random_trees_are_explained_as_the_kernel_decides() -> None:
    seen = _agreement(seed=2026, trees=1_000)
    assert sum(seen.values()) == 1_000 * 24
    # The trees are of many kinds, or the agreement would say little.
    met = set(seen)
    assert met >= {
        "Allowed OWNER_BITS",
        "Allowed ACL_USER",
        "Allowed CAP_DAC_OVERRIDE",
        "Allowed CAP_DAC_READ_SEARCH",
        "Denied OWNER_BITS",
        "Denied GROUP_BITS",
        "Denied OTHER_BITS",
        "Denied ACL_USER",
        "Denied ACL_GROUP",
        "Denied ACL_MASK",
        "Denied READ_ONLY",
        "Denied USER_NAMESPACE",
        "Denied STICKY",
        "Denied TOO_MANY_LINKS",
        "Denied NO_EXECUTE_BIT",
    }
    assert "Unknown" not in met


@contextmanager
def _of_web() -> Iterator[int]:
    """Runs a process of user and group 1000; gives its number."""
    command = ["/bin/sh", "-c", "echo; read line"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, user=1000, group=1000, extra_groups=[], cwd="/"
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it runs, with its own credentials
        yield process.pid
        process.kill()


@needs_root
def test_the_agent_names_the_component_and_the_rule_from_within_its_sandbox(tmp_path: Path) -> None:
    with TemporaryDirectory() as name, _of_web() as pid, running_agent(tmp_path) as agent:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "tls").mkdir()
        key = folder / "tls" / "key.pem"
        key.touch()
        key.chmod(0o640)
        (folder / "tls").chmod(0o744)
        alice = agent.caller()

        def why() -> inspect_pb2.ExplainAccessResponse:
            request = inspect_pb2.ExplainAccessRequest(
                process=common_pb2.ProcessRef(pid=pid), path=str(key), operation=inspect_pb2.ACCESS_OPERATION_READ
            )
            reply = alice.call(alice.inspect.ExplainAccess, request)
            assert isinstance(reply, inspect_pb2.ExplainAccessResponse)
            return reply

        reply = why()
        assert reply.verdict == inspect_pb2.ACCESS_VERDICT_DENIED
        assert (reply.rule, reply.needed_rights, reply.has_rights) == (inspect_pb2.ACCESS_RULE_OTHER_BITS, 1, 4)
        assert (reply.component.path.text, reply.component.mode) == (str(folder / "tls"), 0o744)
        assert (reply.identity.fsuid, reply.identity.fsgid, list(reply.identity.groups)) == (1000, 1000, [])
        (folder / "tls").chmod(0o755)
        assert why().component.path.text == str(key)
        # A list is had by a system call of its own, which the worker's filter has to let through.
        nobody = 0xFFFFFFFF
        entries = ((1, 6, nobody), (2, 4, 1000), (4, 0, nobody), (16, 4, nobody), (32, 0, nobody))
        os.setxattr(
            key,
            "system.posix_acl_access",
            struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries),
        )
        reply = why()
        assert (reply.verdict, reply.rule) == (inspect_pb2.ACCESS_VERDICT_ALLOWED, inspect_pb2.ACCESS_RULE_ACL_USER)
