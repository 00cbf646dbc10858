"""`leadglass policy`: exit codes, forms, what is said of broken files; docs/policies.md shows what is printed."""

from __future__ import annotations

import contextlib
import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from leadglass_agent.policy.model import Permission
from leadglass_agent.policy.parse import parse_policy
from leadglass_agent.policy.table import parse_table, run_table
from leadglass_cli import ROOT, Home
from leadglass_client.permissions import GRANTABLE, OTHERS, REVEAL

if TYPE_CHECKING:
    from pathlib import Path

_PAGE = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
_PRODUCTION = (ROOT / "policies" / "production.yaml").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
_STATUS = re.compile(r"^\(exit code (\d+)\)\n", re.MULTILINE)
_OLGA = "spiffe://example.org/team/oncall/olga"
_ASK = ("--caller", _OLGA, "--permission", "text.redacted", "--at", "2026-01-05T12:00:00Z")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    shutil.copytree(ROOT / "policies", tmp_path / "policies")
    shutil.copy(ROOT / "docs" / "examples" / "audit.jsonl", tmp_path)
    shutil.copy(ROOT / "docs" / "examples" / "policy.yaml", tmp_path)
    wider = _PRODUCTION.replace("[/etc/app/**, /var/log/app/**]", "[/etc/app/**, /var/log/**]")
    (tmp_path / "proposed.yaml").write_text(wider.replace("denials: 20", "denials: 40"))
    return Home(tmp_path)


def policy(home: Home, *arguments: str) -> tuple[int, str, str]:
    with contextlib.chdir(home.folder):
        outcome = home.run_here("policy", *arguments)
    return outcome.code, outcome.out, outcome.err


def test_the_commands_of_the_page_print_what_the_page_shows(home: Home) -> None:
    examples = [
        example for block in _BLOCK.findall(_PAGE) for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    ]
    assert len(examples) >= 7
    for example in examples:
        command, _, shown = example.partition("\n")
        status = _STATUS.search(shown)
        program, group, *arguments = shlex.split(command)
        assert (program, group) == ("leadglass", "policy")
        code, out, err = policy(home, *arguments)
        assert out + err == (shown[: status.start()] if status else shown), command
        assert code == (int(status[1]) if status else 0), command


def test_the_table_of_the_page_holds_for_the_policy_that_it_is_about() -> None:
    (text,) = re.findall(r"```yaml\n(apiVersion.*?)```", _PAGE, re.DOTALL)
    cases = parse_table(text.encode(), "page")
    assert [outcome.fault for outcome in run_table(parse_policy(_PRODUCTION.encode(), "p"), cases)] == ["", ""]


def test_every_permission_can_be_asked_about() -> None:
    assert {*GRANTABLE, REVEAL, *OTHERS} == set(Permission)


def test_a_broken_policy_is_told_with_its_place_and_the_others_are_still_shown(home: Home) -> None:
    (home.folder / "broken.yaml").write_text(_PRODUCTION.replace("effect: permit", "effect: allow", 1))
    (home.folder / "other.yaml").write_text("a: b: c")
    code, out, err = policy(home, "check", "other.yaml", "policies/open.yaml", "broken.yaml")
    assert code == 1
    assert out.splitlines()[1].startswith("open ")
    assert "other.yaml:1:5: not YAML" in err
    assert re.search(r"broken\.yaml:\d+:\d+: 'allow' is not one of the values allowed here", err)


def test_files_that_are_not_there_or_too_large_are_named(home: Home) -> None:
    assert policy(home, "check", "gone.yaml")[0] == 4
    assert policy(home, "diff", "policies/open.yaml", "gone.yaml")[0] == 4
    assert policy(home, "suggest", "policies/open.yaml", "gone.jsonl")[0] == 4
    (home.folder / "large.yaml").write_bytes(b"#" * (1024 * 1024 + 1))
    code, _, err = policy(home, "check", "large.yaml")
    assert code == 1
    assert "larger than" in err
    (home.folder / "empty.jsonl").write_bytes(b"")
    assert policy(home, "suggest", "policies/open.yaml", "empty.jsonl")[0] == 1


def test_a_failing_test_is_exit_code_1_with_file_and_line(home: Home) -> None:
    code, out, err = policy(home, "test", "policies/open.yaml", "policies/tests/production.yaml", "-o", "name")
    assert code == 1
    assert all(re.fullmatch(r"policies/tests/production\.yaml:\d+", line) for line in out.splitlines())
    assert f"{len(out.splitlines())} of " in err
    assert policy(home, "test", "policies/open.yaml", "policies/open.yaml")[0] == 1


@pytest.mark.parametrize(
    "line",
    [
        ("check", "policies/open.yaml", "policies/production.yaml"),
        ("explain", "policies/production.yaml", *_ASK),
        ("test", "policies/production.yaml", "policies/tests/production.yaml"),
        ("diff", "policies/production.yaml", "proposed.yaml"),
        ("suggest", "policy.yaml", "audit.jsonl"),
    ],
    ids=lambda line: line[0],
)
def test_every_form_holds_the_same_records(home: Home, line: tuple[str, ...]) -> None:
    forms = {form: policy(home, *line, "-o", form)[1] for form in ("json", "yaml", "jsonl", "csv", "wide", "table")}
    document = json.loads(forms["json"])
    assert yaml.safe_load(forms["yaml"]) == document
    records = [json.loads(text) for text in forms["jsonl"].splitlines()]
    assert records
    rows = list(csv.DictReader(forms["csv"].splitlines()))
    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        assert row.keys() == record.keys()
    assert forms["wide"]
    assert forms["table"]


def test_an_explanation_is_data_for_a_script(home: Home) -> None:
    asked = policy(home, "explain", "policies/production.yaml", *_ASK, "--path", "/etc/app/a.yaml", "-o", "json")
    told = json.loads(asked[1])
    assert (told["answer"], told["why"], told["role"], told["rules"]) == ("deny", "GRANT_NEEDED", "sre", [])
    assert [change["kind"] for change in told["ways"][0]["changes"]] == ["BRING_GRANT"]
    granted = (*_ASK, "--approver", "spiffe://example.org/team/lead/lea", "--grant-minutes", "240")
    told = json.loads(policy(home, "explain", "policies/production.yaml", *granted, "-o", "json")[1])
    assert (told["answer"], told["rules"]) == ("allow", ["sre-texts"])
    assert told["about"].startswith("/")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--name", "X"), "leave out --name"),
        (("--path", "a/../b"), "write it from / on"),
        (("--process", "shop"), "give --process and --uid"),
        (("--uid", "0"), "give --process and --uid"),
        (("--caller", "olga"), "is no SPIFFE id"),
        (("--at", "noon"), "is no time with its zone"),
    ],
)
def test_a_question_that_no_agent_is_asked_is_wrong_usage(home: Home, more: tuple[str, str], said: str) -> None:
    code, out, err = policy(home, "explain", "policies/production.yaml", *_ASK, *more)
    assert (code, out) == (2, "")
    assert said in err


def test_globs_that_cannot_be_compared_to_the_end_count_as_wider(home: Home) -> None:
    globs = [f'"*{a}{b}{c}*"' for a in "ABC" for b in "ABC" for c in "ABC"]
    rules = "".join(
        f"\n        - {{id: forbid-{at}, effect: forbid, permissions: [env.names], names: [{glob}]}}"
        for at, glob in enumerate(globs)
    )
    head, tail = _PRODUCTION.split("        - id: sre-files\n")
    (home.folder / "many.yaml").write_text(f"{head.rstrip()}{rules}\n        - id: sre-files\n{tail}")
    code, out, err = policy(home, "diff", "policies/production.yaml", "many.yaml")
    assert (code, out) == (1, "")
    assert "cannot be compared to the end, so take it as wider" in err


def test_help_imports_nothing_of_the_agent(home: Home) -> None:
    code = (
        "import sys\n"
        "from leadglass_client.main import run\n"
        "run(['policy', 'explain', '--help'])\n"
        "print([name for name in ('msgspec', 'yaml', 'leadglass_agent', 'grpc', 'rich') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=home.environment(), timeout=300
    )
    assert done.stdout.splitlines()[-1] == "[]"
