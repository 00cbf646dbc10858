"""The commands that read logs: files, folders and pipes, lines that are no records, filters, and every form."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from ocsf_json_schema import get_packaged_versions

from leadglass_agent.audit.export_ocsf import VERSION
from leadglass_agent.audit.record import RECORD_BYTES
from leadglass_cli import ROOT, Home

if TYPE_CHECKING:
    from pathlib import Path

_LOG = ROOT / "docs" / "examples" / "audit-review.jsonl"
_LINES = _LOG.read_bytes().splitlines(keepends=True)
_NOT_VERIFIED = "note: not verified; run leadglass audit verify\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_what_is_exported_as_jsonl_is_what_is_on_disk(home: Home) -> None:
    outcome = home.run("audit", "export", str(_LOG), "--format", "jsonl")

    assert (outcome.code, outcome.err) == (0, _NOT_VERIFIED)
    assert outcome.out.encode() == _LOG.read_bytes()


@pytest.mark.parametrize("form", ["jsonl", "ocsf", "ecs", "csv"])
def test_lines_that_are_no_records_are_counted_and_left_out(home: Home, tmp_path: Path, form: str) -> None:
    damaged = tmp_path / "damaged.jsonl"
    too_long = b'"' + b"x" * (3 * RECORD_BYTES) + b'"\n'
    damaged.write_bytes(b"".join([*_LINES[:2], b"{}\n", b"\xff\n", too_long, *_LINES[2:], _LINES[0][:-1]]))

    outcome = home.run("audit", "export", str(damaged), "--format", form, "--verified")
    whole = home.run("audit", "export", str(_LOG), "--format", form, "--verified")

    assert outcome.code == 8
    assert "4 lines are no records and were left out, the first is line 3 of" in outcome.err
    assert outcome.out == whole.out


@pytest.mark.parametrize("command", [["timeline", "s-6f1c"], ["who", "DB_PASSWORD"], ["sessions"]], ids=" ".join)
def test_an_answer_from_a_damaged_log_is_partial(home: Home, tmp_path: Path, command: list[str]) -> None:
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_bytes(b"".join([*_LINES, b"no record\n"]))

    outcome = home.run("audit", *command, str(damaged))
    whole = home.run("audit", *command, str(_LOG))

    assert (outcome.code, whole.code) == (8, 0)
    assert "1 line is no record and was left out" in outcome.err
    assert outcome.out == whole.out != ""


_ODD = [
    (b'"time":"2025-06-15T15:06:44', b'"time":"2025-06-31T15:06:44'),
    (b'"time":"2025-06-15T15:06:44', b'"time":"0000-06-15T15:06:44'),
    (b'"duration_us":5120', b'"duration_us":' + b"9" * 400),
    (b'"rows":40', b'"rows":-' + b"9" * 400),
    (b'"v":1}', b'"v":18446744073709551616}'),
]


@pytest.mark.parametrize(
    "command",
    [
        ["timeline", "s-6f1c"],
        ["who", "DB_PASSWORD"],
        ["sessions"],
        *(["export", "--format", form] for form in ("ocsf", "ecs", "csv")),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(("old", "new"), _ODD, ids=range(len(_ODD)))
def test_a_time_or_a_number_that_no_agent_writes_makes_a_line_no_record(
    home: Home, tmp_path: Path, old: bytes, new: bytes, command: list[str]
) -> None:
    odd = next(line for line in _LINES if old in line)
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_bytes(b"".join(line.replace(old, new) if line is odd else line for line in _LINES))

    outcome = home.run("audit", *command, str(damaged))

    assert outcome.code == 8
    assert "1 line is no record and was left out" in outcome.err


@pytest.mark.parametrize("as_folder", [True, False])
def test_segments_are_read_from_the_oldest_on(home: Home, tmp_path: Path, *, as_folder: bool) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "audit.jsonl").write_bytes(b"".join(_LINES[10:]))
    (folder / "audit.jsonl.000000000006").write_bytes(b"".join(_LINES[5:10]))
    (folder / "audit.jsonl.000000000001").write_bytes(b"".join(_LINES[:5]))
    (folder / "audit.jsonl.tree").write_bytes(bytes(640))
    logs = (
        [str(folder)]
        if as_folder
        else sorted(str(name) for name in folder.glob("audit.jsonl*") if name.suffix != ".tree")
    )

    outcome = home.run("audit", "export", *logs, "--format", "jsonl", "--verified")

    assert outcome.code == 0
    assert outcome.out.encode() == _LOG.read_bytes()
    assert outcome.err == ("note: not read, as they hold no records: audit.jsonl.tree\n" if as_folder else "")


def test_a_segment_whose_beginning_is_damaged_is_not_passed_over(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "audit.jsonl").write_bytes(b"".join(_LINES[5:]))
    (folder / "audit.jsonl.000000000001").write_bytes(b"overwritten\n" + b"".join(_LINES[1:5]))

    outcome = home.run("audit", "export", str(folder), "--format", "jsonl", "--verified")

    assert outcome.code == 8
    assert outcome.out.encode() == b"".join(_LINES[1:])


def test_a_log_may_come_through_a_pipe(home: Home) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "leadglass_client.main", "audit", "timeline", "s-9a2e", "-", "-o", "name"],
        input=_LOG.read_bytes(),
        env=home.environment(),
        capture_output=True,
        check=True,
    )

    assert done.stdout.split() == [b"17", b"18", b"19", b"20", b"21"]


def test_no_log_is_not_an_empty_log(home: Home, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert home.run_here("audit", "sessions", str(tmp_path / "none")).code == 4
    assert home.run_here("audit", "sessions", str(tmp_path / "empty")).code == 4
    assert home.run_here("audit", "timeline", "s-none", str(_LOG)).code == 4
    assert home.run_here("audit", "sessions").code == 2


@pytest.mark.parametrize(
    ("options", "seqs"),
    [
        (["--from", "2025-06-15T15:06:58.123456Z", "--to", "2025-06-15T15:07:00.123456Z"], [18, 19]),
        (["--from", "2025-06-15T17:06:58.123456+02:00", "--kind", "REFUSED"], [18, 19]),
        (["--to", "2025-06-15"], []),
        (["--session", "s-9a2e", "--kind", "HALTED", "--kind", "SESSION_OPENED"], [17, 20]),
        (["--caller", "spiffe://shop.example/security/carol"], [22]),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_a_filter_leaves_what_was_asked_for(home: Home, options: list[str], seqs: list[int]) -> None:
    # The session of other commands chooses no records here.
    outcome = home.run("audit", "export", str(_LOG), "--format", "jsonl", *options, LEADGLASS_SESSION="s-none")

    assert outcome.code == 0
    assert [json.loads(line)["seq"] for line in outcome.out.splitlines()] == seqs


@pytest.mark.parametrize("options", [["--from", "yesterday"], ["--to", "2025-06-15T15:00:00"], ["--kind", "HALT"]])
def test_what_there_is_not_cannot_be_asked_for(home: Home, options: list[str]) -> None:
    outcome = home.run_here("audit", "export", str(_LOG), "--format", "csv", *options)

    assert (outcome.code, outcome.out) == (2, "")


def test_a_spreadsheet_gets_every_record_on_a_line_of_its_own(home: Home) -> None:
    outcome = home.run("audit", "export", str(_LOG), "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(outcome.out, newline=""), strict=True))

    assert [row["seq"] for row in rows] == [str(number) for number in range(1, len(_LINES) + 1)]
    assert rows[-1]["kind"] == "REVIEW_CLOSED"


@pytest.mark.parametrize("command", [["timeline", "s-6f1c"], ["who", "17"], ["sessions"]], ids=" ".join)
def test_every_form_says_the_same(home: Home, command: list[str]) -> None:
    def run(form: str) -> str:
        outcome = home.run_here("audit", *command, str(_LOG), "-o", form)
        assert (outcome.code, outcome.err) == (0, ""), form
        return outcome.out

    records = [json.loads(line) for line in run("jsonl").splitlines()]
    (listed,) = [value for value in json.loads(run("json")).values() if isinstance(value, list) and value == records]
    assert len(listed) == len(run("name").splitlines()) == len(list(csv.DictReader(io.StringIO(run("csv")))))
    assert tuple(records[0]) == tuple(next(csv.reader(io.StringIO(run("csv")))))
    assert len(run("wide").splitlines()) == len(run("table").splitlines()) > len(records)
    assert run("yaml").count("\n") > len(records)


def test_a_log_larger_than_the_memory_is_exported_whole(home: Home, tmp_path: Path) -> None:
    """Feeds 56 MiB through a process that may have 48 MiB of data."""
    limit = 48 * 1024 * 1024
    block = _LOG.read_bytes()
    times = 56 * 1024 * 1024 // len(block)
    code = (
        "import sys, resource\n"
        "from leadglass_client.main import run\n"
        f"resource.setrlimit(resource.RLIMIT_DATA, ({limit}, {limit}))\n"
        "sys.exit(run(['audit', 'export', '-', '--format', 'jsonl', '--verified']))\n"
    )
    exported = tmp_path / "exported"
    with (
        exported.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-c", code], env=home.environment(), stdin=subprocess.PIPE, stdout=output
        ) as process,
    ):
        assert process.stdin is not None
        for _ in range(times):
            process.stdin.write(block)
        process.stdin.close()

    assert process.returncode == 0
    assert exported.read_bytes() == block * times


@pytest.mark.parametrize(
    "command", [["timeline", "s-6f1c"], ["who", "/srv/**"], ["sessions"], ["export", "--format", "ocsf"]], ids=" ".join
)
def test_a_client_without_the_agents_extra_reads_logs(home: Home, command: list[str]) -> None:
    code = (
        "import sys\n"
        "sys.modules |= dict.fromkeys(['msgspec', 'hyperscan', 'opentelemetry', 'joserfc', 'grpc_health'])\n"
        "from leadglass_client.main import run\n"
        f"sys.exit(run(['audit', *{command!r}, {str(_LOG)!r}]))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], env=home.environment(), check=True, capture_output=True)

    assert done.stdout.count(b"\n") > 2


def test_the_schema_that_is_written_is_one_that_is_published() -> None:
    assert VERSION in get_packaged_versions()
