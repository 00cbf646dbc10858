"""Compares a log, record by record, with what its witnesses saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_agent.audit.chain import Fault
from leadglass_agent.audit.verdict import Suspects, Witnessed
from leadglass_agent.audit.witnesses import Seen, Witnesses, is_signed, key_id_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from leadglass_agent.audit.tree import Frontier


class Comparison:
    """Follows one log; what is said of other logs waits for nothing and is counted."""

    def __init__(self, witnesses: Witnesses | None) -> None:
        """Begins with all that were read, if anything was; of several logs, the log's own records say which it is."""
        self._all = witnesses or Witnesses()
        self._seen: Seen | None = next(iter(self._all.logs.values())) if len(self._all.logs) == 1 else None
        self._origin: str | None = None
        self._began_after = 0
        self.agreements = 0
        self.agreed_to = 0

    def begins(self, tree: Frontier) -> tuple[Fault, Suspects] | None:
        """Learns that the log here begins after this tree; a witness of just that state is heard at once."""
        self._began_after = tree.size
        if self._seen is None or self._roots_agree(self._seen, tree, {}):
            return None
        return Fault.WITNESS_MISMATCH, Suspects(tree.size + 1, tree.size + 1)

    def is_of(self, origin: str) -> None:
        """Learns which log this is."""
        if self._origin is None:
            self._origin = origin
            self._seen = self._all.logs.get(origin)

    def agree(self, seq: int) -> None:
        """Takes it that the log up to this record is what somebody outside of it saw."""
        self.agreed_to = max(self.agreed_to, seq)

    def note(self, seq: int, leaf: bytes, tree: Frontier, keys: Mapping[bytes, str]) -> tuple[Fault, Suspects] | None:
        """Takes the next record, the tree up to it, and the keys that the log has named so far by their ids."""
        seen = self._seen
        if seen is None:
            return None
        suspects = Suspects(self.agreed_to + 1, seq)
        if seq in seen.torn or seq in seen.forked:
            return Fault.FORK, suspects
        if seq in seen.leaves:
            if seen.leaves[seq] != leaf:
                return Fault.WITNESS_MISMATCH, suspects
            self.agreements += 1
            self.agree(seq)
        if not self._roots_agree(seen, tree, keys):
            return Fault.WITNESS_MISMATCH, suspects
        return None

    def end(self, last: int) -> tuple[Fault, Suspects | None] | None:
        """Says what the witnesses miss at the end of the log, whose last record has this number."""
        after = Suspects(self.agreed_to + 1, last + 1)
        beyond = [seq for seq in self._numbers() if seq > last]
        if self._seen is not None and beyond:
            is_forked = any(seq > last for seq in self._seen.forked | self._seen.torn)
            return (Fault.FORK if is_forked else Fault.TAIL_CUT), after
        if self._all.logs and self._is_another():
            return Fault.WITNESS_MISMATCH, Suspects(1, max(1, last))
        return (Fault.RECEIPT_INVALID, None) if self._all.invalid else None

    def saw(self, seq: int) -> bool:
        """Whether a witness saw this record, or a later one."""
        return any(number >= seq for number in self._numbers())

    def found(self) -> Witnessed:
        """Sums up."""
        return Witnessed(
            agreements=self.agreements,
            agreed_to=self.agreed_to,
            out_of_reach=0 if self._seen is None else self._seen.before(self._began_after),
            of_other_logs=sum(seen.statements for seen in self._all.logs.values() if seen is not self._seen),
            invalid=self._all.invalid,
            first_invalid=self._all.first_invalid,
        )

    def _is_another(self) -> bool:
        """Whether there are witnesses, and all speak of another log."""
        return self._seen is None or (self._origin is not None and self._all.logs.get(self._origin) is None)

    def _numbers(self) -> set[int]:
        seen = self._seen
        return set() if seen is None else {*seen.roots, *seen.leaves, *seen.unsure}

    def _roots_agree(self, seen: Seen, tree: Frontier, keys: Mapping[bytes, str]) -> bool:
        size = tree.size
        if size not in seen.roots and size not in seen.unsure:
            return True
        root = tree.root()
        if size in seen.roots:
            if seen.roots[size] != root:
                return False
            self._vouched(seen, size, keys)
        for said, note in seen.unsure.get(size, {}).items():
            key = keys.get(key_id_of(note.text))
            if key is not None and not is_signed(note.text, key):
                self._all.refuse(note.place, "the note's signature is not right")
            elif said != root:
                return False
            else:
                self.agreements += 1
                self.agree(size)
        return True

    def _vouched(self, seen: Seen, size: int, keys: Mapping[bytes, str]) -> None:
        """Takes an agreement, unless no record up to it names the key: then the agent did not sign it."""
        key, place = seen.signers[size]
        if self._began_after == 0 and keys.get(bytes.fromhex(key.split("+")[1])) != key:
            self._all.refuse(place, "its key is not one that the log names")
            return
        self.agreements += 1
        self.agree(size)
