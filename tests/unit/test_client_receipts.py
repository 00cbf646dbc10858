"""The client takes a receipt of each call, checks it, compares it with the ones before, and keeps it."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit_logs import INTENT, OUTCOME
from fake_agent import FakeAgent, Identities, make_identities, plain_answers, refusing, serving
from leadglass.v1.agent_pb2 import GetSelfResponse
from leadglass.v1.inspect_pb2 import ReadTextResponse
from leadglass_agent.audit.checkpoint import Checkpoint as AgentCheckpoint
from leadglass_agent.audit.checkpoint import LogSigner
from leadglass_agent.audit.proofs import inclusion_proof, root_at
from leadglass_agent.audit.tree import leaf_hash, node_hash
from leadglass_agent.audit.verify import verify
from leadglass_agent.audit.witnesses import read_witnesses
from leadglass_cli import Home, Outcome, flags
from leadglass_client.connection import receipt_file, receipt_store
from leadglass_client.connection.notes import Checkpoint, NoteError, is_included, open_note
from leadglass_client.connection.receipt_lines import StoredReceipt, receipts_in
from leadglass_client.connection.receipts import Receipts, clock
from leadglass_client.errors import ExitCode, Failure
from random_logs import trusted
from receipt_answers import KEY, receipt_of, with_receipt
from signed_logs import LogWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass.v1.audit_pb2 import Receipt

_CAP_SYS_ADMIN = 1 << 21
ORIGIN = "shop.example/agent/checkout/log/00112233aabbccdd"


def _can_mount() -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) & _CAP_SYS_ADMIN)
    return False


needs_mount = pytest.mark.skipif(not _can_mount(), reason="mounting a file system needs CAP_SYS_ADMIN")


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Identities:
    return make_identities(tmp_path_factory.mktemp("identities"))


@pytest.fixture
def agent() -> FakeAgent:
    return FakeAgent(plain_answers())


@pytest.fixture
def address(agent: FakeAgent, identities: Identities) -> Iterator[str]:
    with serving(agent, identities.server) as address:
        yield address


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def writer() -> LogWriter:
    return _writer()


def _writer(seed: int = 1) -> LogWriter:
    made = LogWriter(trusted()[1], ORIGIN)
    made.start(_key(seed))
    return made


def _key(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(Random(seed).randbytes(32))  # noqa: S311 - a test's own key


def _ask(home: Home, agent: FakeAgent, address: str, identities: Identities, receipt: Receipt | bytes) -> Outcome:
    agent.answers["GetSelf"] = with_receipt(GetSelfResponse(version="0.1.0"), receipt)
    return home.run_here(*flags(address, identities.client), "self")


def _kept(home: Home) -> list[StoredReceipt]:
    return [
        one for path in sorted(home.receipts.glob("*.jsonl")) for one in receipts_in(path.read_bytes().split(b"\n"))
    ]


def test_receipts_are_kept_privately_listed_exported_and_verify_the_log(
    home: Home, agent: FakeAgent, address: str, identities: Identities, writer: LogWriter
) -> None:
    for _ in range(3):
        writer.call(INTENT, OUTCOME)
        assert _ask(home, agent, address, identities, receipt_of(writer)).code == 0

    (path,) = home.receipts.iterdir()
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(home.receipts.stat().st_mode)) == (0o600, 0o700)
    assert [(one.seq, one.method) for one in _kept(home)] == [(3, "GetSelf"), (5, "GetSelf"), (7, "GetSelf")]
    listed = json.loads(home.run_here("audit", "receipts", "-o", "json").out)["logs"]
    assert [(log["origin"], log["receipts"], log["last_size"]) for log in listed] == [(ORIGIN, 3, 7)]
    exported = home.run_here("audit", "receipts", "--export").out.encode()
    verdict = verify(io.BytesIO(writer.whole), witnesses=read_witnesses([("-", io.BytesIO(exported))]))
    assert (verdict.intact, verdict.witnessed.agreements, verdict.unwitnessed) == (True, 6, None)


def test_a_refused_call_and_a_stream_have_receipts_too(
    home: Home, agent: FakeAgent, address: str, identities: Identities, writer: LogWriter
) -> None:
    writer.call(INTENT, OUTCOME)
    refusal = refusing(grpc.StatusCode.PERMISSION_DENIED, "POLICY_DENIED")
    agent.answers["GetSelf"] = with_receipt(GetSelfResponse(), receipt_of(writer), refusal=refusal)
    assert home.run_here(*flags(address, identities.client), "self").code == 3
    writer.call(INTENT, OUTCOME)
    agent.answers["ReadText"] = with_receipt(ReadTextResponse(), receipt_of(writer))
    home.run_here(*flags(address, identities.client), "cat", "17", "/var/log/shop.log")

    assert [(one.seq, one.method) for one in _kept(home)] == [(3, "GetSelf"), (5, "ReadText")]


def test_an_agent_that_gives_no_receipt_is_answered_for_as_ever(
    home: Home, address: str, identities: Identities
) -> None:
    outcome = home.run_here(*flags(address, identities.client), "self")

    assert (outcome.code, outcome.err, home.receipts.exists()) == (0, "", False)


@pytest.mark.parametrize("part", ["checkpoint", "verifier_key", "leaf_hash", "hashes", "seq", "all of it", "too long"])
def test_a_receipt_that_proves_nothing_fails_the_command_and_is_not_kept(
    home: Home, agent: FakeAgent, address: str, identities: Identities, writer: LogWriter, part: str
) -> None:
    writer.call(INTENT, OUTCOME)
    receipt = receipt_of(writer)
    match part:
        case "checkpoint":
            receipt.checkpoint = receipt.checkpoint.replace("\n3\n", "\n4\n")
        case "verifier_key":
            receipt.verifier_key = LogSigner(ORIGIN, _key(9)).verifier_key
        case "leaf_hash":
            receipt.leaf_hash = bytes(32)
        case "hashes":
            receipt.hashes.append(bytes(32))
        case "seq":
            receipt.seq = 2
        case "too long":
            receipt.checkpoint += "x" * 5000
        case _:
            pass
    data = b"\xff\xff" if part == "all of it" else receipt.SerializeToString()

    outcome = _ask(home, agent, address, identities, data)

    assert outcome.code == 10
    assert outcome.err.startswith("leadglass: the agent's receipt for this call proves nothing: ")
    assert _kept(home) == []


def test_a_log_that_shrank_is_told_at_once_and_its_receipt_is_kept_as_evidence(
    home: Home, agent: FakeAgent, address: str, identities: Identities, writer: LogWriter
) -> None:
    writer.call(INTENT, OUTCOME)
    early = receipt_of(writer)
    writer.call(INTENT, OUTCOME)
    assert _ask(home, agent, address, identities, receipt_of(writer)).code == 0

    outcome = _ask(home, agent, address, identities, early)

    assert outcome.code == 10
    assert "it had 5 records, and has 3 now" in outcome.err
    assert "leadglass audit verify LOG --receipts" in outcome.err
    assert len(_kept(home)) == 2


def test_two_histories_of_one_log_are_told_at_once_and_a_fork_for_the_verifier(
    home: Home, agent: FakeAgent, address: str, identities: Identities, writer: LogWriter
) -> None:
    writer.call(INTENT, OUTCOME)
    assert _ask(home, agent, address, identities, receipt_of(writer)).code == 0
    other = _writer()
    other.call(INTENT, INTENT)

    outcome = _ask(home, agent, address, identities, receipt_of(other))

    assert outcome.code == 10
    assert "it had other records when it had 3" in outcome.err
    log = home.folder / "audit.jsonl"
    log.write_bytes(writer.whole)
    verified = home.run_here("audit", "verify", str(log), "--receipts", str(home.receipts))
    assert verified.code == 10
    assert "FORK" in verified.err


def test_another_key_needs_another_record(
    home: Home, agent: FakeAgent, address: str, identities: Identities, writer: LogWriter
) -> None:
    writer.call(INTENT, OUTCOME)
    receipt = receipt_of(writer)
    assert _ask(home, agent, address, identities, receipt).code == 0
    other = LogSigner(ORIGIN, _key(9))
    receipt.checkpoint = other.sign(AgentCheckpoint(ORIGIN, writer.tree.size, writer.tree.root()))
    receipt.verifier_key = other.verifier_key

    assert "it has another key" in _ask(home, agent, address, identities, receipt).err
    home_of_another = Home(home.folder / "another")
    writer.start(_key(2))
    writer.call(INTENT, OUTCOME)
    assert _ask(home_of_another, agent, address, identities, receipt_of(writer)).code == 0


def test_a_store_that_cannot_be_written_is_noted_once_and_stops_nothing(
    home: Home, agent: FakeAgent, address: str, identities: Identities, writer: LogWriter
) -> None:
    writer.call(INTENT, OUTCOME)
    home.receipts.parent.mkdir(parents=True)
    home.receipts.write_text("in the way")

    outcome = _ask(home, agent, address, identities, receipt_of(writer))

    assert outcome.code == 0
    assert outcome.err.count("the receipts of these calls are not kept") == 1


def test_calls_that_run_at_once_may_end_in_any_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: LogWriter
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    began = clock()
    writer.call(INTENT, OUTCOME)
    early = ((KEY, receipt_of(writer).SerializeToString()),)
    writer.call(INTENT, OUTCOME)
    Receipts().take(((KEY, receipt_of(writer).SerializeToString()),), "GetSelf", began)

    Receipts().take(early, "GetSelf", began)

    with pytest.raises(Failure, match="it had 5 records, and has 3 now"):
        Receipts().take(early, "GetSelf", clock())


def test_a_line_that_a_killed_command_left_behind_harms_no_other(
    home: Home, agent: FakeAgent, address: str, identities: Identities, writer: LogWriter
) -> None:
    for _ in range(2):
        writer.call(INTENT, OUTCOME)
        assert _ask(home, agent, address, identities, receipt_of(writer)).code == 0
        (path,) = home.receipts.iterdir()
        path.write_bytes(path.read_bytes() + b'{"seq":9,"lea')

    assert [one.seq for one in _kept(home)] == [3, 5]


def test_the_store_stays_small_and_keeps_the_newest_and_the_first_of_each_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = receipt_store.path_of(ORIGIN)
    for seq in range(1, 1_500):
        key = f"key {seq // 500}"
        receipt = StoredReceipt(seq, "00" * 32, ("11" * 32,) * 20, f"{ORIGIN}\n{seq}\n", key, "GetSelf", clock())
        before: list[StoredReceipt] = []
        assert receipt_store.keep(receipt, before.extend) == receipt_store.Taken(None, replaces_log=False)
        assert (before[-1].seq if before else 0) == seq - 1
        assert path.stat().st_size <= receipt_file.MAX_BYTES

    kept = [one.seq for one in receipts_in(path.read_bytes().split(b"\n"))]
    assert kept == sorted(kept)
    assert {1, 500, 1_000} <= set(kept)
    assert kept[-50:] == list(range(1_450, 1_500))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(list(path.parent.iterdir())) == 1


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "disk"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1280k,mode=0700", "tmpfs", directory], check=True)
    yield directory
    subprocess.run(["umount", "--lazy", directory], check=True)


def _made(seq: int) -> StoredReceipt:
    return StoredReceipt(seq, "00" * 32, ("11" * 32,) * 20, f"{ORIGIN}\n{seq}\n", "key", "GetSelf", clock())


def _keep_until_refused(taken: list[int]) -> None:
    for seq in range(1, 3_000):
        receipt_store.keep(_made(seq), lambda _: None)
        taken.append(seq)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4_096))


def _seqs(path: Path) -> list[int]:
    lines = path.read_bytes().splitlines()
    kept = [one.seq for one in receipts_in(lines)]
    assert len(kept) == len(lines), "a line is torn"
    return kept


@needs_mount
def test_a_disk_without_room_for_thinning_loses_no_receipt_that_was_taken(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(disk))
    path = receipt_store.path_of(ORIGIN)
    taken: list[int] = []
    with pytest.raises(OSError, match="No space left"):
        _keep_until_refused(taken)

    assert path.stat().st_size > receipt_file.MAX_BYTES
    assert _seqs(path) == taken
    with pytest.raises(OSError, match="No space left"):
        receipt_store.keep(_made(2_000), lambda _: None)
    assert _seqs(path) == taken
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.slow
def test_a_file_that_cannot_be_thinned_out_grows_as_far_as_it_is_read_and_then_takes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = receipt_store.path_of(ORIGIN)
    path.with_name(f".{path.name}.{os.getpid()}").mkdir(parents=True)
    taken: list[int] = []
    with pytest.raises(OSError, match=r"Is a directory|not permitted"):
        _keep_until_refused(taken)

    assert receipt_file.MAX_BYTES < path.stat().st_size <= receipt_file.READ_BYTES
    assert _seqs(path) == taken


@needs_mount
def test_a_contradiction_is_told_even_if_the_disk_takes_no_evidence_of_it(
    disk: Path, monkeypatch: pytest.MonkeyPatch, writer: LogWriter
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(disk))
    writer.call(INTENT, OUTCOME)
    early = ((KEY, receipt_of(writer).SerializeToString()),)
    writer.call(INTENT, OUTCOME)
    Receipts().take(((KEY, receipt_of(writer).SerializeToString()),), "GetSelf", clock())
    with pytest.raises(OSError, match="No space left"):
        _fill(disk / "full")

    with pytest.raises(Failure, match=r"it had 5 records, and has 3 now.*cannot be written"):
        Receipts().take(early, "GetSelf", clock())


def test_a_log_that_was_cut_and_grew_past_its_old_size_fails_every_command_until_the_user_decides(
    home: Home, agent: FakeAgent, address: str, identities: Identities, writer: LogWriter
) -> None:
    for _ in range(3):
        writer.call(INTENT, OUTCOME)
    assert _ask(home, agent, address, identities, receipt_of(writer)).code == 0
    (kept,) = home.receipts.iterdir()
    proved = kept.read_bytes()
    other = _writer(2)
    for _ in range(20):
        other.call(INTENT, OUTCOME)
        outcome = _ask(home, agent, address, identities, receipt_of(other))
        assert outcome.code == 10
        assert "move both files away" in outcome.err

    assert kept.read_bytes() == proved  # what later ones are compared with
    (contradicting,) = set(home.receipts.iterdir()) - {kept}
    assert (str(kept) in outcome.err, str(contradicting) in outcome.err) == (True, True)
    assert len(contradicting.read_bytes().splitlines()) == 20
    assert stat.S_IMODE(contradicting.stat().st_mode) == 0o600
    listed = home.run_here("audit", "receipts")
    assert f"what contradicts your other receipts is in {contradicting}" in listed.err
    exported = home.run_here("audit", "receipts", "--export").out
    assert len(exported.splitlines()) == 21

    for path in (kept, contradicting):
        path.rename(home.folder / path.name)
    assert _ask(home, agent, address, identities, receipt_of(other)).code == 0


def test_an_agent_that_begins_a_new_log_is_noted_once(
    home: Home, agent: FakeAgent, address: str, identities: Identities, writer: LogWriter
) -> None:
    new = LogWriter(trusted()[1], ORIGIN.replace("0011", "9911"))
    new.start(_key(2))
    elsewhere = LogWriter(trusted()[1], ORIGIN.replace("checkout", "basket"))
    elsewhere.start(_key(3))
    notes = []
    for log in (writer, elsewhere, new, new, writer):
        log.call(INTENT, OUTCOME)
        outcome = _ask(home, agent, address, identities, receipt_of(log))
        assert outcome.code == 0
        notes.append(outcome.err.count("note: this agent began a new log"))

    assert notes == [0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    "damage",
    [
        {"checkpoint": f"{ORIGIN}\n{'9' * 5_000}\nx\n"},
        {"checkpoint": f"{ORIGIN}\n{'9' * 20}\nx\n"},
        {"checkpoint": f"{ORIGIN}\n\u0665\nx\n"},
        {"checkpoint": f"{ORIGIN}\n-1\nx\n"},
        {"checkpoint": ""},
        {"checkpoint": "\ud800\n5\nx\n"},
        {"key": "\ud800+00000000+AA=="},
        {"time": "\ud800"},
    ],
    ids=["5,000 digits", "20 digits", "other digits", "negative", "nothing", "half of a letter", "key", "time"],
)
def test_a_damaged_line_is_passed_over_and_counted(
    home: Home, agent: FakeAgent, address: str, identities: Identities, writer: LogWriter, damage: dict[str, str]
) -> None:
    writer.call(INTENT, OUTCOME)
    assert _ask(home, agent, address, identities, receipt_of(writer)).code == 0
    (path,) = home.receipts.iterdir()
    whole = json.loads(path.read_bytes())
    with path.open("a") as file:
        file.write(json.dumps({**whole, **damage}) + "\n")
        file.write(f'{{"seq":{"9" * 5_000}}}\n')

    listed = home.run_here("audit", "receipts", "-o", "json")
    assert listed.code == 0
    assert [(log["receipts"], log["last_size"]) for log in json.loads(listed.out)["logs"]] == [(1, 3)]
    assert listed.err == f"note: damaged lines passed over in {path}: 2\n"
    assert home.run_here("audit", "receipts", "--export").out == json.dumps(whole, separators=(",", ":")) + "\n"
    writer.call(INTENT, OUTCOME)
    assert _ask(home, agent, address, identities, receipt_of(writer)).code == 0


@given(st.binary(max_size=300) | st.tuples(st.integers(0, 2_000), st.integers(0, 7)))
def test_any_bytes_are_a_receipt_or_a_failure_that_says_so(data: bytes | tuple[int, int]) -> None:
    with pytest.raises(Failure) as failed:
        Receipts().take(((KEY, data if isinstance(data, bytes) else _flipped(*data)),), "GetSelf", clock())

    assert failed.value.code == ExitCode.AUDIT_INVALID


def _flipped(at: int, bit: int) -> bytes:
    """Gives a receipt with one bit of what it says changed."""
    writer = _writer()
    writer.call(INTENT, OUTCOME)
    receipt = receipt_of(writer)
    data = bytearray(receipt.SerializeToString())
    data[at % len(data)] ^= 1 << bit
    return bytes(data)


@pytest.mark.parametrize("size", range(1, 40))
def test_an_audit_path_is_right_for_its_record_and_tree_alone(size: int) -> None:
    leaves = [leaf_hash(str(number).encode()) for number in range(size)]

    def nodes(level: int, index: int) -> bytes:
        return leaves[index] if level == 0 else node_hash(nodes(level - 1, 2 * index), nodes(level - 1, 2 * index + 1))

    root = root_at(size, nodes)
    for seq in range(1, size + 1):
        path = inclusion_proof(seq - 1, size, nodes)
        right = Checkpoint(ORIGIN, size, root)
        assert is_included(leaves[seq - 1], seq, path, right)
        assert not is_included(leaves[seq - 1], seq + 1, path, right)
        assert not is_included(leaves[seq - 1], seq - 1, path, right)
        assert not is_included(leaves[seq - 1], seq, (*path, root), right)
        assert not is_included(leaves[seq - 1], seq, path, Checkpoint(ORIGIN, size, bytes(32)))
        for at in range(len(path)):
            wrong = (*path[:at], bytes([path[at][0] ^ 1]) + path[at][1:], *path[at + 1 :])
            assert not is_included(leaves[seq - 1], seq, wrong, right)


def test_a_note_is_read_as_the_agent_writes_it_and_nothing_else_is() -> None:
    signer = LogSigner(ORIGIN, _key(1))
    note = signer.sign(AgentCheckpoint(ORIGIN, 7, bytes(range(32))))

    assert open_note(note, signer.verifier_key) == Checkpoint(ORIGIN, 7, bytes(range(32)))
    for at in range(len(note)):
        with pytest.raises(NoteError):
            open_note(note[:at] + chr(ord(note[at]) ^ 1) + note[at + 1 :], signer.verifier_key)
    with pytest.raises(NoteError):
        open_note(note, LogSigner(ORIGIN, _key(2)).verifier_key)
    with pytest.raises(NoteError):
        open_note(note, signer.verifier_key.replace("+", "-", 1))
