"""The catalogue and the context rules, compiled into one Hyperscan database and the steps behind its numbers."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import hyperscan
import msgspec
from hyperscan._version import __version__ as _library_version

from leadglass_agent.redaction import engine
from leadglass_agent.redaction.beside import Shape
from leadglass_agent.redaction.catalogue.rules import CatalogueError, family_files, load_rules
from leadglass_agent.redaction.commands import IN_COMMAND
from leadglass_agent.redaction.contexts import CONTEXTS, NAMES
from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.heads import Head
from leadglass_agent.redaction.readers import READERS
from leadglass_agent.redaction.strict import strict_spans

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from leadglass_agent.redaction.catalogue.rules import Rule
    from leadglass_agent.redaction.spans import Span

_SPECIFIC_RANK: Final = 10
_GENERIC_RANK: Final = 20
# The program is files on a disk; importlib.resources, which reads archives too, would take 2 MB of each process.
_FOLDER: Final = Path(__file__).parent
_ARTIFACT: Final = "catalogue.bin"
_SMALLEST: Final = 9  # zlib: a sixth of the artifact, which every image carries
# Whatever changes in these may give other rows for the same files.
_MAKERS: Final = ("database.py", "catalogue/rules.py", "catalogue/patterns.py")


class _HeadRow(msgspec.Struct, frozen=True, array_like=True):
    rule_id: str
    rank: int
    width: int
    keep: int
    tail: int
    tail_most: int
    lead: int
    at_word_start: bool


class _ShapeRow(msgspec.Struct, frozen=True, array_like=True):
    rule_id: str
    sequences: list[int]


class _Artifact(msgspec.Struct, frozen=True, array_like=True):
    """What the build leaves behind: everything that follows from the catalogue's files."""

    digest: str
    rule_count: int
    heads: list[_HeadRow]
    besides: list[list[_ShapeRow]]
    # Rows name these by their place: thousands are the same few, and each is read once.
    tables: list[bytes]
    sequences: list[list[tuple[int, int, int]]]
    database: bytes


@dataclass(frozen=True, slots=True)
class Database:
    """The compiled expressions, and what each of their numbers stands for."""

    compiled: hyperscan.Database
    steps: engine.Steps
    rule_count: int
    # Whether the strict profile's own pass follows.
    is_strict: bool = False

    def spans(self, data: bytes) -> list[Span]:
        """Finds every candidate in one pass and confirms each; work is linear in the length of the data."""
        spans = engine.find(data, self.compiled, self.steps)
        if self.is_strict:
            strict_spans(data, spans, 0, len(data))
        return spans

    def candidates(self, data: bytes | memoryview, cut: int, most: int) -> tuple[list[int], int]:
        """Finds candidates, at most so many behind `cut`, and says up to which place these are all."""
        return engine.candidates(data, self.compiled, cut, most)

    def confirm(self, data: bytes, found: list[int]) -> list[Span]:
        """Confirms the candidates of a window."""
        return engine.confirm(data, found, self.steps)


def load() -> Database:
    """Loads what the build left beside the catalogue's files; compiles anew when it is missing or not theirs."""
    file = _FOLDER / "catalogue" / _ARTIFACT
    try:
        artifact = msgspec.msgpack.decode(zlib.decompress(file.read_bytes()), type=_Artifact)
        if artifact.digest == _digest():
            compiled = hyperscan.loadb(artifact.database, hyperscan.HS_MODE_BLOCK)
            compiled.scratch = hyperscan.Scratch(
                compiled
            )  # a database that was compiled has one, a loaded one has none
            return _database(artifact, compiled)
    except (OSError, zlib.error, msgspec.MsgspecError, hyperscan.error):
        pass  # built for another processor or version, or not at all: the sources say the same
    return compile_rules(load_rules())


def build(folder: Path) -> Path:
    """Compiles the catalogue, runs every example and near-miss, and leaves the artifact in `folder`.

    Raises CatalogueError when a rule misses its example or takes a near-miss.
    """
    rules = load_rules()
    artifact, compiled = _compile(rules)
    check(rules, _database(artifact, compiled))
    target = folder / _ARTIFACT
    partial = target.with_suffix(".partial")
    partial.write_bytes(zlib.compress(msgspec.msgpack.encode(artifact), _SMALLEST))
    partial.replace(target)
    return target


def compile_rules(rules: Sequence[Rule]) -> Database:
    """Compiles these rules and the context rules in memory."""
    return _database(*_compile(rules))


def check(rules: Sequence[Rule], database: Database) -> None:
    """Runs every example and near-miss; raises CatalogueError when a rule misses the one or takes the other."""
    for rule in rules:
        for example in rule.examples:
            if not any(span.rule_id == rule.id for span in database.spans(example)):
                message = f"{rule.id}: an example does not match"
                raise CatalogueError(message)
        for near_miss in rule.near_misses:
            if any(span.rule_id == rule.id for span in database.spans(near_miss)):
                message = f"{rule.id}: a near-miss matches"
                raise CatalogueError(message)


def expressions_of(rule: Rule) -> list[bytes]:
    """Lists what Hyperscan looks for on behalf of one rule."""
    return [head.expression for head in rule.heads] + [_escaped(word) for word in rule.words]


def _compile(rules: Sequence[Rule]) -> tuple[_Artifact, hyperscan.Database]:
    expressions: list[bytes] = []
    flags: list[int] = []
    heads: list[_HeadRow] = []
    words: dict[bytes, list[_ShapeRow]] = {}
    tables: dict[bytes, int] = {}
    sequences: dict[tuple[tuple[int, int, int], ...], int] = {}
    for rule in rules:
        for head in rule.heads:
            expressions.append(head.expression)
            flags.append(hyperscan.HS_FLAG_CASELESS if rule.caseless else 0)
            heads.append(
                _HeadRow(
                    rule_id=rule.id,
                    rank=_GENERIC_RANK if rule.generic else _SPECIFIC_RANK,
                    width=head.width,
                    keep=rule.keep,
                    tail=_place(tables, rule.tail.members if rule.tail else b""),
                    tail_most=rule.tail.most if rule.tail else 0,
                    lead=_place(tables, bytes(byte in rule.lead for byte in range(256)) if rule.lead else b""),
                    at_word_start=rule.at_word_start,
                )
            )
        shapes = [
            _place(sequences, tuple((_place(tables, item.members), item.least, item.most) for item in shape))
            for shape in rule.shapes
        ]
        for word in rule.words:
            words.setdefault(word, []).append(_ShapeRow(rule.id, shapes))
    contexts = [expression for context in CONTEXTS for expression in context.expressions]
    readers = [expression for expressions_of_one, _ in READERS for expression in expressions_of_one]
    others = [*(_escaped(word) for word in words), *contexts, *readers, *(expression for expression, _ in NAMES)]
    expressions.extend(others)
    flags.extend([hyperscan.HS_FLAG_CASELESS] * (len(others) - len(NAMES)))
    # Programs are lower-case; in capitals their names are words of a sentence.
    flags.extend(0 if kind == IN_COMMAND else hyperscan.HS_FLAG_CASELESS for _, kind in NAMES)
    compiled = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    compiled.compile(
        expressions=expressions, ids=_numbers(len(heads), len(words)), elements=len(expressions), flags=flags
    )
    artifact = _Artifact(
        digest=_digest(),
        rule_count=len(rules) + len(CONTEXTS) + 1,
        heads=heads,
        besides=list(words.values()),
        tables=list(tables),
        sequences=[list(sequence) for sequence in sequences],
        database=hyperscan.dumpb(compiled),
    )
    return artifact, compiled


def _numbers(heads: int, words: int) -> list[int]:
    numbers = list(range(heads + words))
    for index, context in enumerate(CONTEXTS):
        numbers.extend([heads + words + index] * len(context.expressions))
    first_reader = heads + words + len(CONTEXTS)
    for index, (expressions_of_one, _) in enumerate(READERS):
        numbers.extend([first_reader + index] * len(expressions_of_one))
    first_name = first_reader + len(READERS)
    numbers.extend(first_name + kind for _, kind in NAMES)
    return numbers


_Placed = TypeVar("_Placed", bound="Hashable")


def _place(places: dict[_Placed, int], item: _Placed) -> int:
    """Gives the place of an item in a list without doubles, at its end if it is new."""
    return places.setdefault(item, len(places))


def _database(artifact: _Artifact, compiled: hyperscan.Database) -> Database:
    tables = artifact.tables
    sequences = [[(tables[members], least, most) for members, least, most in row] for row in artifact.sequences]
    heads = [
        Head(
            RuleId(row.rule_id),
            row.rank,
            row.width,
            row.keep,
            tables[row.tail],
            row.tail_most,
            tables[row.lead],
            at_word_start=row.at_word_start,
        )
        for row in artifact.heads
    ]
    besides = [
        [Shape(RuleId(row.rule_id), [sequences[at] for at in row.sequences]) for row in rows]
        for rows in artifact.besides
    ]
    steps = engine.Steps(
        heads, besides, [context.confirm for context in CONTEXTS], [read for _, read in READERS], compiled
    )
    return Database(compiled, steps, artifact.rule_count)


def _escaped(word: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in word)


def _digest() -> str:
    """Digests what the artifact follows from: files of the catalogue, what reads them, context rules, the library."""
    digest = hashlib.sha256(_library_version.encode())
    for module in _MAKERS:
        digest.update(hashlib.sha256((_FOLDER / module).read_bytes()).digest())
    for file in family_files():
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    for expression, kind in NAMES:
        digest.update(b"%d %s\n" % (kind, expression))
    for expressions in (*(context.expressions for context in CONTEXTS), *(expressions for expressions, _ in READERS)):
        digest.update(b"\n".join(expressions) + b"\n\n")
    return digest.hexdigest()
