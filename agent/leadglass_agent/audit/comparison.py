"""Compares a log, record by record, with what its witnesses saw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.audit.chain import Fault
from leadglass_agent.audit.verdict import OtherLog, Suspects, Witnessed
from leadglass_agent.audit.witnesses import Seen, Statement, Witnesses, is_signed, key_id_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from leadglass_agent.audit.tree import Frontier

_OTHER_LOGS: Final = 16
_UNNAMED: Final = "its key is not one that the log names"


class Comparison:
    """Follows one log; what is said of other logs waits for nothing and is counted.

    A statement counts if the log named its key before, and the signature is right: anybody can make a key.
    """

    def __init__(self, witnesses: Witnesses | None) -> None:
        """Begins with all that were read, if anything was; the log's own records say which log it is."""
        self._all = witnesses or Witnesses()
        self._seen: Seen | None = None
        self._origin: str | None = None
        self._began_after = 0
        self._unnamed: Suspects | None = None
        self.agreements = 0
        self.agreed_to = 0

    def begins(self, tree: Frontier, keys: Mapping[bytes, str]) -> tuple[Fault, Suspects] | None:
        """Learns that the log here begins after this tree; a witness of just that state is heard at once."""
        self._began_after = tree.size
        states = () if self._seen is None else self._seen.states.get(tree.size, ())
        named = [one for one in states if _is_named(one, keys)]  # what others signed is of a start that is not here
        suspects = Suspects(tree.size + 1, tree.size + 1)
        fault = self._weighed(named, tree.root(), tree.size, keys, suspects) if named else None
        return None if fault is None else (fault, suspects)

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
        if seen is None or (seq not in seen.leaves and seq not in seen.states):
            return None
        suspects = Suspects(self.agreed_to + 1, seq)
        found = {
            self._weighed(seen.leaves.get(seq, ()), leaf, seq, keys, suspects),
            self._weighed(seen.states.get(seq, ()), tree.root(), seq, keys, suspects),
        } - {None}
        if not found:
            return None
        return (Fault.FORK if Fault.FORK in found else Fault.WITNESS_MISMATCH), suspects

    def end(self, last: int, keys: Mapping[bytes, str]) -> tuple[Fault, Suspects | None] | None:
        """Says what the witnesses miss at the end of the log, whose last record has this number."""
        after = Suspects(self.agreed_to + 1, last + 1)
        is_cut = False
        for statements in self._beyond(last):
            said = {one.said for one in statements if self._counts(one, keys, None, after)}
            if len(said) > 1:
                return Fault.FORK, after
            is_cut = is_cut or bool(said)
        if is_cut:
            return Fault.TAIL_CUT, after
        if self._all.logs and self._seen is None:
            return Fault.WITNESS_MISMATCH, Suspects(1, last + 1)
        if self._unnamed is not None:
            return Fault.SIGNER_UNKNOWN, self._unnamed
        return (Fault.RECEIPT_INVALID, None) if self._all.invalid else None

    def saw(self, seq: int, keys: Mapping[bytes, str]) -> bool:
        """Whether a witness saw this record, or a later one."""
        return any(_is_named(one, keys) for statements in self._beyond(seq - 1) for one in statements)

    def found(self) -> Witnessed:
        """Sums up."""
        others = [(origin, seen) for origin, seen in self._all.logs.items() if seen is not self._seen]
        base = None if self._origin is None else self._origin.rpartition("/log/")[0]
        same_agent = [(origin, seen) for origin, seen in others if origin.rpartition("/log/")[0] == base]
        return Witnessed(
            agreements=self.agreements,
            agreed_to=self.agreed_to,
            out_of_reach=0 if self._seen is None else self._seen.before(self._began_after),
            of_other_logs=sum(seen.statements for _, seen in others),
            invalid=self._all.invalid,
            first_invalid=self._all.first_invalid,
            other_logs=tuple(
                OtherLog(origin, seen.statements, seen.first_time or None, seen.last_time or None)
                for origin, seen in same_agent[:_OTHER_LOGS]
            ),
        )

    def _beyond(self, last: int) -> Iterable[tuple[Statement, ...]]:
        if self._seen is None:
            return
        for about in (self._seen.leaves, self._seen.states):
            yield from (statements for number, statements in about.items() if number > last)

    def _weighed(
        self, statements: Iterable[Statement], true: bytes, seq: int, keys: Mapping[bytes, str], suspects: Suspects
    ) -> Fault | None:
        """Compares what is said about one record or state, with this number, with what is here."""
        counted = [one for one in statements if self._counts(one, keys, true, suspects)]
        said = {one.said for one in counted}
        if len(said) > 1:
            return Fault.FORK
        if said - {true}:
            return Fault.WITNESS_MISMATCH
        if counted:
            self.agreements += 1
            self.agree(seq)
        return None

    def _counts(self, one: Statement, keys: Mapping[bytes, str], true: bytes | None, suspects: Suspects) -> bool:
        """Whether the log stands behind the statement's key; else it proves nothing, and may still be the true one."""
        if _is_named(one, keys):
            return True
        if one.note and key_id_of(one.note) in keys:
            self._all.refuse(one.place, "the note's signature is not right")
            return False
        self._all.refuse(one.place, _UNNAMED)
        if one.said != true and self._unnamed is None:
            self._unnamed = suspects
        return False


def _is_named(one: Statement, keys: Mapping[bytes, str]) -> bool:
    """Whether the statement is signed with a key that the log has named."""
    if one.note:
        key = keys.get(key_id_of(one.note))
        return key is not None and is_signed(one.note, key)
    return keys.get(bytes.fromhex(one.key.split("+")[1])) == one.key
