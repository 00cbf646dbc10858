"""Reads what others kept of a log: receipts of callers, checkpoints that the agent printed, bare signed notes.

Whatever holds one of them may be read: the files of `leadglass`, an agent's standard output as a cluster collected it,
a saved note. Lines that are none of these are passed over, as a collected output is full of them.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import sys
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from leadglass_agent.audit.checkpoint import Checkpoint, NoteError, body, open_note
from leadglass_agent.audit.proofs import verify_inclusion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LINE_BYTES: Final = 64 * 1024  # a receipt takes 3 KiB; a longer line is somebody else's
_STATEMENTS: Final = 500_000  # a few hundred bytes each; a log of that many checkpoints has 32 million records
_MAX_HASHES: Final = 64
_OF_ONE: Final = 64  # an honest agent says one thing of one state
_NOTES_BYTES: Final = 256 * 1024 * 1024
_NOTE_BYTES: Final = 4_096  # as much as a signed note may have
_BARREN_NAMES: Final = 8
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", re.ASCII)
_KEY_ID_BYTES: Final = 4
_NOTE_LINES: Final = 3  # origin, size and root; an empty line divides them from the signature
_SIZE: Final = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DASH: Final = "\u2014 "  # begins a signature line of a note


class WitnessesError(Exception):
    """There is more than can be held; the text says how much."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a statement was read: the name of its file, and the line from 1."""

    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What somebody says of a record or a state: its hash, and with which key; of a bare note, its text instead."""

    said: bytes
    key: str
    note: str
    place: Place


class Seen:
    """What was seen of one log: its states by size, and its records by number. Whose word it is, the log must say."""

    def __init__(self) -> None:
        self.states: dict[int, tuple[Statement, ...]] = {}
        self.leaves: dict[int, tuple[Statement, ...]] = {}
        self.first_time = ""
        self.last_time = ""

    @property
    def statements(self) -> int:
        """Number of records and states of which something is said."""
        return len(self.states) + len(self.leaves)

    def before(self, seq: int) -> int:
        """Number of statements that nothing after record `seq`, nor the state up to it, can confirm."""
        return sum(size < seq for size in self.states) + sum(number <= seq for number in self.leaves)

    def took(self, time: str) -> None:
        """Takes it that a call of this log was answered then."""
        self.first_time = min(self.first_time or time, time)
        self.last_time = max(self.last_time, time)


class Witnesses:
    """All that was read, by the origin of the log; what proves nothing is counted, and the first of it explained."""

    def __init__(self) -> None:
        self.logs: dict[str, Seen] = {}
        self.statements = 0
        self.invalid = 0
        self.first_invalid: str | None = None
        self.barren = 0  # files in which there is nothing
        self.barren_names: list[str] = []
        self._bytes = 0

    def of(self, origin: str) -> Seen:
        """Gives what was seen of a log; makes room for a further statement about it."""
        self.statements += 1
        if self.statements > _STATEMENTS:
            message = f"more than {_STATEMENTS} receipts and checkpoints"
            raise WitnessesError(message)
        return self.logs.setdefault(origin, Seen())

    def add(self, about: dict[int, tuple[Statement, ...]], number: int, statement: Statement) -> None:
        """Keeps what is said about a record or a state, once for each key."""
        others = about.get(number, ())
        if any((one.said, one.key, one.note) == (statement.said, statement.key, statement.note) for one in others):
            return
        self._bytes += len(statement.note)
        if len(others) >= _OF_ONE or self._bytes > _NOTES_BYTES:
            message = f"more than {_OF_ONE} statements of one state of a log, or {_NOTES_BYTES} bytes of notes"
            raise WitnessesError(message)
        about[number] = (*others, statement)

    def refuse(self, place: Place, why: str) -> None:
        """Notes that something proves nothing."""
        self.invalid += 1
        self.first_invalid = self.first_invalid or f"{place.name}, line {place.line}: {why}"


def read_witnesses(files: Iterable[tuple[str, BinaryIO]]) -> Witnesses:
    """Reads named streams of any content; raises what reading raises, and WitnessesError above 500,000 statements."""
    found = Witnesses()
    for name, stream in files:
        before = found.statements + found.invalid
        recent: deque[str] = deque(maxlen=_NOTE_LINES + 2)
        for number, text in enumerate(_lines(stream), start=1):
            recent.append(text)
            place = Place(name, number)
            if text.startswith(_DASH):
                if len(recent) == recent.maxlen and not recent[_NOTE_LINES]:
                    _take_note(found, place, "\n".join(recent) + "\n")
            elif (begin := text.find("{")) >= 0:  # a collector may have put a time before it
                _take_json(found, place, text[begin:])
        if found.statements + found.invalid == before:
            found.barren += 1
            found.barren_names += [name] if len(found.barren_names) < _BARREN_NAMES else []
    return found


def key_id_of(note: str) -> bytes:
    """Gives the id of the key on the note's signature line, whether or not that signature is right."""
    encoded = note.rstrip("\n").rpartition(" ")[2]
    try:
        return base64.b64decode(encoded, validate=True)[:_KEY_ID_BYTES]
    except (binascii.Error, ValueError):
        return b""


def is_signed(note: str, key: str) -> bool:
    """Whether the key signed the note."""
    try:
        open_note(note, key)
    except NoteError:
        return False
    return True


def _lines(stream: BinaryIO) -> Iterator[str]:
    """Yields lines without their end; one that is too long or no text counts as an empty one."""
    while line := stream.readline(_LINE_BYTES):
        part = line
        while len(part) == _LINE_BYTES and not part.endswith(b"\n"):
            line, part = b"", stream.readline(_LINE_BYTES)
        yield line.decode("utf-8", "replace").rstrip("\r\n")


def _take_json(found: Witnesses, place: Place, text: str) -> None:
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError):
        return
    match document:
        case {"checkpoint": str(note), "key": str(key), "seq": int(seq), "leaf": str(leaf), "hashes": list(hashes)}:
            seen = _take_receipt(found, place, note, key, (seq, leaf, hashes))
            match document:
                case {"time": str(time)} if seen is not None and _TIME.fullmatch(time):
                    seen.took(time)
                case _:
                    pass
        case {"checkpoint": str(note), "key": str(key)}:
            _take_receipt(found, place, note, key, None)
        case {"event": "checkpoint", "note": str(note)}:
            _take_note(found, place, note)
        case _:
            pass


def _take_receipt(
    found: Witnesses, place: Place, note: str, key: str, record: tuple[int, str, list[object]] | None
) -> Seen | None:
    try:
        checkpoint = open_note(note, key)
    except NoteError as error:
        found.refuse(place, str(error))
        return None
    if record is not None and not _is_included(checkpoint, *record):
        found.refuse(place, "its record is not in the log that its checkpoint signs")
        return None
    key = sys.intern(key)
    seen = found.of(checkpoint.origin)
    found.add(seen.states, checkpoint.size, Statement(checkpoint.root, key, "", place))
    if record is not None:
        found.add(seen.leaves, record[0], Statement(bytes.fromhex(record[1]), key, "", place))
    return seen


def _is_included(checkpoint: Checkpoint, seq: int, leaf: str, hashes: list[object]) -> bool:
    proof = [bytes.fromhex(one) for one in hashes[:_MAX_HASHES] if isinstance(one, str) and _HASH.fullmatch(one)]
    if len(proof) != len(hashes) or not _HASH.fullmatch(leaf):
        return False
    return verify_inclusion(bytes.fromhex(leaf), seq - 1, checkpoint.size, proof, checkpoint.root)


def _take_note(found: Witnesses, place: Place, note: str) -> None:
    checkpoint = _body_of(note) if len(note) <= _NOTE_BYTES else None
    if checkpoint is None:
        found.refuse(place, "the note is no checkpoint")
        return
    seen = found.of(checkpoint.origin)
    found.add(seen.states, checkpoint.size, Statement(checkpoint.root, "", note, place))


def _body_of(note: str) -> Checkpoint | None:
    """Reads what a note says, before anybody knows whether its signature is right."""
    text = note.partition("\n\n")[0] + "\n"
    lines = text.split("\n")
    if len(lines) != _NOTE_LINES + 1 or not _SIZE.fullmatch(lines[1]):
        return None
    try:
        checkpoint = Checkpoint(lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True))
    except (binascii.Error, ValueError):
        return None
    return checkpoint if body(checkpoint) == text else None
