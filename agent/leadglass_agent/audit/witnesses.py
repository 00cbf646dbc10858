"""Reads what others kept of a log: receipts of callers, checkpoints that the agent printed, bare signed notes.

Whatever holds one of them may be read: the files of `leadglass`, an agent's standard output as a cluster collected it,
a saved note. Lines that are none of these are passed over, as a collected output is full of them.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

from leadglass_agent.audit.checkpoint import Checkpoint, NoteError, body, open_note, parse_verifier_key
from leadglass_agent.audit.proofs import verify_inclusion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LINE_BYTES: Final = 64 * 1024  # a receipt takes 3 KiB; a longer line is somebody else's
_STATEMENTS: Final = 500_000  # a few hundred bytes each; a log of that many checkpoints has 32 million records
_MAX_HASHES: Final = 64
_MAX_KEYS: Final = 10_000  # one for each start of an agent
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
class Note:
    """A signed note as it was read, and where."""

    text: str
    place: Place


class Seen:
    """What was seen of one log: its roots by size with their keys, and its leaves by number.

    `unsure` holds the notes, by size and root, whose key did not come with them: the log itself may name it.
    `forked` are the sizes and `torn` the numbers of records of which two witnesses say different things.
    """

    def __init__(self) -> None:
        self.roots: dict[int, bytes] = {}
        self.leaves: dict[int, bytes] = {}
        self.signers: dict[int, tuple[str, Place]] = {}
        self.unsure: dict[int, dict[bytes, Note]] = {}
        self.keys: dict[bytes, str] = {}
        self.forked: set[int] = set()
        self.torn: set[int] = set()

    @property
    def statements(self) -> int:
        """Number of records and states that are vouched for."""
        return len(self.roots) + len(self.leaves) + len(self.unsure)

    def before(self, seq: int) -> int:
        """Number of statements that nothing after record `seq`, nor the state up to it, can confirm."""
        return sum(size < seq for size in (*self.roots, *self.unsure)) + sum(number <= seq for number in self.leaves)

    def add(self, checkpoint: Checkpoint, key: str, place: Place) -> None:
        """Takes a state that the key signed."""
        if self.roots.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
            self.forked.add(checkpoint.size)
        self.signers.setdefault(checkpoint.size, (key, place))
        if len(self.keys) < _MAX_KEYS:
            self.keys.setdefault(parse_verifier_key(key).key_id, key)


class Witnesses:
    """All that was read, by the origin of the log; what proves nothing is counted, and the first of it explained."""

    def __init__(self) -> None:
        self.logs: dict[str, Seen] = {}
        self.statements = 0
        self.invalid = 0
        self.first_invalid: str | None = None

    def of(self, origin: str) -> Seen:
        """Gives what was seen of a log; makes room for a further statement about it."""
        self.statements += 1
        if self.statements > _STATEMENTS:
            message = f"more than {_STATEMENTS} receipts and checkpoints"
            raise WitnessesError(message)
        return self.logs.setdefault(origin, Seen())

    def refuse(self, place: Place, why: str) -> None:
        """Notes that something proves nothing."""
        self.invalid += 1
        self.first_invalid = self.first_invalid or f"{place.name}, line {place.line}: {why}"


def read_witnesses(files: Iterable[tuple[str, BinaryIO]]) -> Witnesses:
    """Reads named streams of any content; raises what reading raises, and WitnessesError above 500,000 statements."""
    found = Witnesses()
    for name, stream in files:
        recent: deque[str] = deque(maxlen=_NOTE_LINES + 2)
        for number, text in enumerate(_lines(stream), start=1):
            recent.append(text)
            place = Place(name, number)
            if text.startswith(_DASH):
                if len(recent) == recent.maxlen and not recent[_NOTE_LINES]:
                    _take_note(found, place, "\n".join(recent) + "\n")
            elif (begin := text.find("{")) >= 0:  # a collector may have put a time before it
                _take_json(found, place, text[begin:])
    _settle(found)
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
            _take_receipt(found, place, Note(note, place), key, (seq, leaf, hashes))
        case {"checkpoint": str(note), "key": str(key)}:
            _take_receipt(found, place, Note(note, place), key, None)
        case {"event": "checkpoint", "note": str(note)}:
            _take_note(found, place, note)
        case _:
            pass


def _take_receipt(
    found: Witnesses, place: Place, note: Note, key: str, record: tuple[int, str, list[object]] | None
) -> None:
    try:
        checkpoint = open_note(note.text, key)
    except NoteError as error:
        found.refuse(place, str(error))
        return
    if record is not None and not _is_included(checkpoint, *record):
        found.refuse(place, "its record is not in the log that its checkpoint signs")
        return
    seen = found.of(checkpoint.origin)
    seen.add(checkpoint, key, place)
    if record is not None:
        seq, leaf = record[0], bytes.fromhex(record[1])
        if seen.leaves.setdefault(seq, leaf) != leaf:
            seen.torn.add(seq)


def _is_included(checkpoint: Checkpoint, seq: int, leaf: str, hashes: list[object]) -> bool:
    proof = [bytes.fromhex(one) for one in hashes[:_MAX_HASHES] if isinstance(one, str) and _HASH.fullmatch(one)]
    if len(proof) != len(hashes) or not _HASH.fullmatch(leaf):
        return False
    return verify_inclusion(bytes.fromhex(leaf), seq - 1, checkpoint.size, proof, checkpoint.root)


def _take_note(found: Witnesses, place: Place, note: str) -> None:
    checkpoint = _body_of(note)
    if checkpoint is None:
        found.refuse(place, "the note is no checkpoint")
        return
    found.of(checkpoint.origin).unsure.setdefault(checkpoint.size, {}).setdefault(checkpoint.root, Note(note, place))


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


def _settle(found: Witnesses) -> None:
    """Checks bare notes with the keys that came with receipts, as far as they are signed with one of them."""
    for seen in found.logs.values():
        for size, notes in list(seen.unsure.items()):
            for root, note in list(notes.items()):
                key = seen.keys.get(key_id_of(note.text))
                if key is None:
                    continue
                del notes[root]
                if is_signed(note.text, key):
                    seen.add(open_note(note.text, key), key, note.place)
                else:
                    found.refuse(note.place, "the note's signature is not right")
            if not notes:
                del seen.unsure[size]
