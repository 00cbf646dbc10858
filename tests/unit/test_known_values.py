"""The front's question to the barrier: replies of any size, in pieces that overlap, over a real channel."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from leadglass_agent.api import known_values
from leadglass_agent.errors import KnownValue, KnownValuesUnread, TimedOut
from leadglass_agent.processes.reader import Reader
from leadglass_agent.processes.reader_client import ReaderClient
from leadglass_agent.processes.spawning import Spawner
from leadglass_agent.sandbox.posture import Role, Standing
from leadglass_agent.views.procfs import open_proc
from no_redaction import no_redactors
from sample_processes import OnDisk, lay_out

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_VALUE = "tractor-Blue-4711"
_EDGE = 188 * 1024  # where the second piece begins


@pytest.fixture
async def reader(tmp_path: Path) -> AsyncIterator[ReaderClient]:
    ours, theirs = socket.socketpair()
    orders, supervisor = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    proc = open_proc(lay_out(tmp_path / "proc", OnDisk(pid=7, environment=f"DB_PASSWORD={_VALUE}\0".encode())))
    standing = Standing(Role.READER, one_way_glass=False)
    thread = threading.Thread(target=Reader(theirs, Spawner(orders), proc, no_redactors(), standing).run)
    thread.start()
    client = await ReaderClient.connect(ours)
    listening = asyncio.create_task(client.run())
    yield client
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    thread.join(timeout=20)
    for end in (theirs, orders, supervisor):
        end.close()
    proc.close()


@pytest.mark.parametrize(
    "place", [0, _EDGE - 90, _EDGE - 1, _EDGE, _EDGE + 4 * 1024 - 90, _EDGE + 4 * 1024 - 1, 400_000]
)
async def test_a_value_is_found_at_every_place_of_a_large_reply(reader: ReaderClient, place: int) -> None:
    spelled = "".join(f"\\u{ord(character):04x}" for character in _VALUE).encode()
    reply = b"." * place + spelled + b"." * (450_000 - place)
    with pytest.raises(KnownValue) as caught:
        await known_values.check(reader, reply, b"", 7, 5.0)
    assert str(caught.value) == "environment variable DB_PASSWORD of process 7"


async def test_large_and_empty_replies_without_a_value_pass(reader: ReaderClient) -> None:
    for size in (0, 1, _EDGE, 1_000_000):
        await known_values.check(reader, b"." * size, b"", 7, 5.0)


async def test_what_the_caller_wrote_passes_and_what_it_did_not_write_is_withheld(reader: ReaderClient) -> None:
    await known_values.check(reader, f"/nowhere/{_VALUE}".encode(), f"path: /nowhere/{_VALUE}".encode(), 7, 5.0)
    with pytest.raises(KnownValue):
        await known_values.check(reader, _VALUE.encode().hex().encode(), _VALUE.encode(), 7, 5.0)


async def test_without_time_nothing_passes(reader: ReaderClient) -> None:
    with pytest.raises((KnownValuesUnread, TimedOut)):
        await known_values.check(reader, b"harmless", b"", 7, 0.0)
