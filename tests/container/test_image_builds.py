"""The same sources give the same image, and any base carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from container_images import base_image, build_agent_image, builder_image
from image_trees import run_agent, run_python

if TYPE_CHECKING:
    from collections.abc import Iterator

    from containers import Engine

pytestmark = [pytest.mark.container, pytest.mark.slow, pytest.mark.timeout(1800)]

_MAPPED = """
import grpc, cryptography.x509, hyperscan
lines = open("/proc/self/maps", encoding="ascii").read().splitlines()
code = {line.split(None, 5)[5] for line in lines if " r-xp " in line and "/" in line}
print(sorted(one for one in code if not one.startswith("/opt/leadglass/")), len(code) > 10)
"""


@pytest.fixture
def tag(podman: Engine) -> Iterator[str]:
    """The name of an image that is removed afterwards."""
    name = f"localhost/{podman.session}-built:1"
    yield name
    podman.call("rmi", "--force", "--ignore", name, seconds=240)


def _digest(podman: Engine, name: str) -> str:
    return podman.call("image", "inspect", "--format={{.Digest}} {{.Id}}", name).strip()


def test_two_builds_from_nothing_give_the_same_digest(podman: Engine, tag: str) -> None:
    builder = f"--builder={builder_image(podman)}"

    build_agent_image(podman, tag, builder)
    first = _digest(podman, tag)
    podman.call("rmi", "--force", tag, seconds=240)
    build_agent_image(podman, tag, builder)

    assert _digest(podman, tag) == first


def test_on_a_base_with_a_c_library_of_its_own_it_runs_with_its_own(podman: Engine, tag: str) -> None:
    build_agent_image(podman, tag, f"--builder={builder_image(podman)}", f"--base={base_image(podman)}")

    assert run_agent(podman, tag, "--version").startswith("leadglass-agent ")
    assert run_python(podman, tag, _MAPPED).strip() == "[] True"
