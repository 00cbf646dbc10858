"""`leadglass audit checkpoint` and `audit log` believe an agent nothing that it does not prove."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from fake_agent import Identities, make_identities
from leadglass.v1 import audit_pb2
from leadglass_agent.audit.checkpoint import open_note
from leadglass_agent.audit.proofs import verify_consistency
from leadglass_agent.audit.tree import node_hash
from leadglass_cli import Home, flags
from leadglass_client.connection.consistency import is_beginning
from leadglass_client.connection.notes import Checkpoint
from leadglass_client.connection.receipts import Receipts, clock
from proving_agent import ORIGIN, ProvingAgent, other_log, proving
from receipt_answers import KEY
from reference_tree import ReferenceTree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from leadglass_cli import Outcome

AUDIT_INVALID = 10


@dataclass(frozen=True, slots=True)
class Asking:
    """A person with an agent and a folder of receipts."""

    agent: ProvingAgent
    home: Home
    given: tuple[str, ...]

    def audit(self, *arguments: str) -> Outcome:
        """Runs a command of `leadglass audit`."""
        return self.home.run_here(*self.given, "audit", *arguments)


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Identities:
    return make_identities(tmp_path_factory.mktemp("identities"))


@pytest.fixture
def asking(identities: Identities, tmp_path: Path) -> Iterator[Asking]:
    agent = ProvingAgent()
    with proving(agent, identities.server) as address:
        yield Asking(agent, Home(tmp_path), flags(address, identities.client))


def test_the_first_state_is_shown_as_the_first_and_the_next_is_proved_from_it(asking: Asking) -> None:
    first = asking.audit("checkpoint", "-o", "json")
    second = asking.audit("checkpoint", "-o", "json")
    shown = asking.audit("checkpoint")

    assert (first.code, second.code, shown.code) == (0, 0, 0), first.err + second.err + shown.err
    assert json.loads(first.out)["proved_from_size"] is None
    document = json.loads(second.out)
    # Seven records and that of the first call, whose receipt was kept.
    assert (document["size"], document["proved_from_size"], document["origin"]) == (8, 8, ORIGIN)
    assert open_note(document["checkpoint"], document["verifier_key"]).root.hex() == document["root_hash"]
    assert "all still there" in shown.out
    assert asking.agent.asked == ["GetCheckpointRequest"] * 3  # nothing came in between that is to be proved


def test_a_log_that_grew_is_proved_to_go_on(asking: Asking) -> None:
    asking.audit("checkpoint")
    for size in range(9, 60, 7):
        asking.agent.entries += [b'{"more":%d}' % number for number in range(size)]
        outcome = asking.audit("checkpoint", "-o", "json")
        assert outcome.code == 0, outcome.err
        document = json.loads(outcome.out)
        assert document["proved_from_size"] < document["size"]
        assert asking.agent.asked[-1] == f"{document['proved_from_size']} to {document['size']}"


def _other_key(reply: audit_pb2.GetCheckpointResponse) -> None:
    reply.verifier_key = ProvingAgent().signer.verifier_key


def _other_root(reply: audit_pb2.GetCheckpointResponse) -> None:
    lines = reply.checkpoint.split("\n")
    lines[2] = "A" * 43 + "="
    reply.checkpoint = "\n".join(lines)


def _nothing(reply: audit_pb2.GetCheckpointResponse) -> None:
    reply.checkpoint = ""


@pytest.mark.parametrize("spoil", [_other_key, _other_root, _nothing])
def test_a_state_that_its_key_did_not_sign_is_refused(
    asking: Asking, spoil: Callable[[audit_pb2.GetCheckpointResponse], None]
) -> None:
    asking.agent.checkpoint = spoil

    outcome = asking.audit("checkpoint")

    assert (outcome.code, outcome.out) == (AUDIT_INVALID, "")
    assert "proves nothing" in outcome.err


def _shorter(agent: ProvingAgent) -> None:
    del agent.entries[4:]


def _changed(agent: ProvingAgent) -> None:
    agent.entries[2] = b'{"seq":3,"x":1}'
    agent.entries += other_log()


def _changed_at_the_same_size(agent: ProvingAgent) -> None:
    agent.entries[2] = b'{"seq":3,"x":1}'


def _dropped(agent: ProvingAgent) -> None:
    del agent.entries[2]
    agent.entries += other_log()


def _swapped(agent: ProvingAgent) -> None:
    agent.entries[2:4] = agent.entries[3:1:-1]
    agent.entries += other_log()


def _other(agent: ProvingAgent) -> None:
    agent.entries = other_log() * 5


def _without_proof(agent: ProvingAgent) -> None:
    agent.entries += other_log()
    agent.proof = lambda reply: reply.ClearField("hashes")


def _with_half_a_proof(agent: ProvingAgent) -> None:
    agent.entries += other_log()
    agent.proof = lambda reply: reply.hashes.pop()


def _with_no_digits(agent: ProvingAgent) -> None:
    agent.entries += other_log()
    agent.proof = lambda reply: reply.hashes.append("no digits")


@pytest.mark.parametrize(
    "rewrite",
    [
        _shorter,
        _changed,
        _changed_at_the_same_size,
        _dropped,
        _swapped,
        _other,
        _without_proof,
        _with_half_a_proof,
        _with_no_digits,
    ],
)
def test_a_log_that_was_rewritten_is_found_and_named(asking: Asking, rewrite: Callable[[ProvingAgent], None]) -> None:
    assert asking.audit("checkpoint").code == 0
    asking.agent.gives_receipts = False  # so that nothing but the proof itself can tell
    rewrite(asking.agent)

    outcome = asking.audit("checkpoint")

    assert (outcome.code, outcome.out) == (AUDIT_INVALID, "")
    assert "is not the one that it proved to you before" in outcome.err
    assert "audit verify LOG --receipts" in outcome.err


def test_a_log_signed_anew_under_another_key_is_held_to_the_old_states(asking: Asking) -> None:
    asking.audit("checkpoint")
    asking.agent.gives_receipts = False
    asking.agent.signer = ProvingAgent().signer
    assert asking.audit("checkpoint").code == 0  # as after a restart: the records are the same
    asking.agent.entries[0] = b"{}"
    assert asking.audit("checkpoint").code == AUDIT_INVALID


def test_a_log_that_lost_records_is_told_so_whatever_the_order_of_the_receipts(asking: Asking) -> None:
    for _ in range(3):
        asking.audit("checkpoint")
    (path,) = (asking.home.folder / "state" / "leadglass" / "receipts").glob("*.jsonl")
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    asking.agent.gives_receipts = False
    del asking.agent.entries[9:]

    outcome = asking.audit("checkpoint")

    assert outcome.code == AUDIT_INVALID
    assert "it had 10 records, and has 9 now" in outcome.err


def test_receipts_that_are_damaged_prove_nothing_and_break_nothing(asking: Asking) -> None:
    asking.audit("checkpoint")
    (path,) = (asking.home.folder / "state" / "leadglass" / "receipts").glob("*.jsonl")
    whole = path.read_text()
    path.write_text(whole.replace('"checkpoint":"demo', '"checkpoint":"dem0') + "not json\n[1]\n")

    outcome = asking.audit("checkpoint", "-o", "json")

    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["proved_from_size"] is None


def test_a_log_that_was_cut_is_held_to_the_states_of_every_key_and_not_to_its_new_ones_alone(asking: Asking) -> None:
    assert asking.audit("checkpoint").code == 0
    folder = asking.home.receipts
    (kept,) = folder.iterdir()
    del asking.agent.entries[4:]
    asking.agent.entries += other_log() * 3
    asking.agent.signer = ProvingAgent().signer  # as after a restart
    assert asking.audit("checkpoint").code == AUDIT_INVALID
    (contradicting,) = set(folder.iterdir()) - {kept}
    assert asking.audit("checkpoint").code == AUDIT_INVALID
    asking.agent.gives_receipts = False
    asked = len(asking.agent.asked)
    assert "its first 8 records are not what they were" in asking.audit("checkpoint").err
    assert len(asking.agent.asked) == asked + 1  # what was found stands, without another proof

    contradicting.unlink()  # the larger states of the new history stand beside the old ones now
    assert len(kept.read_bytes().splitlines()) > 1
    outcome = asking.audit("checkpoint")

    assert outcome.code == AUDIT_INVALID
    assert "its first 8 records are not what they were" in outcome.err
    assert contradicting.exists()


def test_more_keys_than_are_asked_about_are_said_to_be_more(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(asking.home.folder / "state"))
    for _ in range(67):
        asking.agent.signer = ProvingAgent().signer
        Receipts().take(((KEY, asking.agent.record("GetSelf")),), "GetSelf", clock())

    outcome = asking.audit("checkpoint", "-o", "json")

    assert (outcome.code, "3 older states are not compared" in outcome.err) == (0, True), outcome.err
    assert len(asking.agent.asked) == 64  # the largest is the state itself, and needs no proof


def test_damaged_lines_among_the_receipts_are_counted(asking: Asking) -> None:
    assert asking.audit("checkpoint").code == 0
    (path,) = asking.home.receipts.iterdir()
    whole = json.loads(path.read_bytes())
    with path.open("a") as file:
        for damage in ({"key": "\ud800"}, {"checkpoint": f"{ORIGIN}\n{'9' * 5_000}\nx\n"}):
            file.write(json.dumps({**whole, **damage}) + "\n")

    outcome = asking.audit("checkpoint")

    assert outcome.code == 0
    assert f"note: damaged lines passed over in {path}: 2\n" in outcome.err


def test_every_proof_to_70_is_judged_as_the_agents_own_check_does() -> None:
    tree = ReferenceTree(tuple(b"%d" % number for number in range(80)))
    for new in range(1, 71):
        for old in range(1, new + 1):
            before, after = (Checkpoint(ORIGIN, size, tree.root(size)) for size in (old, new))
            proof = tree.proof(old, new)
            assert is_beginning(before, after, proof)
            damaged = [tuple(proof[:-1]), (*proof, tree.root(1)), (*proof[1:], *proof[:1]), (b"", *proof[1:])]
            damaged += [(*proof[:at], tree.root(80), *proof[at + 1 :]) for at in range(len(proof))]
            damaged.append(())
            for wrong in damaged:
                expected = verify_consistency(old, before.root, new, after.root, wrong)
                assert is_beginning(before, after, wrong) == expected
                assert expected == (wrong == proof)
            for state in (
                Checkpoint(ORIGIN, old + 1, before.root),
                Checkpoint("other.log", old, before.root),
                Checkpoint(ORIGIN, old, tree.root(79)),
            ):
                assert not is_beginning(state, after, proof)
            # A longer proof that leads to a root which was made for it.
            extra = tree.root(80)
            made = (Checkpoint(ORIGIN, old, node_hash(extra, before.root)), node_hash(extra, after.root))
            assert not is_beginning(made[0], Checkpoint(ORIGIN, new, made[1]), (*proof, extra))
            assert not is_beginning(before, Checkpoint(ORIGIN, new, node_hash(after.root, extra)), (*proof, extra))
            # The same bytes, divided in another place.
            for first, *rest in filter(None, [proof]):
                longer = Checkpoint(ORIGIN, old, before.root + first[:1])
                assert not is_beginning(longer, after, (first[1:], *rest))
            assert is_beginning(after, before, proof) == (old == new)


def _page(*records: str, is_last: bool = True, next_seq: int = 0) -> audit_pb2.ReadLogResponse:
    return audit_pb2.ReadLogResponse(records=records, is_last=is_last, next_seq=next_seq)


def test_records_are_printed_as_they_are_and_part_after_part(asking: Asking) -> None:
    parts = {
        0: [_page('{"seq":1}', is_last=False), _page('{"seq":2,"x":"é"}', next_seq=3)],
        3: [_page('{"seq":3}', next_seq=4)],
        4: [_page()],
    }
    asking.agent.pages = lambda request: parts[request.first_seq]

    outcome = asking.audit("log", "--of-session", "s-1")

    assert (outcome.code, outcome.out) == (0, '{"seq":1}\n{"seq":2,"x":"é"}\n{"seq":3}\n'), outcome.err
    assert asking.agent.asked == ["0 100000 s-1", "3 100000 s-1", "4 100000 s-1"]


def test_no_more_are_asked_for_than_wanted_and_what_may_follow_is_said(asking: Asking) -> None:
    asking.agent.pages = lambda request: [
        _page(
            *(f'{{"seq":{request.first_seq + at}}}' for at in range(request.max_records)),
            next_seq=request.first_seq + request.max_records,
        )
    ]

    outcome = asking.audit("log", "--from", "5", "--max", "3")

    assert (outcome.code, outcome.out.count("\n")) == (0, 3)
    assert "--from 8" in outcome.err
    assert asking.agent.asked == ["5 3 "]


@pytest.mark.parametrize(
    "pages",
    [
        [_page("{}", "{}", "{}")],
        [_page("{}", is_last=False)],
        [_page("{}"), _page("{}")],
        [],
        [_page("{}", next_seq=1)],
    ],
    ids=["too many", "no last one", "two last ones", "none", "no way on"],
)
def test_an_agent_that_gives_other_parts_than_the_contract_says_is_told_from_a_whole_log(
    asking: Asking, pages: list[audit_pb2.ReadLogResponse]
) -> None:
    asking.agent.pages = lambda _request: pages

    outcome = asking.audit("log", "--from", "1", "--max", "2")

    assert outcome.code == 8
    assert "the agent" in outcome.err


def test_no_record_reaches_the_terminal_with_escape_sequences(asking: Asking) -> None:
    asking.agent.pages = lambda _request: [_page('{"x":"\x1b[2J\u202e"}')]

    outcome = asking.audit("log")

    assert outcome.out == '{"x":"\\x1b[2J\\u202e"}\n'


def test_reading_the_log_leaves_no_receipt_that_lies_behind_the_copy(asking: Asking) -> None:
    asking.audit("checkpoint")
    asking.agent.pages = lambda _request: [_page("{}")]
    (path,) = (asking.home.folder / "state" / "leadglass" / "receipts").glob("*.jsonl")
    before = path.read_text()

    assert asking.audit("log").code == 0

    assert path.read_text() == before


@pytest.mark.parametrize(
    "arguments", [("--from", "0"), ("--max", "0"), ("--of-session", "a b"), ("--of-session", "\x1b")]
)
def test_what_cannot_be_asked_is_not(asking: Asking, arguments: tuple[str, ...]) -> None:
    assert asking.audit("log", *arguments).code == 2
    assert asking.agent.asked == []
