"""Promise: whoever edits, drops, adds or reorders records of the audit log is found out."""

from __future__ import annotations

import hashlib
import io
import json
import time
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit_logs import INTENT, OUTCOME, lines_of, verify_bytes
from leadglass_agent.audit.chain import Fault
from leadglass_agent.audit.verify import verify
from leadglass_agent.audit.witnesses import read_witnesses
from leadglass_cli import Home, flags
from random_logs import certified_agent, random_life, trusted
from running_agent import SERVER_NAME, TICKET, running_again, running_agent
from tampering import tamperings

if TYPE_CHECKING:
    from pathlib import Path

_LINES = lines_of([INTENT, OUTCOME] * 6)
_WHOLE = b"".join(_LINES)
_HEAD = verify_bytes(_WHOLE).head.digest
_positions = st.integers(0, len(_LINES) - 1)


def _rehashed(line: bytes, **changes: str | int) -> bytes:
    """Returns the line as a careful forger would write it: changed, with a hash that is right for it."""
    fields = json.loads(line) | changes
    del fields["hash"]
    covered = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    fields["hash"] = hashlib.sha256(b"leadglass.dev/audit/record/v1\n" + covered).hexdigest()
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode() + b"\n"


@given(st.data())
def test_an_edit_of_any_byte_is_found_in_its_line(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(_WHOLE) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != _WHOLE[at]))

    verdict = verify_bytes(_WHOLE[:at] + bytes([byte]) + _WHOLE[at + 1 :])

    assert verdict.fault is not None
    assert verdict.fault.line == _WHOLE[:at].count(b"\n") + 1


@given(st.data())
def test_an_insertion_or_removal_of_bytes_anywhere_is_found(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(_WHOLE)))
    end = data.draw(st.integers(start, min(len(_WHOLE), start + 700)))
    added = data.draw(st.binary(max_size=20))
    changed = _WHOLE[:start] + added + _WHOLE[end:]

    if changed != _WHOLE:
        assert not verify_bytes(changed, expect_head=_HEAD).intact


@given(_positions)
def test_a_dropped_record_is_found(index: int) -> None:
    assert not verify_bytes(b"".join(_LINES[:index] + _LINES[index + 1 :]), expect_head=_HEAD).intact


@given(_positions)
def test_a_repeated_record_is_found(index: int) -> None:
    verdict = verify_bytes(b"".join(_LINES[: index + 1] + _LINES[index:]))

    assert verdict.fault is not None
    assert (verdict.fault.fault, verdict.fault.line) == (Fault.SEQ_GAP, index + 2)


@given(st.permutations(_LINES))
def test_any_other_order_is_found(lines: list[bytes]) -> None:
    assert verify_bytes(b"".join(lines)).intact == (lines == _LINES)


@given(st.integers(0, len(_LINES) - 2))
def test_a_forged_record_with_a_right_hash_is_found_at_the_next_one(index: int) -> None:
    forged = _rehashed(_LINES[index], caller="spiffe://demo.leadglass/sre/mallory")

    verdict = verify_bytes(b"".join([*_LINES[:index], forged, *_LINES[index + 1 :]]))

    assert verdict.fault is not None
    assert (verdict.fault.fault, verdict.fault.line) == (Fault.PREV_MISMATCH, index + 2)


@given(st.integers(0, len(_WHOLE) - 1))
def test_a_log_that_was_cut_anywhere_is_found_by_the_head_that_was_noted(length: int) -> None:
    assert not verify_bytes(_WHOLE[:length], expect_head=_HEAD).intact


@pytest.mark.parametrize("index", range(len(_LINES)))
def test_a_log_that_was_written_anew_from_any_record_on_is_found_by_the_head_that_was_noted(index: int) -> None:
    lines = list(_LINES)
    prev: str = json.loads(lines[index])["prev"]
    for position in range(index, len(lines)):
        lines[position] = _rehashed(lines[position], session_id="s-2", prev=prev)
        prev = json.loads(lines[position])["hash"]
    forged = b"".join(lines)

    assert verify_bytes(forged).intact  # the limit of a plain chain, as docs/audit.md says
    verdict = verify_bytes(forged, expect_head=_HEAD)
    assert verdict.fault is not None
    assert verdict.fault.fault is Fault.HEAD_MISSING


@pytest.mark.parametrize(
    "seeds",
    [pytest.param(range(25), id="25 logs"), pytest.param(range(25, 500), id="475 logs", marks=pytest.mark.slow)],
)
def test_with_receipts_every_tampering_behind_a_witness_is_found_and_its_first_bad_record_is_named(
    seeds: range,
) -> None:
    found = 0
    for seed in seeds:
        chance = Random(seed)  # noqa: S311 - lives of a test, not secrets
        life = random_life(chance)
        kept = chance.sample(life.writer.receipts, min(len(life.writer.receipts), 4)) + life.writer.printed[:2]
        if not kept:
            continue
        witnessed = max(one.size for one in kept)
        text = "\n".join(one.text for one in kept).encode()
        for made in tamperings(life.lines, chance, life.signers):
            verdict = verify(io.BytesIO(b"".join(made.lines)), witnesses=read_witnesses([("kept", io.BytesIO(text))]))
            if made.first_bad <= witnessed:
                assert verdict.suspects is not None, f"log {seed}: {made.name} was not found"
                assert verdict.suspects.first <= made.first_bad <= verdict.suspects.last, f"log {seed}: {made.name}"
                found += 1
            else:  # it may look whole, and the verdict says of which records nobody knows
                assert verdict.unwitnessed is None or verdict.unwitnessed[0] <= max(made.first_bad, witnessed + 1)

    assert found > 5 * len(seeds)


def test_a_log_that_was_written_anew_with_another_key_is_found_by_receipts_and_by_the_authority() -> None:
    issuer, _ = trusted()
    life = random_life(Random(1))  # noqa: S311
    impostor = certified_agent("an authority")[1]
    forged = random_life(Random(2), agent=impostor, origin=life.writer.origin).writer.whole  # noqa: S311
    receipts = "\n".join(one.text for one in life.writer.receipts).encode()

    assert verify(io.BytesIO(forged)).intact  # the limit of a log alone, as docs/audit.md says
    by_receipts = verify(io.BytesIO(forged), witnesses=read_witnesses([("kept", io.BytesIO(receipts))]))
    by_authority = verify(io.BytesIO(forged), authorities_pem=issuer.pem)

    assert by_receipts.fault is not None
    assert by_receipts.fault.fault is Fault.SIGNER_UNKNOWN
    assert by_authority.fault is not None
    assert (by_authority.fault.fault, by_authority.fault.line) == (Fault.KEY_UNCERTIFIED, 1)


def _wait_for_a_printed_checkpoint(output: Path) -> None:
    deadline = time.monotonic() + 60
    while b'"checkpoint"' not in output.read_bytes():
        assert time.monotonic() < deadline, "the agent printed no checkpoint"
        time.sleep(0.05)


def test_every_tampering_with_the_log_of_real_sessions_is_found_by_the_receipts_of_the_client(tmp_path: Path) -> None:
    home = Home(tmp_path)
    folder = tmp_path / "agent"
    folder.mkdir()

    def use(address: str, authority: tuple[str, ...]) -> None:
        reach = ("--address", address, *authority)
        opened = ("session", "open", "--reason", "checkout answers 502 since 14:10", "--ticket", TICKET)
        assert home.run_here(*reach, *opened).code == 0
        assert home.run_here(*reach, "ps").code == 0
        assert home.run_here(*reach, "env", "999999").code == 4  # refusals have receipts too
        assert home.run_here(*reach, "cat", "999999", "/etc/hosts.log").code != 0
        assert home.run_here(*reach, "session", "close").code == 0

    with running_agent(folder) as agent:
        known = flags(agent.address, agent.client("alice"), SERVER_NAME)[2:]
        use(agent.address, known)
    with running_again(folder) as agent:
        use(agent.address, known)
        _wait_for_a_printed_checkpoint(agent.output)
        log, printed = agent.audit_log.read_bytes(), agent.output.read_bytes()
        whole = home.run_here("audit", "verify", str(agent.audit_log), "--receipts", str(home.receipts))

    assert whole.code == 0, whole.out + whole.err
    lines = tuple(log.splitlines(keepends=True))
    receipts = b"".join(path.read_bytes() for path in home.receipts.iterdir())
    ends = [fields["seq"] for line in lines if (fields := json.loads(line))["kind"] in {"OUTCOME", "REFUSED"}]
    assert [json.loads(line)["seq"] for line in receipts.splitlines()] == ends
    authority = (folder / "ca" / "ca.crt").read_bytes()

    def verdict_on(data: bytes) -> tuple[bool, range]:
        witnesses = read_witnesses([("receipts", io.BytesIO(receipts)), ("printed", io.BytesIO(printed))])
        verdict = verify(io.BytesIO(data), witnesses=witnesses, authorities_pem=authority)
        suspects = verdict.suspects
        return verdict.intact, range(0) if suspects is None else range(suspects.first, suspects.last + 1)

    assert verdict_on(log) == (True, range(0))
    witnessed = max(json.loads(line)["seq"] for line in receipts.splitlines())
    for seed in range(60):
        for made in tamperings(lines, Random(seed), {}):  # noqa: S311
            intact, suspects = verdict_on(b"".join(made.lines))
            if made.first_bad <= witnessed:
                assert not intact, made.name
                assert made.first_bad in suspects, made.name
