"""The sidecar's image starts as any user but root, on a read-only root, with no code from outside."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from containers import EngineError
from image_trees import APP, INTERPRETER
from pod_files import write_agent_folder

if TYPE_CHECKING:
    from pods import Pod

pytestmark = [pytest.mark.container, pytest.mark.timeout(600)]

_ALONE = ("--rm", "--network=none", "--cap-drop=all", "--security-opt=no-new-privileges")
_READ_ONLY = ("--read-only", "--read-only-tmpfs=false")


def _run(pod: Pod, *arguments: str) -> str:
    return pod.engine.call("run", *pod.engine.options(), *_ALONE, *_READ_ONLY, *arguments)


def test_the_image_names_a_user_that_is_not_root_and_the_agent_alone(pod: Pod) -> None:
    (image,) = json.loads(pod.engine.call("image", "inspect", pod.image))

    assert image["Config"]["User"] == "65532:65532"
    assert image["Config"]["Entrypoint"] == [INTERPRETER, "-I", "-S", "-OO", "-B", APP]
    assert "ExposedPorts" not in image["Config"]
    assert image["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"


@pytest.mark.parametrize("user", ["65532:65532", "1000:1000", "12345:54321"])
def test_the_program_starts_as_any_user_on_a_read_only_root(pod: Pod, user: str) -> None:
    assert _run(pod, f"--user={user}", pod.image, "--version").startswith("leadglass-agent ")


def test_the_agent_refuses_to_run_as_root(pod: Pod) -> None:
    settings = pod.folder / "root-etc"
    write_agent_folder(settings, pod.authority, 7603, 0)

    with pytest.raises(EngineError, match=r"exited 2:(.|\n)*refuses to run as root"):
        _run(pod, "--user=0:0", f"--volume={settings}:/etc/leadglass:ro", pod.image)


def test_a_variable_of_the_operator_brings_no_code_into_the_agent(pod: Pod) -> None:
    brought = pod.folder / "brought"
    brought.mkdir()
    (brought / "sitecustomize.py").write_text("raise SystemExit('brought in')\n", encoding="ascii")
    (brought / "argparse.py").write_text("raise SystemExit('brought in')\n", encoding="ascii")
    variables = ("PATH", "STARTUP", "HOME", "USERBASE", "PLATLIBDIR", "EXECUTABLE")
    mount = (
        f"--volume={brought}:/brought:ro",
        *(f"--env=PYTHON{name}=/brought" for name in variables),
        "--env=PYTHONHASHSEED=no number",
        "--env=HOME=/brought",
        "--workdir=/brought",
    )

    assert _run(pod, *mount, pod.image, "--version").startswith("leadglass-agent ")
