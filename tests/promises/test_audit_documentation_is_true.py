"""Promise: the commands of docs/audit.md print what it says they print."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from audit_example import example_files
from leadglass_agent.audit.chain import Fault
from leadglass_agent.audit.record import Event, EventKind

if TYPE_CHECKING:
    from collections.abc import Iterator

_DOCS = Path(__file__).parents[2] / "docs"
_TEXT = (_DOCS / "audit.md").read_text(encoding="utf-8")


def _examples() -> Iterator[tuple[str, str]]:
    for block in re.findall(r"^```console\n(.*?)^```$", _TEXT, re.MULTILINE | re.DOTALL):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = example.partition("\n")
            yield command, output


@pytest.mark.skipif(shutil.which("jq") is None, reason="the examples need jq")
@pytest.mark.parametrize(("command", "output"), list(_examples()))
def test_an_example_prints_what_the_page_says(tmp_path: Path, command: str, output: str) -> None:
    leadglass = tmp_path / "leadglass"
    program = "from leadglass_client.main import main; main()"
    leadglass.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{program}' \"$@\"\n")
    leadglass.chmod(0o700)
    environment = os.environ | {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "LC_ALL": "C",
    }

    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=_DOCS / "examples", env=environment, check=True, capture_output=True, text=True
    )

    assert done.stdout == output


def test_the_example_files_are_what_an_agent_and_a_client_would_write() -> None:
    made, folder = example_files(), _DOCS / "examples"

    assert (folder / "audit.jsonl").read_bytes() == made.log
    assert (folder / "receipts.jsonl").read_bytes() == made.receipts
    assert (folder / "ca.crt").read_bytes() == made.authority
    assert (folder / "audit-forged.jsonl").read_bytes() == made.forged


def test_every_field_kind_and_fault_is_explained() -> None:
    explained = set(re.findall(r"[A-Za-z_]+", " ".join(line for line in _TEXT.splitlines() if line.startswith("| "))))

    for name in [field.name for field in fields(Event)] + list(EventKind) + list(Fault):
        assert name in explained
