"""`leadglass redact`: a filter that lets nothing through when it fails, in memory that does not grow."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.redaction.findings import RedactionError, RuleId
from leadglass_agent.redaction.redactor import Redactor
from leadglass_cli import Home
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.offline.byte_output import ByteOutput
from leadglass_client.offline.byte_progress import ByteProgress
from leadglass_client.offline.redact import pump

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECRET = "Tr0ub" + "4dor-horse-7x"
LINE = f"2026-03-14 connecting with password={SECRET} to db-1\n"
MEBI = 1024 * 1024
SECONDS = 60
ENGINE = Redactor()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def _filter(home: Home, *arguments: str, given_bytes: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "leadglass_client.main", "redact", *arguments]
    env = home.environment()
    return subprocess.run(command, input=given_bytes, capture_output=True, check=False, env=env, timeout=SECONDS)


def _output() -> tuple[ByteOutput, io.BytesIO]:
    sink = io.BytesIO()
    return ByteOutput(io.TextIOWrapper(sink, "utf-8")), sink


def test_standard_input_goes_to_standard_output_without_its_secrets(home: Home) -> None:
    done = _filter(home, given_bytes=LINE.encode())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == LINE.replace(SECRET, "[redacted:password]").encode()


def test_files_are_one_text_in_their_order_and_a_dash_is_standard_input(home: Home) -> None:
    first, last = home.folder / "first.log", home.folder / "last.log"
    first.write_text(LINE)
    last.write_bytes(f"again {SECRET}\xff\0 and an end without a newline".encode("latin-1"))
    done = _filter(home, str(first), "-", str(last), given_bytes=b"from the pipe\n")
    masked = LINE.replace(SECRET, "[redacted:password]").encode()
    end = b"again [redacted:password]\xff\0 and an end without a newline"
    assert (done.returncode, done.stdout) == (0, masked + b"from the pipe\n" + end)


@given(st.binary(max_size=400), st.integers(1, 50))
def test_the_output_is_that_of_the_engine_however_the_input_arrives(tail: bytes, size: int) -> None:
    data = LINE.encode() + tail
    output, sink = _output()
    chunks = (data[start : start + size] for start in range(0, len(data), size))
    totals = pump(chunks, ENGINE.stream(), output, ByteProgress(None, wanted=False, no_color=True))
    whole = ENGINE.redact(data)
    assert sink.getvalue() == whole.text.data
    assert (totals.bytes_read, totals.bytes_written) == (len(data), len(whole.text.data))
    assert sum(totals.redactions_by_rule.values()) == len(whole.findings)


def test_the_report_has_counts_and_no_value(home: Home) -> None:
    report = home.folder / "counts.json"
    done = _filter(home, "--profile", "balanced", "--report", str(report), given_bytes=LINE.encode() * 3)
    assert done.returncode == 0
    assert SECRET not in report.read_text()
    assert json.loads(report.read_text()) == {
        "profile": "balanced",
        "bytes_read": len(LINE) * 3,
        "bytes_written": len(done.stdout),
        "redactions": 3,
        "redactions_by_rule": {"password": 3},
    }


def test_a_report_goes_to_what_is_no_file_without_replacing_it(home: Home) -> None:
    done = _filter(home, "--report", "/dev/stderr", given_bytes=LINE.encode())
    assert json.loads(done.stderr)["redactions"] == 1
    assert Path("/dev/stderr").is_symlink()


@pytest.mark.parametrize("report", ["{0}", "{0}/../app.log", "{1}/nowhere/counts.json"])
def test_a_report_that_cannot_be_or_replaces_an_input_is_refused_before_anything_is_read(
    home: Home, report: str
) -> None:
    log = home.folder / "app.log"
    log.write_text(LINE)
    (home.folder / "link").symlink_to(log)
    done = _filter(home, "--report", report.format(home.folder / "link", home.folder), str(log))
    assert (done.returncode, done.stdout) == (2, b"")
    assert log.read_text() == LINE


@pytest.mark.parametrize(("name", "code"), [("gone.log", 4), (".", 2), ("app.log/x", 4)])
def test_a_name_that_is_wrong_ends_the_command_before_its_first_byte(home: Home, name: str, code: int) -> None:
    log = home.folder / "app.log"
    log.write_text(LINE)
    done = _filter(home, str(log), str(home.folder / name))
    assert (done.returncode, done.stdout) == (code, b"")


def test_an_input_that_is_also_the_output_is_refused(home: Home) -> None:
    log = home.folder / "app.log"
    log.write_text(LINE)
    with log.open("ab") as both:
        command = [sys.executable, "-m", "leadglass_client.main", "redact", str(log)]
        done = subprocess.run(command, stdout=both, stderr=subprocess.PIPE, check=False, env=home.environment())
    assert done.returncode == 2
    assert b"is the file that the output goes to" in done.stderr
    assert log.read_text() == LINE


class _Failing:
    """A stream whose engine fails at the third chunk."""

    def __init__(self) -> None:
        self.counts: Mapping[RuleId, int] = {}
        self._chunks = 0

    def feed(self, chunk: bytes) -> _Text:
        self._chunks += 1
        if self._chunks == 3:
            raise RedactionError
        return _Text(chunk)

    def finish(self) -> _Text:
        return _Text(b"what was kept back")


class _Text:
    def __init__(self, data: bytes) -> None:
        self.data = data


def test_a_failed_redaction_gives_no_further_text_and_one_line_that_holds_nothing_of_the_input() -> None:
    output, sink = _output()
    with pytest.raises(Failure) as raised:
        pump(
            [b"one ", b"two ", SECRET.encode(), b"four"],
            _Failing(),
            output,
            ByteProgress(None, wanted=False, no_color=True),
        )
    assert sink.getvalue() == b"one two "
    assert (raised.value.code, raised.value.what) == (ExitCode.ERROR, "redaction failed; nothing is shown")
    assert raised.value.next_step == ""
    assert raised.value.__cause__ is None


def test_an_input_that_breaks_off_leaves_what_was_read_of_it_masked() -> None:
    def broken() -> Iterator[bytes]:
        yield LINE.encode() + b"password=" + SECRET[:8].encode()
        raise Failure(ExitCode.PARTIAL, "the disk is gone", "")

    output, sink = _output()
    with pytest.raises(Failure, match="the disk is gone"):
        pump(broken(), ENGINE.stream(), output, ByteProgress(None, wanted=False, no_color=True))
    assert sink.getvalue().endswith(b"to db-1\npassword=[redacted:password]")


def test_without_the_engine_it_says_what_to_install(home: Home) -> None:
    code = (
        "import sys\n"
        "sys.modules['hyperscan'] = None\n"
        "from leadglass_client.main import run\n"
        "sys.exit(run(['redact']))\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=LINE.encode(), capture_output=True, check=False, env=home.environment())
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().splitlines() == [
        "leadglass: the redaction engine is not installed here: hyperscan is missing",
        "      next: install it (Linux): pip install 'leadglass[agent]'",
    ]


def test_a_reader_that_leaves_ends_it_quietly(home: Home) -> None:
    big = home.folder / "big.log"
    big.write_bytes(b"a line of harmless text\n" * 200_000)
    command = [sys.executable, "-m", "leadglass_client.main", "redact", str(big)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=home.environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"a line of harmless text\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(SECONDS) == ExitCode.INTERRUPTED


def _peak_kib(home: Home, file: Path) -> int:
    code = (
        "import re, sys\n"
        "from leadglass_client.main import run\n"
        "code = run(['redact', sys.argv[1]])\n"
        "peak = re.search('VmHWM:\\\\s+(\\\\d+)', open('/proc/self/status').read())[1]\n"
        "sys.stderr.write(peak)\n"
        "sys.exit(code)\n"
    )
    command = [sys.executable, "-c", code, str(file)]
    with Path(os.devnull).open("wb") as nowhere:
        done = subprocess.run(
            command,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=nowhere,
            stderr=subprocess.PIPE,
            env=home.environment(PYTHONWARNINGS="ignore"),
            timeout=SECONDS,
        )
    return int(done.stderr)


def test_memory_does_not_grow_with_the_input(home: Home) -> None:
    block = b"".join(
        b"%07d %s" % (number, LINE.encode()) if number % 500 == 0 else b"%07d harmless\n" % number
        for number in range(65_536)
    )
    small, large = home.folder / "small.log", home.folder / "large.log"
    small.write_bytes(block * 4)
    large.write_bytes(block * (64 * MEBI // len(block)))
    assert large.stat().st_size > 12 * small.stat().st_size
    assert _peak_kib(home, large) - _peak_kib(home, small) < 6 * 1024
