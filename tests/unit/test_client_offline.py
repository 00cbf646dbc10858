"""What needs no agent: help that is light, completion, the version, the authority's commands, audit verify."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from leadglass_agent.audit.chain import GENESIS, append
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.clock import Instant
from leadglass_cli import Home

NOON_NS = 1_767_268_800_000_000_000
HEAVY = ("grpc", "rich", "cryptography", "yaml", "google.protobuf", "leadglass.v1", "leadglass_agent")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["ps", "--help"],
        ["ca", "issue", "x", "client", "--help"],
        ["request", "--help"],
        ["approve", "--help"],
        ["reveal", "--help"],
        ["audit", "verify", "--help"],
        ["audit", "receipts", "--help"],
    ],
)
def test_help_imports_nothing_heavy(home: Home, arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from leadglass_client.main import run\n"
        f"code = run({arguments!r})\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, env=home.environment()
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_completion_offers_commands_options_and_contexts(home: Home) -> None:
    def complete(words: str, count: int) -> list[str]:
        outcome = home.run(_LEADGLASS_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(count))
        assert outcome.code == 0, outcome.err
        return [line.partition(",")[2] for line in outcome.out.splitlines()]

    home.run_here("context", "set", "production", "--address", "127.0.0.1:1")
    assert complete("leadglass se", 1) == ["self", "session"]
    assert "json" in complete("leadglass ps -o ", 3)
    assert complete("leadglass --context pro", 2) == ["production"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(home: Home, shell: str) -> None:
    outcome = home.run_here("completion", shell)
    assert outcome.code == 0
    assert "_LEADGLASS_COMPLETE" in outcome.out


@pytest.mark.parametrize("line", ["nonsense", "ps --nonsense", "env", "env 0", "ls 17", "stat 1"])
def test_wrong_usage_is_exit_code_2(home: Home, line: str) -> None:
    outcome = home.run_here(*line.split())
    assert (outcome.code, outcome.out) == (2, "")


@pytest.mark.parametrize("name", ["0", "-1", "x", "1@", "@1", "1@x", "4194305", "1@99999999999999999999", "\u0661"])
def test_what_names_no_process_is_refused(home: Home, name: str) -> None:
    assert "is no process" in home.run_here("env", "--", name).err


@pytest.mark.parametrize("line", [("ls", "1"), ("stat", "1"), ("env", "1"), ("session", "show"), ("ps", "--name")])
def test_an_argument_that_is_not_utf_8_is_wrong_usage(home: Home, line: tuple[str, ...]) -> None:
    outcome = home.run_here(*line, os.fsdecode(b"/caf\xe9"))
    assert outcome.code == 2
    assert "not valid UTF-8" in outcome.err


def test_the_authority_commands_say_what_they_made_and_overwrite_nothing(home: Home) -> None:
    folder = home.folder
    made = home.run_here("ca", "init", str(folder / "ca"), "--trust-domain", "demo.leadglass")
    assert made.out.startswith(f"certificate  {folder}/ca/ca.crt  valid until ")
    server = ("ca", "issue", str(folder / "ca"), "server", "--name", "demo.internal", "--out", str(folder / "server"))
    assert home.run_here(*server).code == 0
    again = home.run_here(*server)
    assert again.code == 2
    assert "next: give --force" in again.err
    assert home.run_here(*server, "--force").code == 0


def _log(path: Path) -> str:
    head, lines = GENESIS, []
    for number in range(3):
        line, head = append(head, Event(kind=EventKind.AGENT_STARTED), Instant(boot_ns=number, unix_ns=NOON_NS))
        lines.append(line)
    path.write_bytes(b"".join(lines))
    return head.digest


def test_a_log_that_holds_is_verified_and_its_head_is_the_name(home: Home) -> None:
    log = home.folder / "audit.jsonl"
    head = _log(log)
    assert home.run_here("audit", "verify", str(log), "-o", "name").out == f"{head}\n"
    verdict = json.loads(home.run_here("audit", "verify", str(log), "--expect-head", head, "-o", "json").out)
    assert (verdict["verified"], verdict["records"], verdict["expected_head_seq"]) == (True, 3, 3)


def test_a_log_that_was_changed_is_exit_code_10_with_the_place(home: Home) -> None:
    log = home.folder / "audit.jsonl"
    _log(log)
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(lines[0] + lines[2])
    outcome = home.run("audit", "verify", str(log), "-o", "json")
    assert outcome.code == 10
    assert json.loads(outcome.out)["verified"] is False
    assert "the log does not verify: SEQ_GAP at line 2" in outcome.err


def test_a_log_whose_end_was_cut_is_found_by_the_head_noted_earlier(home: Home) -> None:
    log = home.folder / "audit.jsonl"
    head = _log(log)
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:2]))
    assert home.run_here("audit", "verify", str(log)).code == 0
    assert home.run_here("audit", "verify", str(log), "--expect-head", head).code == 10


def test_a_log_that_is_not_there_is_not_found(home: Home) -> None:
    assert home.run_here("audit", "verify", str(home.folder / "gone")).code == 4
    assert home.run_here("audit", "verify", "x", "--expect-head", "12").code == 2


def test_an_output_that_takes_nothing_is_said_and_ends_with_an_error(tmp_path: Path) -> None:
    client = [sys.executable, "-m", "leadglass_client.main"]
    command = [*client, "ca", "init", str(tmp_path / "ca"), "--trust-domain", "d.test"]
    with Path("/dev/full").open("wb") as full:
        lost = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, check=False)
    assert lost.returncode == 1
    assert lost.stderr.startswith(b"leadglass: the output cannot be written: No space left on device")
    without = ["sh", "-c", 'exec "$@" >&-', "sh", *client, "context", "list"]
    closed = subprocess.run(without, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    assert closed.returncode == 1
    assert closed.stderr.startswith(b"leadglass: the output cannot be written: there is no standard output")


def test_a_timeout_that_is_not_a_number_is_a_usage_error() -> None:
    command = [sys.executable, "-m", "leadglass_client.main", "--timeout", "nan", "context", "list"]
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert answer.returncode == 2
