"""Prints what the engine that is first on the path makes of many inputs, one line each, so that two builds compare."""

from __future__ import annotations

import hashlib
import json
import random
import sys
from typing import TYPE_CHECKING, Final

import corpora
from leadglass_agent.redaction import engine
from leadglass_agent.redaction.redactor import PROFILES, RedactionError, Redactor

if TYPE_CHECKING:
    from collections.abc import Iterator

_SEED: Final = 3
_CHANGED: Final = 2000
_RANDOM: Final = 300
_LOG_LINES: Final = 3000
_LOG_LINES_A_TEXT: Final = 60
_MOST_CHUNK_BYTES: Final = 200
_STREAM_EVERY: Final = 4
# What a change puts in: marks that begin, end and join values.
_MARKS: Final = (
    b'"',
    b"'",
    b"\\",
    b"=",
    b": ",
    b"\n",
    b"\0",
    b"@",
    b"://",
    b"<",
    b">",
    b"{",
    b"[",
    b"%3D",
    b"\xff",
    b"$(",
)


def main() -> int:
    """Prints one JSON line for each input and profile: name, output and findings; the first line says which build."""
    _write(["build", engine.__file__])
    texts = list(_texts())
    lists = [case.parts for case in (*corpora.secrets(), *corpora.lookalikes()) if case.is_argv]
    lists.extend(tuple(text.split()) for text in texts[::7])
    for profile in PROFILES:
        redactor = Redactor(profile)
        for number, text in enumerate(texts):
            _print(f"{profile} text {number}", text, _whole(redactor, text))
            if number % _STREAM_EVERY == 0:
                _print(f"{profile} stream {number}", text, _streamed(redactor, text, number))
        for number, arguments in enumerate(lists):
            _print(f"{profile} arguments {number}", b"\0".join(arguments), _listed(redactor, arguments))
    return 0


def _texts() -> Iterator[bytes]:
    """Gives the corpora's texts, texts that chance made of them, log lines and bytes that mean nothing."""
    random_ = random.Random(_SEED)  # noqa: S311 - the same on each run, and no secret
    known = [b"\n".join(case.parts) for case in (*corpora.secrets(), *corpora.lookalikes())]
    yield from known
    lines = [line for _, line in corpora.logs(_LOG_LINES)][:_LOG_LINES]
    for start in range(0, len(lines), _LOG_LINES_A_TEXT):
        yield b"\n".join(lines[start : start + _LOG_LINES_A_TEXT])
    for _ in range(_CHANGED):
        yield _changed(random_, random_.choice(known), random_.choice(known))
    for size in range(_RANDOM):
        yield random_.randbytes(size)


def _changed(random_: random.Random, text: bytes, other: bytes) -> bytes:
    """Cuts, joins and marks a text at random places."""
    for _ in range(random_.randint(1, 4)):
        place = random_.randrange(len(text) + 1)
        match random_.randrange(4):
            case 0:
                text = text[:place] + random_.choice(_MARKS) + text[place:]
            case 1:
                text = text[:place] + text[place + random_.randint(1, 8) :]
            case 2:
                text = text[:place] + other[random_.randrange(len(other) + 1) :]
            case _:
                text = text[place:] + b"\n" + other
    return text


def _whole(redactor: Redactor, text: bytes) -> list[object]:
    try:
        redaction = redactor.redact(text)
    except RedactionError:
        return ["refused"]
    findings = [[one.rule_id, one.start, one.end] for one in redaction.findings]
    return [redaction.text.data.hex(), findings]


def _streamed(redactor: Redactor, text: bytes, seed: int) -> list[object]:
    random_ = random.Random(seed)  # noqa: S311 - the same on each run, and no secret
    stream = redactor.stream()
    pieces: list[bytes] = []
    position = 0
    try:
        while position < len(text):
            size = random_.randint(1, _MOST_CHUNK_BYTES)
            pieces.append(stream.feed(text[position : position + size]).data)
            position += size
        pieces.append(stream.finish().data)
    except RedactionError:
        return ["refused"]
    return [b"".join(pieces).hex(), sorted(stream.counts.items())]


def _listed(redactor: Redactor, arguments: tuple[bytes, ...]) -> list[object]:
    try:
        redactions = redactor.redact_arguments(arguments)
    except RedactionError:
        return ["refused"]
    return [[one.text.data.hex(), [[at.rule_id, at.start, at.end] for at in one.findings]] for one in redactions]


def _print(name: str, text: bytes, outcome: list[object]) -> None:
    _write([name, hashlib.sha256(text).hexdigest()[:12], outcome])


def _write(line: list[object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    sys.exit(main())
