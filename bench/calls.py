"""Measures each RPC beside a bare echo, process trees beside ps, and watchers beside one: `make bench`.

bench/calls.py [--quick] [--only calls|processes|watchers] [--enforce] [--out DIR]
prints each row, and writes JSON and picture.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

# What runs an agent in the tests runs it here.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from benched_agent import bench_agent, bench_app, echo_server
from call_kinds import NOT_MEASURED
from call_rows import Effort, Servers, call_rows
from calls_picture import draw
from measured_process import MeasuredProcess
from printed_rows import line, machine
from process_rows import HELD, SIZES, process_rows
from result_file import Result, write_results
from watcher_rows import watcher_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

_RESULTS: Final = Path(__file__).resolve().parent / "results"
_FULL, _QUICK = Effort(turns=3, seconds=0.8), Effort(turns=1, seconds=0.3)
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a file system in memory is what is wanted
_PARTS: Final = ("calls", "processes", "watchers")


def main() -> int:
    """Measures, prints, and writes JSON and picture; with --enforce, exit 1 if a limit is not held."""
    parser = argparse.ArgumentParser(description="Measures calls to a running agent.")
    parser.add_argument("--quick", action="store_true", help="one short turn, in a minute")
    parser.add_argument("--only", choices=_PARTS, help="one part alone; the files are not written")
    parser.add_argument("--enforce", action="store_true", help="exit 1 if a limit is not held")
    parser.add_argument("--out", type=Path, default=_RESULTS, metavar="DIR", help="folder of JSON and picture")
    parser.add_argument("--logs", help=argparse.SUPPRESS)  # of bench/redaction.py: `make bench` gives all the same
    options = parser.parse_args()
    begin = time.monotonic()
    results: list[Result] = []
    for result in _measure((options.only,) if options.only else _PARTS, quick=options.quick):
        results.append(result)
        print(line(result), flush=True)
    if not options.only:
        write_results(results, options.out / "calls.json")
        (options.out / "calls.svg").write_text(draw(results, machine()), encoding="utf-8")
    broken = [result.name for result in results if result.holds is False]
    print(f"\n{machine()}\n{len(results)} rows in {time.monotonic() - begin:.0f} s")
    print(f"not measured, since they change what is there once: {', '.join(NOT_MEASURED)}")
    print(f"limits not held: {', '.join(broken)}" if broken else "every limit is held")
    return 1 if broken and options.enforce else 0


def _measure(parts: tuple[str, ...], *, quick: bool) -> Iterator[Result]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        app = stack.enter_context(bench_app(folder))
        disk = stack.enter_context(bench_agent(folder / "disk"))
        if "calls" in parts:
            in_memory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_MEMORY)))
            memory = stack.enter_context(bench_agent(folder / "memory", in_memory))
            echo = stack.enter_context(echo_server(disk))
            client = stack.enter_context(MeasuredProcess())
            yield from call_rows(Servers(disk, memory, echo), app, client, _QUICK if quick else _FULL)
        if "watchers" in parts:
            yield from watcher_rows(disk, app, 5.0 if quick else 20.0)
        if "processes" in parts:
            yield from process_rows(disk, 3 if quick else 11, HELD if quick else SIZES[-1])


if __name__ == "__main__":
    sys.exit(main())
