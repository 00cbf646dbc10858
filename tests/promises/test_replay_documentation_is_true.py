"""Promise: the commands of docs/replay.md print what it says they print, and end with the code that it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from leadglass_client.errors import ExitCode
from leadglass_client.replay.changes import Kind
from replay_example import write_example

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEXT: Final = (Path(__file__).parents[2] / "docs" / "replay.md").read_text(encoding="utf-8")
_STATUS: Final = re.compile(r"^\(exit code (\d+)\)\n\Z", re.MULTILINE)


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", _TEXT, re.MULTILINE | re.DOTALL)


def _examples(block: str) -> Iterator[tuple[str, str]]:
    for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = example.partition("\n")
        yield command, output


@pytest.mark.skipif(shutil.which("jq") is None, reason="the examples need jq")
@pytest.mark.parametrize("block", _blocks("console"))
def test_the_examples_print_what_the_page_says(tmp_path: Path, block: str) -> None:
    write_example(tmp_path, _blocks("yaml"))
    leadglass = tmp_path / "leadglass"
    program = "from leadglass_client.main import main; main()"
    leadglass.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{program}' \"$@\"\n")
    leadglass.chmod(0o700)
    environment = os.environ | {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "LC_ALL": "C",
    }

    for command, output in _examples(block):
        shell = ["/bin/sh", "-c", f"{{ {command}; }} 2>&1"]
        done = subprocess.run(
            shell, cwd=tmp_path, env=environment, check=False, capture_output=True, stdin=subprocess.DEVNULL
        )
        status = _STATUS.search(output)
        assert done.stdout.decode() == (output[: status.start()] if status else output)
        assert done.returncode == (int(status[1]) if status else 0)


def test_every_kind_of_change_and_the_exit_codes_are_explained() -> None:
    for kind in Kind:
        assert f"| `{kind}` |" in _TEXT
    for code in (ExitCode.OK, ExitCode.ERROR, ExitCode.PARTIAL, ExitCode.AUDIT_INVALID):
        assert f"| {code:d} |" in _TEXT
