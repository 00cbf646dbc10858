"""Measures the redaction engine beside its floor and the detectors that people use instead, row by row."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

import contenders
from contest import Contest, Standing
from engine_footprint import compile_rules, load_engine, stream_long
from generated_texts import KINDS
from measured_process import MeasuredProcess
from result_file import Result, Unit
from scaling import redact_passes, redact_stream, redact_whole
from speed import TextsName

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_KIBI: Final = 1024
_MEBI: Final = 1024 * 1024
_MEGABYTE: Final = 1_000_000
_SPARSE, _DENSE, _ARGUMENTS = "sparse-json-logs", "dense-logs", "argument-lists-200-bytes"
_KINDS: Final = tuple(kind for kind in KINDS if kind != _ARGUMENTS)
# docs/benchmarks.md says where each limit is from.
_LEAST_MEGABYTES_PER_SECOND: Final = {_SPARSE: 1000.0, _DENSE: 100.0}
_LEAST_TIMES_BEST_DETECTOR: Final = {_SPARSE: 80.0, _DENSE: 10.0}
_LEAST_OF_BARE_SCAN: Final = 0.7
_MOST_ARGUMENTS_MICROSECONDS: Final = 20.0
_MOST_LOAD_MILLISECONDS: Final = 50.0
_MOST_DATABASE_MEGABYTES: Final = 6.0


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured."""

    text_bytes: int
    rounds: int
    at_least_seconds: float
    largest_bytes: int
    starts: int


FULL: Final = Effort(8 * _MEBI, rounds=5, at_least_seconds=0.1, largest_bytes=256 * _MEBI, starts=5)
QUICK: Final = Effort(2 * _MEBI, rounds=3, at_least_seconds=0.02, largest_bytes=16 * _MEBI, starts=2)


def measure(effort: Effort, logs: str) -> Iterator[Result]:
    """Measures everything and gives each row as soon as it is known; `logs` names a folder of real logs, or nothing."""
    with Contest() as contest:
        for kind in (*_KINDS, *(["real-logs"] if logs else [])):
            texts = TextsName(kind, effort.text_bytes, logs if kind == "real-logs" else "")
            yield from _throughput(kind, contest.speed(texts, effort.rounds, effort.at_least_seconds))
        arguments = contest.speed(TextsName(_ARGUMENTS, 512 * _KIBI), effort.rounds, effort.at_least_seconds)
        yield from _argument_lists(arguments)
        yield from _recall(contest, effort)
        for name, why in contest.missing.items():
            print(f"missing     {name}: {why}", file=sys.stderr)
    yield from _footprint(effort)
    yield from _sizes(effort)
    yield _two_processes(effort)


def _throughput(kind: str, standings: Mapping[str, Standing]) -> Iterator[Result]:
    speeds = {name: standing.megabytes_per_second for name, standing in standings.items()}
    peers = {name: speed for name, speed in speeds.items() if name not in contenders.OURS}
    best = max((speeds[name] for name in contenders.DETECTORS if name in speeds), default=0.0)
    for profile in contenders.OURS:
        held = profile == contenders.BALANCED
        name, speed = f"redaction/{kind}/{profile}", speeds[profile]
        limit = _LEAST_MEGABYTES_PER_SECOND.get(kind) if held else None
        yield Result(name, speed, Unit.MEGABYTES_PER_SECOND, limit, peers)
        limit = _LEAST_OF_BARE_SCAN if held and kind == _SPARSE else None
        yield Result(f"{name}/of-bare-scan", speed / speeds[contenders.BARE_SCAN], Unit.RATIO, limit)
        if best:
            # Without one of them, the best is not known.
            complete = all(name in speeds for name in contenders.DETECTORS)
            limit = _LEAST_TIMES_BEST_DETECTOR.get(kind) if held and complete else None
            times = {name: speed / speeds[name] for name in contenders.DETECTORS if name in speeds}
            yield Result(f"{name}/times-best-detector", speed / best, Unit.RATIO, limit, times)
    slices = {name: standing.slice_bytes / _MEGABYTE for name, standing in standings.items()}
    ours = slices[contenders.BALANCED]
    yield Result(f"redaction/{kind}/text", ours, Unit.MEGABYTES, None, slices)


def _argument_lists(standings: Mapping[str, Standing]) -> Iterator[Result]:
    times = {name: standing.microseconds_per_call for name, standing in standings.items()}
    peers = {name: value for name, value in times.items() if name not in contenders.OURS}
    for profile in contenders.OURS:
        yield Result(
            f"redaction/{_ARGUMENTS}/{profile}", times[profile], Unit.MICROSECONDS, _MOST_ARGUMENTS_MICROSECONDS, peers
        )


def _recall(contest: Contest, effort: Effort) -> Iterator[Result]:
    found = contest.recall(TextsName(_DENSE, min(effort.text_bytes, 64 * _KIBI)))
    shares = {name: recall.masked / recall.secrets for name, recall in found.items()}
    peers = {name: share for name, share in shares.items() if name not in contenders.OURS}
    for profile in contenders.OURS:
        yield Result(f"redaction/{_DENSE}/{profile}/recall", shares[profile], Unit.SHARE, None, peers)


def _footprint(effort: Effort) -> Iterator[Result]:
    for profile in contenders.OURS:
        loads = []
        for _ in range(effort.starts):
            with MeasuredProcess() as process:
                loads.append(process.call(load_engine, profile))
        held = profile == contenders.BALANCED
        load_ms = median(load.load_seconds for load in loads) * 1e3
        import_ms = median(load.import_seconds for load in loads) * 1e3
        pss = median(load.pss_bytes for load in loads) / _MEGABYTE
        name = f"redaction/{profile}"
        yield Result(f"{name}/load", load_ms, Unit.MILLISECONDS, _MOST_LOAD_MILLISECONDS if held else None)
        yield Result(f"{name}/import", import_ms, Unit.MILLISECONDS)
        size = loads[0].database_bytes / _MEGABYTE
        yield Result(f"{name}/database", size, Unit.MEGABYTES, _MOST_DATABASE_MEGABYTES if held else None)
        yield Result(f"{name}/memory", pss, Unit.MEGABYTES)
    with MeasuredProcess() as process:
        yield Result("redaction/compile", process.call(compile_rules) * 1e3, Unit.MILLISECONDS)
    for kind in (_SPARSE, _DENSE):
        with MeasuredProcess() as process:
            streamed = process.call(stream_long, kind, contenders.BALANCED, effort.largest_bytes // 4)
        more = streamed.more_peak_bytes / _MEGABYTE
        yield Result(f"redaction/{kind}/balanced/stream-memory", more, Unit.MEGABYTES)


def _sizes(effort: Effort) -> Iterator[Result]:
    with MeasuredProcess() as process:
        size = _KIBI
        while size <= effort.largest_bytes:
            seconds = max(effort.at_least_seconds / 2, 0.01)
            whole = process.call(redact_whole, size, seconds)
            stream = process.call(redact_stream, size, seconds)
            name = f"redaction/size/{_size(size)}"
            yield Result(f"{name}/whole", size / whole / _MEGABYTE, Unit.MEGABYTES_PER_SECOND)
            yield Result(f"{name}/stream", size / stream / _MEGABYTE, Unit.MEGABYTES_PER_SECOND)
            size *= 4


def _two_processes(effort: Effort) -> Result:
    size = effort.text_bytes
    with MeasuredProcess() as first, MeasuredProcess() as second:
        for process in (first, second):
            process.call(redact_passes, size, 1)
        # Long enough that starting the two is nothing beside it, whatever the engine's speed.
        passes = max(1, round(5 * effort.at_least_seconds / _wall([first], size, 1)))
        ratios = []
        for _ in range(effort.rounds):
            alone = _wall([first], size, passes)
            both = _wall([first, second], size, passes)
            ratios.append(2 * alone / both)
    return Result("redaction/two-processes/times-one", median(ratios), Unit.RATIO)


def _wall(processes: Sequence[MeasuredProcess], size: int, passes: int) -> float:
    begin = time.perf_counter()
    for process in processes:
        process.begin(redact_passes, size, passes)
    for process in processes:
        process.answer()
    return time.perf_counter() - begin


def _size(size: int) -> str:
    return f"{size // _MEBI}MiB" if size >= _MEBI else f"{size // _KIBI}KiB"
