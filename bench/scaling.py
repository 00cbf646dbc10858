"""Times the engine on texts from a kibibyte to many mebibytes, whole and as a stream."""

from __future__ import annotations

import gc
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from generated_texts import generate
from leadglass_agent.redaction.redactor import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_BYTES: Final = 256 * 1024
_KIND: Final = "sparse-json-logs"
_BLOCK_BYTES: Final = 8 * 1024 * 1024


def redact_whole(size_bytes: int, at_least_seconds: float) -> float:
    """Redacts a text of this size in one call and gives the seconds of processor time of one."""
    redactor, data = _redactor(), _text(size_bytes)
    return _time(lambda: redactor.redact(data), at_least_seconds)


def redact_stream(size_bytes: int, at_least_seconds: float) -> float:
    """Redacts a text of this size as a stream and gives the seconds of processor time of one."""
    redactor, data = _redactor(), _text(size_bytes)

    def run() -> None:
        stream = redactor.stream()
        for start in range(0, len(data), CHUNK_BYTES):
            stream.feed(data[start : start + CHUNK_BYTES])
        stream.finish()

    return _time(run, at_least_seconds)


def redact_passes(size_bytes: int, passes: int) -> None:
    """Redacts a text of this size so many times; the caller holds the watch, as others run beside this."""
    redactor, data = _redactor(), _text(size_bytes)
    for _ in range(passes):
        redactor.redact(data)


def _time(run: Callable[[], object], at_least_seconds: float) -> float:
    gc.collect()
    passes, begin = 0, time.process_time()
    while passes == 0 or time.process_time() - begin < at_least_seconds:
        run()
        passes += 1
    return (time.process_time() - begin) / passes


@lru_cache(maxsize=1)
def _redactor() -> Redactor:
    return Redactor()


@lru_cache(maxsize=1)
def _text(size_bytes: int) -> bytes:
    block = generate(_KIND, min(size_bytes, _BLOCK_BYTES)).calls[0][0]
    return (block * -(-size_bytes // len(block)))[:size_bytes]
