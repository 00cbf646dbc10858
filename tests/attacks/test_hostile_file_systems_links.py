"""Links and paths without an end, and links to what is the agent's own: an answer or a reason, and nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import pytest

from expecting import refusal
from leadglass.v1 import inspect_pb2
from looking import Looker, lines, reason
from running_agent import OPEN_POLICY, RunningAgent, running_agent
from swapping import app_below

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a process its own root")

HEAD, TAIL, OFFSET = (
    inspect_pb2.TEXT_START_HEAD,
    inspect_pb2.TEXT_START_TAIL,
    inspect_pb2.TEXT_START_OFFSET,
)
# Every text, whatever its name: what keeps content away here is not policy.
POLICY: Final = OPEN_POLICY.replace('paths: ["/**/*.log", "/**/*.yaml"]', 'paths: ["/**"]')


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    with running_agent(tmp_path_factory.mktemp("agent"), POLICY) as started:
        yield started


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pod")


@pytest.fixture(scope="module")
def looker(agent: RunningAgent, pod: Path) -> Iterator[Looker]:
    with app_below(pod) as pid:
        yield Looker(agent.caller(), pid)


def _why(messages: list[inspect_pb2.ReadTextResponse]) -> str:
    return reason(messages[-1].unavailable) if messages[-1].unavailable else ""


def test_chains_and_circles_of_links_end_in_a_reason(looker: Looker, pod: Path) -> None:
    (pod / "end.log").write_text("the end\n")
    (pod / "link-0").symlink_to("end.log")
    for number in range(1, 60):
        (pod / f"link-{number}").symlink_to(f"link-{number - 1}")
    (pod / "circle").symlink_to("circle")
    (pod / "there").symlink_to("back")
    (pod / "back").symlink_to("there")
    (pod / "longer").symlink_to("longer/longer")

    assert lines(looker.read("/link-39")) == ["the end"]
    for path in ("/link-40", "/link-59", "/circle", "/there", "/back/file", "/longer", "/longer/longer"):
        assert _why(looker.read(path)) == "PATH_TOO_LONG"
        assert reason(looker.stat(path, follow=True)[0].unavailable) == "PATH_TOO_LONG"
        assert reason(looker.page(path).unavailable) == "PATH_TOO_LONG"
    assert looker.stat("/circle")[0].link_target.text == "circle"


def test_paths_of_four_kilobytes_are_found_up_to_the_kernels_bound_and_refused_above(looker: Looker, pod: Path) -> None:
    (pod / "dot").symlink_to(".")
    (pod / "dot.log").write_text("here\n")
    padded = "/" * 4_087 + "dot.log"
    for path in (padded, "/" + "n" * 255 + "/" + "m" * 3_000, "/" + "n" * 256, "/" + "dot/" * 1_000):
        assert len(path) <= 4_096
        row = looker.stat(path, follow=True)[0]
        assert row.size_bytes or reason(row.unavailable) in {"NOT_FOUND", "PATH_TOO_LONG"}
    assert lines(looker.read(padded)) == ["here"]
    assert _why(looker.read("/" + "a/" * 2_047)) in {"NOT_FOUND", "PATH_TOO_LONG"}
    for path in ("/" * 4_097, "/a\0b", "/a/../b", "relative", ""):
        assert refusal(lambda path=path: looker.stat(path)) == "INVALID_REQUEST"  # type: ignore[misc] # bound now


def test_a_link_of_either_kind_to_the_agents_own_key_shows_no_line_of_it(
    agent: RunningAgent, looker: Looker, pod: Path
) -> None:
    """Shares the agent's volume with the application, by a hard link: what remains is that a key is masked as such."""
    key = agent.folder / "server" / "tls.key"
    (pod / "soft.log").symlink_to(key)
    (pod / "soft-through.log").symlink_to(f"/proc/{agent.front_pid}/root{key}")
    os.link(key, pod / "hard.log")
    os.link(key, pod / "hard")
    body = [line for line in key.read_text(encoding="ascii").splitlines() if not line.startswith("-----")]
    assert all(len(line) >= 8 for line in body)
    size = key.stat().st_size

    assert _why(looker.read("/soft.log")) == "NOT_FOUND"
    assert _why(looker.read("/soft-through.log")) == "NOT_FOUND"
    windows: list[dict[str, Any]] = [{"start": HEAD}, *({"start": TAIL, "max_lines": count} for count in range(1, 5))]
    windows += [{"start": OFFSET, "offset_bytes": at, "max_bytes": 40} for at in range(0, size, 11)]
    shown = ""
    for name in ("/hard.log", "/hard"):
        for window in windows:
            messages = looker.read(name, **window)
            shown += "\n".join([str(messages), *lines(messages)])
    assert not [line for line in body if any(line[at : at + 8] in shown for at in range(len(line) - 7))]
    assert "[redacted:" in shown
