"""`leadglass audit verify` takes a log as it lies on disk, with what witnesses kept, and says what it found."""

from __future__ import annotations

import json
import os
import resource
import shutil
import threading
from pathlib import Path
from random import Random

import pytest

from audit_logs import INTENT, OUTCOME
from leadglass_cli import Home
from random_logs import Life, random_life, trusted
from tampering import changed

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture(scope="module")
def life() -> Life:
    """A log of several files, whose every call has a receipt."""
    found = next(made for seed in range(99) if len((made := random_life(Random(seed))).writer.segments) >= 3)  # noqa: S311
    found.writer.checkpoint()
    return found


def _files(folder: Path, life: Life) -> list[Path]:
    """Lays the log out as the agent does: closed files by their first record, and the one that is written."""
    folder.mkdir()
    paths: list[Path] = []
    for segment in life.writer.segments:
        first = json.loads(bytes(segment).split(b"\n")[0])["seq"]
        paths.append(folder / f"audit.jsonl.{first:012d}")
    paths[-1] = folder / "audit.jsonl"
    for path, segment in zip(paths, life.writer.segments, strict=True):
        path.write_bytes(segment)
    (folder / "audit.jsonl.tree").write_bytes(bytes(64))
    (folder / "audit.jsonl.spent").write_bytes(b"{}\n")
    return paths


def _receipts(home: Home, life: Life) -> str:
    path = home.folder / "receipts.jsonl"
    path.write_text("".join(f"{kept.text}\n" for kept in life.writer.receipts))
    return str(path)


def test_a_folder_and_its_files_in_any_order_are_one_log(home: Home, life: Life) -> None:
    paths = _files(home.folder / "log", life)
    count = len(life.lines)
    for logs in ([str(home.folder / "log")], [str(path) for path in reversed(paths)]):
        outcome = home.run_here("audit", "verify", *logs, "--receipts", _receipts(home, life), "-o", "json")

        verdict = json.loads(outcome.out)
        assert (outcome.code, verdict["verified"], verdict["records"]) == (0, True, count), outcome.out
        assert verdict["witnessed_to_seq"] == life.writer.receipts[-1].size


def test_a_fault_names_its_file_and_the_first_bad_record(home: Home, life: Life) -> None:
    paths = _files(home.folder / "log", life)
    lines = paths[1].read_bytes().splitlines(keepends=True)
    bad: int = json.loads(lines[0])["seq"]
    paths[1].write_bytes(b"".join([changed(lines[0], detail="x"), *lines[1:]]))

    outcome = home.run("audit", "verify", str(home.folder / "log"), "--receipts", _receipts(home, life), "-o", "json")

    verdict = json.loads(outcome.out)
    assert outcome.code == 10
    assert verdict["first_bad_seq_from"] <= bad <= verdict["first_bad_seq_to"]
    assert verdict["fault_file"] in {str(path) for path in paths[1:]}
    assert f"at {verdict['fault_file']}, line " in outcome.err


def test_a_closed_file_whose_first_line_is_damaged_keeps_its_place(home: Home, life: Life) -> None:
    paths = _files(home.folder / "log", life)
    lines = paths[1].read_bytes().splitlines(keepends=True)
    paths[1].write_bytes(b"".join([b"junk\n", *lines[1:]]))

    verdict = json.loads(home.run_here("audit", "verify", str(home.folder / "log"), "-o", "json").out)

    assert (verdict["fault"], verdict["fault_file"], verdict["fault_line"]) == ("BAD_JSON", str(paths[1]), 1)


def test_a_missing_file_is_a_gap_and_a_log_without_its_oldest_files_says_so(home: Home, life: Life) -> None:
    paths = _files(home.folder / "log", life)
    paths[1].unlink()
    gap = json.loads(home.run_here("audit", "verify", str(home.folder / "log"), "-o", "json").out)
    assert (gap["fault"], gap["fault_file"], gap["fault_line"]) == ("SEQ_GAP", str(paths[2]), 1)

    paths[0].unlink()
    rest = home.run("audit", "verify", *map(str, paths[2:]), "--receipts", _receipts(home, life))
    assert rest.code == 10
    assert "SEGMENT_MISSING" in rest.err
    assert "name all files of the log" in rest.err


def test_a_log_whose_oldest_files_retention_deleted_holds_and_says_what_is_not_here(home: Home) -> None:
    life = random_life(Random(4))  # noqa: S311
    life.writer.rotate()
    life.writer.call(INTENT, OUTCOME)
    life.writer.delete(1)
    _files(home.folder / "log", life)

    rest = home.run("audit", "verify", str(home.folder / "log"), "--receipts", _receipts(home, life))

    assert rest.code == 0, rest.out
    assert "of this log are not here" in rest.out
    assert "are of records before the first one here, and were not checked" in rest.out


def test_every_file_of_a_folder_of_receipts_counts_whatever_its_name_and_however_many_they_are(home: Home) -> None:
    folder = home.folder / "witnesses"
    folder.mkdir()
    receipts = (EXAMPLES / "receipts.jsonl").read_text()
    for number in range(1_100):
        (folder / f"bob-{number:04d}.jsonl").write_text(receipts.splitlines()[0])
    (folder / "alice.txt").write_text(receipts)
    (folder / "notes-of-mine").write_text("nothing\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1_024), hard))
    try:
        outcome = home.run("audit", "verify", str(EXAMPLES / "audit-forged.jsonl"), "--receipts", str(folder))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert outcome.code == 10
    assert "WITNESS_MISMATCH" in outcome.err
    assert f"1 file has no receipt and no checkpoint: {folder / 'notes-of-mine'}" in outcome.err


def test_pipes_are_read_in_the_order_in_which_they_are_given_and_from_their_first_byte(home: Home) -> None:
    log = (EXAMPLES / "audit.jsonl").read_bytes()
    half = log.index(b"\n", len(log) // 2) + 1
    pipes = [home.folder / "pipe-b", home.folder / "pipe-a"]
    for pipe, part in zip(pipes, (log[:half], log[half:]), strict=True):
        os.mkfifo(pipe)
        threading.Thread(target=pipe.write_bytes, args=(part,), daemon=True).start()

    outcome = home.run("audit", "verify", *map(str, pipes), "--authority", str(EXAMPLES / "ca.crt"))

    assert outcome.code == 0, outcome.out + outcome.err


def test_another_log_of_the_same_agent_is_told_and_is_no_fault(home: Home) -> None:
    life, other = (random_life(Random(seed)) for seed in (5, 6))  # noqa: S311
    log, kept = home.folder / "log.jsonl", home.folder / "kept.jsonl"
    log.write_bytes(life.writer.whole)
    kept.write_text("".join(f"{one.text}\n" for one in (*life.writer.receipts, *other.writer.receipts)))

    outcome = home.run("audit", "verify", str(log), "--receipts", str(kept))
    as_json = json.loads(home.run("audit", "verify", str(log), "--receipts", str(kept), "-o", "json").out)

    assert outcome.code == 0, outcome.out
    assert f"other logs   {other.writer.origin} of the same agent: " in outcome.out
    assert "it was deleted, or moved away" in outcome.out
    assert "note: the same agent had another log, " in outcome.err
    assert as_json["other_logs"][0]["origin"] == other.writer.origin


def test_a_folder_of_several_logs_or_of_none_is_refused(home: Home, life: Life) -> None:
    _files(home.folder / "log", life)
    (home.folder / "empty").mkdir()
    shutil.copy(EXAMPLES / "audit.jsonl", home.folder / "log" / "other.jsonl.000000000001")

    several = home.run_here("audit", "verify", str(home.folder / "log"))
    assert several.code == 2
    assert "holds several logs" in several.err
    assert home.run_here("audit", "verify", str(home.folder / "empty")).code == 4
    assert home.run_here("audit", "verify", "-", str(home.folder / "log" / "audit.jsonl")).code == 2


def test_receipts_that_are_none_are_wrong_usage_and_not_silence(home: Home) -> None:
    log = str(EXAMPLES / "audit.jsonl")

    assert home.run_here("audit", "verify", log, "--receipts", str(EXAMPLES / "policy.yaml")).code == 2
    assert home.run_here("audit", "verify", log, "--receipts", str(home.folder)).code == 2
    assert home.run_here("audit", "verify", log, "--receipts", str(home.folder / "gone")).code == 4
    assert home.run_here("audit", "verify", log, "--authority", log).code == 2
    assert home.run_here("audit", "verify", log, "--authority", str(home.folder / "gone")).code == 4


def test_a_receipt_that_proves_nothing_is_named_by_its_place(home: Home) -> None:
    receipts = home.folder / "receipts.jsonl"
    lines = (EXAMPLES / "receipts.jsonl").read_text().splitlines()
    receipts.write_text("\n".join([lines[0], json.dumps(json.loads(lines[1]) | {"leaf": "0" * 64}), lines[2]]))

    outcome = home.run("audit", "verify", str(EXAMPLES / "audit.jsonl"), "--receipts", str(receipts))

    assert outcome.code == 10
    assert f"RECEIPT_INVALID in {receipts}, line 2: " in outcome.err


def test_the_authority_is_one_that_stands_behind_the_agent(home: Home) -> None:
    log, other = str(EXAMPLES / "audit.jsonl"), home.folder / "ca.crt"
    other.write_bytes(trusted()[0].pem)

    known = home.run_here("audit", "verify", log, "--authority", str(EXAMPLES / "ca.crt"))
    unknown = home.run_here("audit", "verify", log, "--authority", str(other))

    assert (known.code, unknown.code) == (0, 10)
    assert "checked with your authority" in known.out
    assert "KEY_UNCERTIFIED" in unknown.err
    assert "root and intermediate in one file" in unknown.err


def test_there_may_be_no_receipts_yet(home: Home) -> None:
    listed = home.run_here("audit", "receipts", "-o", "json")

    assert (listed.code, json.loads(listed.out)) == (0, {"logs": []})
    assert home.run_here("audit", "receipts", "--export").out == ""


def test_a_log_that_cannot_be_read_to_its_end_is_an_error_and_no_verdict(home: Home) -> None:
    outcome = home.run("audit", "verify", "/proc/self/mem")  # nothing is mapped at its beginning: EIO

    assert (outcome.code, outcome.out) == (1, "")
    assert "cannot read the log to its end" in outcome.err
