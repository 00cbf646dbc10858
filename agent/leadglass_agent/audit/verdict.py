"""What the verification of a log found: what holds, what does not, where, and what nobody can say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leadglass_agent.audit.chain import Fault, Head


@dataclass(frozen=True, slots=True)
class FirstFault:
    """The first thing that does not fit: what, and where in the files that were read, which `stream` counts from 0.

    `line` counts from 1, `offset` is its first byte, both within their file.
    """

    fault: Fault
    line: int
    offset: int
    stream: int = 0


@dataclass(frozen=True, slots=True)
class Suspects:
    """Numbers of the records among which the first bad one is, as closely as can be known; often it is only one."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Signed:
    """What the log says of itself by its own signatures.

    `signed_to` is the last record that a checkpoint of the log covers whose signature is right, `unsigned` the number
    of checkpoints of which no record here names the key. `certified_by` are the agents whose certificates vouch for
    the keys, the last 16; with `authority_checked` their certificates were checked against authorities.
    """

    origin: str | None
    checkpoints: int
    unsigned: int
    signed_to: int
    certified_by: tuple[str, ...]
    authority_checked: bool


@dataclass(frozen=True, slots=True)
class OtherLog:
    """Another log of the same agent of which witnesses speak, and when the first and the last call of it was."""

    origin: str
    statements: int
    first_time: str | None
    last_time: str | None


@dataclass(frozen=True, slots=True)
class Witnessed:
    """What was compared with what others had kept.

    `agreed_to` is the last record up to which a witness saw the same, `agreements` how many did. `out_of_reach` counts
    what is said of records before the first one here, `of_other_logs` what is said of other logs. `invalid` counts what
    proves nothing, and `first_invalid` says where the first of it is, and why. `other_logs` are those of the same
    agent, the first 16: replicas have one each, and a log that was deleted and begun anew leaves one.
    """

    agreements: int
    agreed_to: int
    out_of_reach: int
    of_other_logs: int
    invalid: int
    first_invalid: str | None
    other_logs: tuple[OtherLog, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found up to the first fault, or to the end.

    What a log says of itself cannot show that its newest records were cut off, or that whoever held its key wrote it
    anew: only what others kept can. `unwitnessed` are the records for which nobody outside of this log stands.
    """

    records: int
    first_seq: int | None
    first_time: str | None
    last_seq: int | None
    last_time: str | None
    head: Head
    root: str
    fault: FirstFault | None
    suspects: Suspects | None
    intents_unanswered: int
    outcomes_without_intent: int
    expected_head_seq: int | None
    signed: Signed
    witnessed: Witnessed

    @property
    def intact(self) -> bool:
        """Whether everything fits."""
        return self.fault is None

    @property
    def earlier_records_absent(self) -> int:
        """Number of records of this log before the first one here: retention deleted them, or they are elsewhere."""
        return 0 if self.first_seq is None else self.first_seq - 1

    @property
    def unwitnessed(self) -> tuple[int, int] | None:
        """First and last record that nobody outside of this log stands for; None if there is none."""
        if self.first_seq is None or self.last_seq is None:
            return None
        first = max(self.first_seq, self.witnessed.agreed_to + 1)
        return (first, self.last_seq) if first <= self.last_seq else None
