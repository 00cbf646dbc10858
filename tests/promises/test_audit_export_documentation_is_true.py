"""Promise: the commands of docs/audit-export.md print what it says they print, and its tables name what there is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from leadglass_agent.audit.canonical import parse
from leadglass_agent.audit.chain import Record, read_line
from leadglass_agent.audit.export_ocsf import ocsf
from leadglass_agent.audit.looks import How
from leadglass_agent.audit.record import Event, EventKind, body
from review_example import REVIEW_EXAMPLE

if TYPE_CHECKING:
    from collections.abc import Iterator

_DOCS = Path(__file__).parents[2] / "docs"
_PAGE = _DOCS / "audit-export.md"
_LOG = _DOCS / "examples" / "audit-review.jsonl"


def _examples() -> Iterator[tuple[str, str]]:
    for block in re.findall(r"^```console\n(.*?)^```$", _PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = example.partition("\n")
            yield command, output


def output_of(command: str, folder: Path) -> str:
    """Runs a command of the page in the folder of the examples."""
    leadglass = folder / "leadglass"
    program = "from leadglass_client.main import main; main()"
    leadglass.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{program}' \"$@\"\n")
    leadglass.chmod(0o700)
    environment = os.environ | {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=_DOCS / "examples", env=environment, check=True, capture_output=True, text=True
    )
    assert done.stderr in {"", "note: not verified; run leadglass audit verify\n"}
    return done.stdout


@pytest.mark.skipif(shutil.which("jq") is None, reason="the examples need jq")
@pytest.mark.parametrize(("command", "output"), list(_examples()))
def test_an_example_prints_what_the_page_says(tmp_path: Path, command: str, output: str) -> None:
    assert output_of(command, tmp_path) == output


def test_the_example_log_holds_what_the_agent_would_write() -> None:
    """The fields of the events, and a hash that is right; what an envelope holds besides may grow."""
    lines = _LOG.read_bytes().splitlines()

    assert len(lines) == len(REVIEW_EXAMPLE)
    for line, event in zip(lines, REVIEW_EXAMPLE, strict=True):
        assert isinstance(read_line(line), Record)
        assert parse(line).items() >= body(event).items()


def test_the_page_explains_every_kind_class_and_way_of_looking() -> None:
    rows = [line for line in _PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    text = "\n".join(rows)

    for kind in EventKind:
        event = ocsf(body(Event(kind=kind)) | {"time": "2025-06-15T15:06:41.000000Z", "seq": 1, "hash": "0"})
        row = next((line for line in rows if re.search(rf"\b{kind}\b.*\| .* [0-9]{{4}} \|", line)), "")
        assert f"{event['class_name']} {event['class_uid']} |" in row, kind
    for how in How:
        assert how.value.partition(":")[0] in text
