"""Measures contenders in turns, round by round, so that what disturbs the machine disturbs them all alike."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

import contenders
from measured_process import MeasuredProcess, NoAnswerError
from speed import Recall, TextsName, Timing, count_masked, get_ready, time_passes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

_MEGABYTE: Final = 1_000_000
# Detectors get a beginning of the same text, this share of it, so that each is done with it in a fraction of a second.
_SHARES: Final = {
    contenders.PLAIN_RE: 1 / 8,
    contenders.KINGFISHER: 1 / 8,
    contenders.BETTERLEAKS: 1 / 64,
    contenders.DETECT_SECRETS: 1 / 256,
}
_IN_ONE_PROCESS: Final = (contenders.MEMCPY, contenders.BARE_SCAN, *contenders.OURS, contenders.PLAIN_RE)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a contender did on one kind of text."""

    megabytes_per_second: float  # of one core
    microseconds_per_call: float
    slice_bytes: int


class Contest:
    """The contenders that this machine has, each in its process; detectors each in one of their own."""

    def __init__(self) -> None:
        ours = MeasuredProcess()
        self._processes = dict.fromkeys(_IN_ONE_PROCESS, ours)
        self.missing: dict[str, str] = {}
        for name in _IN_ONE_PROCESS:
            ours.call(get_ready, name)
        for name in contenders.DETECTORS:
            process = MeasuredProcess()
            try:
                process.call(get_ready, name)
            except NoAnswerError as error:
                process.end()
                self.missing[name] = f"{contenders.PACKAGES[name][0]}: {error}"
            else:
                self._processes[name] = process

    def __enter__(self) -> Self:
        """Has all processes running."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the processes."""
        for process in set(self._processes.values()):
            process.end()

    def speed(self, texts: TextsName, rounds: int, at_least_seconds: float) -> Mapping[str, Standing]:
        """Times every contender in each round and takes the median of its rounds."""
        timings: dict[str, list[Timing]] = {}
        for turn in range(rounds):
            names = list(self._processes)
            # Another one begins each round: whoever follows the same neighbour finds the same cache.
            for name in (*names[turn % len(names) :], *names[: turn % len(names)]):
                part = TextsName(texts.kind, int(texts.size_bytes * _SHARES.get(name, 1)), texts.folder)
                try:
                    timing = self._processes[name].call(time_passes, name, part, at_least_seconds)
                except NoAnswerError as error:
                    self._drop(name, f"{texts.kind}: {error}")
                else:
                    timings.setdefault(name, []).append(timing)
        return {name: _standing(found) for name, found in timings.items() if name in self._processes}

    def recall(self, texts: TextsName) -> Mapping[str, Recall]:
        """Counts the secrets that each contender masks in the same text."""
        names = [name for name in self._processes if name not in {contenders.MEMCPY, contenders.BARE_SCAN}]
        return {name: self._processes[name].call(count_masked, name, texts) for name in names}

    def _drop(self, name: str, why: str) -> None:
        if name in _IN_ONE_PROCESS:
            raise NoAnswerError(why)
        self._processes.pop(name).end()
        self.missing[name] = why


def _standing(timings: Sequence[Timing]) -> Standing:
    seconds = median(timing.cpu_seconds for timing in timings)
    size, calls = timings[0].size_bytes, timings[0].calls
    return Standing(size / seconds / _MEGABYTE, seconds / calls * 1e6, size)
