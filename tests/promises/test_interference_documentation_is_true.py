"""Promise: the examples of docs/interference.md print what it says, and it explains every cause, finding and fact."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from audit_logs import lines_of
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.errors import Severity
from leadglass_agent.processes.notices import InterferenceCause
from leadglass_agent.processes.observer import foreign_event
from leadglass_agent.redaction.escape import visible
from leadglass_agent.views.lineage import Finding
from leadglass_agent.views.redactors import build_redactors
from leadglass_agent.views.rows import ForeignProcess

_PAGE: Final = Path(__file__).parents[2] / "docs" / "interference.md"


def _events() -> dict[EventKind, Event]:
    name = visible(build_redactors().balanced.redact(b"sh").text, 64)
    shell = foreign_event(ForeignProcess(Finding.NOT_DESCENDED, 57, 1, name, 1_000, 17, "7a9086428662", 1, stays=True))
    facts = (("cause", "SIGNAL"), ("role", "SUPERVISOR"), ("by_pid", 57))
    return {
        EventKind.FOREIGN_PROCESS: shell,
        EventKind.INTERFERENCE: Event(kind=EventKind.INTERFERENCE, severity=Severity.CRITICAL, facts=facts),
        EventKind.AGENT_STOPPED: Event(kind=EventKind.AGENT_STOPPED, facts=(("cause", "INTERFERENCE"),)),
    }


def _examples() -> list[tuple[str, str]]:
    page = _PAGE.read_text(encoding="utf-8")
    return re.findall(r"^```text\n\$ (jq [^\n]*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(shutil.which("jq") is None, reason="the examples need jq")
@pytest.mark.parametrize(
    ("example", "kinds"),
    [
        (0, (EventKind.FOREIGN_PROCESS,)),
        (1, (EventKind.INTERFERENCE, EventKind.AGENT_STOPPED)),
    ],
)
def test_an_example_prints_what_the_page_says(tmp_path: Path, example: int, kinds: tuple[EventKind, ...]) -> None:
    command, output = _examples()[example]
    events = _events()
    (tmp_path / "audit.jsonl").write_bytes(b"".join(lines_of([events[kind] for kind in kinds])))

    printed = subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert _without_times(printed.stdout) == _without_times(output)


def _without_times(lines: str) -> list[object]:
    return [json.loads(line)[1:] for line in lines.splitlines()]


def test_both_examples_are_looked_at() -> None:
    assert len(_examples()) == 2


def test_the_page_explains_every_cause_finding_and_fact() -> None:
    page = _PAGE.read_text(encoding="utf-8")

    for word in (*InterferenceCause, *Finding, *dict(_events()[EventKind.FOREIGN_PROCESS].facts)):
        assert re.search(rf"^\| `?{word}`?[, |]", page, re.MULTILINE), word
