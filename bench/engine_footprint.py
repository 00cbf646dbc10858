"""Measures what loading the engine costs, and what it holds while it redacts: in a fresh process."""

from __future__ import annotations

import importlib
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from generated_texts import generate

_KIBI: Final = 1024
_CHUNK_BYTES: Final = 256 * _KIBI
_BLOCK_BYTES: Final = 8 * _KIBI * _KIBI


@dataclass(frozen=True, slots=True)
class Load:
    """What one start of the engine costs."""

    import_seconds: float
    load_seconds: float
    database_bytes: int
    pss_bytes: int  # more than before the import


@dataclass(frozen=True, slots=True)
class Streamed:
    """What a long stream costs in memory."""

    size_bytes: int
    more_peak_bytes: int  # highest resident memory during the stream, above that before it


def load_engine(profile: str) -> Load:
    """Loads the engine; only the first call in a process says anything."""
    # What the engine shares with every program that reads YAML is not the engine's.
    importlib.import_module("yaml")
    before = _proportional_bytes()
    begin = time.process_time()
    redactor = importlib.import_module("leadglass_agent.redaction.redactor").Redactor
    imported = time.process_time()
    loaded = redactor(profile)
    end = time.process_time()
    loaded.redact(b"the first call allocates what a scan needs")
    more = _proportional_bytes() - before
    # The two profiles share one database; loaded once more, as the redactor keeps its own to itself.
    size = importlib.import_module("leadglass_agent.redaction.database").load().compiled.size()
    return Load(imported - begin, end - imported, size, more)


def compile_rules() -> float:
    """Compiles the catalogue from its files, as the build of the package does, and gives the seconds."""
    database = importlib.import_module("leadglass_agent.redaction.database")
    rules = importlib.import_module("leadglass_agent.redaction.catalogue.rules")
    begin = time.process_time()
    database.compile_rules(rules.load_rules())
    return time.process_time() - begin


def stream_long(kind: str, profile: str, size_bytes: int) -> Streamed:
    """Redacts a stream that is this long, chunk by chunk, and forgets the output."""
    block = generate(kind, min(size_bytes, _BLOCK_BYTES)).calls[0][0]
    redactor = importlib.import_module("leadglass_agent.redaction.redactor").Redactor(profile)
    redactor.redact(block[:_CHUNK_BYTES])
    before = _status_bytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # proc(5): sets the highest resident memory back
    stream = redactor.stream()
    done = 0
    while done < size_bytes:
        for start in range(0, len(block), _CHUNK_BYTES):
            stream.feed(block[start : start + _CHUNK_BYTES])
        done += len(block)
    stream.finish()
    return Streamed(done, max(0, _status_bytes("VmHWM") - before))


def _proportional_bytes() -> int:
    return _field_bytes(Path("/proc/self/smaps_rollup"), "Pss")


def _status_bytes(name: str) -> int:
    return _field_bytes(Path("/proc/self/status"), name)


def _field_bytes(file: Path, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", file.read_text(), re.MULTILINE)
    if found is None:
        message = f"{file} has no {name}"
        raise ValueError(message)
    return int(found[1]) * _KIBI
