"""The commands of docs/container.md do what the page says, on real containers."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from container_images import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from pods import Pod

pytestmark = [pytest.mark.container, pytest.mark.timeout(600)]

_PAGE = ROOT / "docs" / "container.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _script(pod: Pod) -> str:
    """The page's commands with this machine's podman, and the images and names of this test session."""
    session = pod.engine.session
    commands = "".join(
        block for block in _BLOCK.findall(_PAGE.read_text(encoding="utf-8")) if "make image" not in block
    )
    # Names of containers alone: after these words, the page means one.
    commands = re.sub(r"(--name |container:|logs |--time=10 |Pid}}' )shop(?![.])", rf"\1{session}-doc-shop", commands)
    commands = commands.replace("redis:7", pod.base).replace("leadglass-agent:latest", pod.image)
    podman, run = shlex.join(pod.engine.command), shlex.join(["run", *pod.engine.options()])
    function = f'podman() {{ if [ "$1" = run ]; then shift; set -- {run} "$@"; fi; command {podman} "$@"; }}'
    return f"set -eu\n{function}\n{commands}"


def test_every_command_of_the_page_succeeds_and_shows_what_the_page_shows(pod: Pod, tmp_path: Path) -> None:
    # Installed, the client is a program on the path, which nsenter can start.
    programs = tmp_path / "programs"
    programs.mkdir()
    client = programs / "leadglass"
    client.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m leadglass_client.main "$@"\n', encoding="ascii"
    )
    client.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    environment = pod.alice.environment()
    done = subprocess.run(
        ["sh", "-c", _script(pod)],
        check=False,
        cwd=work,
        capture_output=True,
        text=True,
        timeout=180,
        stdin=subprocess.DEVNULL,
        env=environment | {"PATH": f"{programs}:{environment['PATH']}"},
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert '{"event": "listening", "address": "127.0.0.1:7443", "health": "127.0.0.1:7444"}' in done.stdout
    assert re.search(r" 1  1000  .* redis-server .* --requirepass \[redacted:[a-z-]+\]\n", done.stdout)
    assert re.search(r"PRESENT +REDIS_PASSWORD\nUNSET +REDIS_URL\n", done.stdout)
    assert "correct-horse-battery" not in done.stdout + done.stderr
    assert sorted(path.name for path in work.iterdir()) == ["audit"]
