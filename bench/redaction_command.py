"""The command line of the redaction benchmark: prints each row, then writes JSON and picture."""

from __future__ import annotations

import argparse
import os
import platform
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from redaction_picture import draw
from redaction_rows import FULL, QUICK, measure
from result_file import Result, rounded, write_results

_RESULTS: Final = Path(__file__).resolve().parent / "results"


def main() -> int:
    """Measures, prints, and writes JSON and picture; with --enforce, exit 1 if a limit is not held."""
    parser = argparse.ArgumentParser(description="Measures the redaction engine.")
    parser.add_argument("--quick", action="store_true", help="less text, fewer rounds, at most a minute")
    parser.add_argument("--logs", metavar="DIR", default="", help="also measure the files of this folder")
    parser.add_argument("--enforce", action="store_true", help="exit 1 if a limit is not held")
    parser.add_argument("--out", type=Path, default=_RESULTS, metavar="DIR", help="folder of JSON and picture")
    options = parser.parse_args()
    effort = QUICK if options.quick else FULL
    begin = time.monotonic()
    results: list[Result] = []
    for result in measure(effort, options.logs):
        results.append(result)
        print(_line(result), flush=True)
    write_results(results, options.out / "redaction.json")
    (options.out / "redaction.svg").write_text(draw(results, _machine()), encoding="utf-8")
    broken = [result.name for result in results if result.holds is False]
    seconds = time.monotonic() - begin
    print(f"\n{_machine()}\n{len(results)} rows in {seconds:.0f} s: {options.out}/redaction.json, redaction.svg")
    print(f"limits not held: {', '.join(broken)}" if broken else "every limit is held")
    return 1 if broken and options.enforce else 0


def _line(result: Result) -> str:
    text = f"{result.name:58} {rounded(result.value):>9g} {result.unit}"
    if result.limit is not None:
        bound = "at least" if result.unit.more_is_better else "at most"
        text += f"  ({bound} {result.limit:g})  {'holds' if result.holds else 'NOT REACHED'}"
    peers = "  ".join(f"{name} {rounded(value):g}" for name, value in result.peers.items())
    return f"{text}\n    {peers}" if peers else text


def _machine() -> str:
    cpu = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    day = time.strftime("%Y-%m-%d", time.gmtime())
    # The same source runs compiled or as it is; numbers of the one say nothing of the other.
    found = find_spec("leadglass_agent.redaction.engine")
    engine = "in plain Python" if found is None or (found.origin or "").endswith(".py") else "compiled"
    return f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}, engine {engine}, {day}"
