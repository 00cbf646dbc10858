"""Measures the known-value barrier: speed of the search, cost of a call, indexing, memory and false hits."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import socket
import statistics
import sys
import tempfile
import time
import tracemalloc
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

_ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT / "tests" / "support"))  # the corpora and a pod on disk

from corpora import logs  # noqa: E402
from gathering import gather_here  # noqa: E402
from generated_texts import generate  # noqa: E402
from leadglass_agent.api import known_values  # noqa: E402
from leadglass_agent.barrier import sieve  # noqa: E402
from leadglass_agent.barrier.barrier import Barrier  # noqa: E402
from leadglass_agent.barrier.fingerprints import Fingerprints  # noqa: E402
from leadglass_agent.barrier.forms import pieces  # noqa: E402
from leadglass_agent.processes.messages import AgentRequest  # noqa: E402
from leadglass_agent.processes.reader import Reader  # noqa: E402
from leadglass_agent.processes.reader_client import ReaderClient  # noqa: E402
from leadglass_agent.processes.spawning import Spawner  # noqa: E402
from leadglass_agent.sandbox.posture import Role, Standing  # noqa: E402
from leadglass_agent.views.procfs import open_proc  # noqa: E402
from no_redaction import no_redactors  # noqa: E402
from result_file import Result, Unit, write_results  # noqa: E402
from sample_processes import OnDisk, lay_out  # noqa: E402
from spellings import SPELLINGS  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FAR_NS: Final = 600_000_000_000
_PIECE: Final = 128 * 1024  # a message of a stream
_HARMLESS_SHARE: Final = 0.999


def main() -> None:
    """Measures, prints and writes bench/results/barrier.json."""
    parser = argparse.ArgumentParser(description="Measures the known-value barrier.")
    parser.add_argument("--out", type=Path, default=_ROOT / "bench" / "results", metavar="DIR")
    out = parser.parse_args().out
    how = "in plain Python" if sieve.__file__.endswith(".py") else "compiled"
    results: list[Result] = []
    for result in _measure():
        results.append(result)
        print(f"{result.name:64} {result.value:>10.4g} {result.unit}  {dict(result.peers) or ''}", flush=True)
    write_results(results, out / "barrier.json")
    print(f"{len(results)} rows, the sieve is {how}: {out / 'barrier.json'}")


def _measure() -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        yield from _searches(Path(folder))
        yield from _indexing(Path(folder))
    yield _memory()
    yield from asyncio.run(_calls())


def _pod(folder: Path, processes: int, values: int) -> str:
    """Lays out processes with sixty plain variables and their share of the values."""
    plain = "".join(f"SERVICE_{number}_HOST=10.96.0.{number}\0" for number in range(60))
    share = values // processes
    return lay_out(
        folder,
        *(
            OnDisk(
                pid=10 + number,
                environment=(
                    plain + "".join(f"TOKEN_{at}={secrets.token_urlsafe(24)}\0" for at in range(share))
                ).encode(),
            )
            for number in range(processes)
        ),
    )


def _searches(folder: Path) -> Iterator[Result]:
    text = b"".join(part for call in generate("sparse-json-logs", 2 * 1024 * 1024).calls for part in call)
    replies = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
    for values in (200, 1_500, 10_000):
        proc = open_proc(_pod(folder / f"pod-{values}", 20, values))
        barrier = Barrier(proc, gather_here)
        barrier.held(b"", 0, time.monotonic_ns() + _FAR_NS)
        seconds = _median(partial(_held_in, barrier, replies))
        peers = {"memcpy": _rate(text, _median(lambda: bytearray(text)))}
        if values == 200:  # noqa: PLR2004 - a plain search for each spelling takes minutes for more
            spelled = [spell(secrets.token_urlsafe(24)).encode() for _ in range(values) for spell in SPELLINGS.values()]
            peers["bytes.find for each spelling"] = _rate(text, _median(partial(_found_in, text, spelled), 1))
        yield Result(
            f"search of sparse logs for {values} values", _rate(text, seconds), Unit.MEGABYTES_PER_SECOND, None, peers
        )
        if values == 200:  # noqa: PLR2004 - once is enough
            held = _median(partial(barrier.held, text[:2_000], 10, time.monotonic_ns() + _FAR_NS), 200)
            yield Result("check of a reply of 2,000 bytes, in the reader", held * 1e6, Unit.MICROSECONDS)
            lines = [line for _, line in logs()]
            passed = sum(not barrier.held(line, 0, time.monotonic_ns() + _FAR_NS) for line in lines)
            yield Result("harmless log lines that pass", passed / len(lines), Unit.SHARE, _HARMLESS_SHARE)
        proc.close()


def _indexing(folder: Path) -> Iterator[Result]:
    for processes in (100, 1_000):
        proc = open_proc(_pod(folder / f"many-{processes}", processes, processes))
        barrier = Barrier(proc, gather_here)
        begin = time.perf_counter()
        barrier.held(b"", 0, time.monotonic_ns() + _FAR_NS)
        first = time.perf_counter() - begin
        again = _median(partial(barrier.held, b"", 10, time.monotonic_ns() + _FAR_NS), 50)
        yield Result(f"first reading of {processes} processes, a value of its own each", first * 1e3, Unit.MILLISECONDS)
        yield Result(f"keeping up with {processes} processes, each call", again * 1e6, Unit.MICROSECONDS)
        proc.close()


def _memory() -> Result:
    tracemalloc.start()
    known = Fingerprints(large=True)
    for number in range(2_000):
        known.add(known.prints(pieces(secrets.token_urlsafe(24).encode())), number)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return Result("memory for 2,000 values", size / 1e6, Unit.MEGABYTES)


async def _calls() -> list[Result]:
    """Measures the round trip from the front to the reader, beside the cheapest question that there is."""
    ours, theirs = socket.socketpair()
    orders, _supervisor = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reader = os.fork()
    if reader == 0:
        ours.close()
        standing = Standing(Role.READER, one_way_glass=False)
        Reader(theirs, Spawner(orders), open_proc(), no_redactors(), standing).run()
        os._exit(0)
    theirs.close()
    client = await ReaderClient.connect(ours)
    listening = asyncio.create_task(client.run())
    reply = b"".join(f"\n\x14\n\x0eSERVICE_{at}_HOST\x10\x03".encode() for at in range(90))
    costs: dict[str, list[float]] = {"check": [], "sign of life": []}
    for _ in range(1_000):
        begin = time.perf_counter()
        await known_values.check(client, reply, b"", os.getpid(), 5.0)
        middle = time.perf_counter()
        await client.ask(partial(AgentRequest, attempt=False), 5.0)
        costs["check"].append(middle - begin)
        costs["sign of life"].append(time.perf_counter() - middle)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await asyncio.to_thread(os.waitpid, reader, 0)
    peers = {"AgentRequest, which reads /proc/self alone": statistics.median(costs["sign of life"]) * 1e6}
    name = f"what a call of {len(reply)} bytes costs more, from front to reader and back"
    return [Result(name, statistics.median(costs["check"]) * 1e6, Unit.MICROSECONDS, None, peers)]


def _held_in(barrier: Barrier, replies: list[bytes]) -> int:
    return sum(bool(barrier.held(reply, 0, time.monotonic_ns() + _FAR_NS)) for reply in replies)


def _found_in(text: bytes, spelled: list[bytes]) -> int:
    return sum(form in text for form in spelled)


def _median(work: Callable[[], object], rounds: int = 5) -> float:
    times: list[float] = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def _rate(text: bytes, seconds: float) -> float:
    return len(text) / seconds / 1e6


if __name__ == "__main__":
    main()
