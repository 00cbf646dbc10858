"""The front's end of the supervisor's notices: what it takes, and what it does not take for the end."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from leadglass_agent.processes.notices import Stop, encode_notice
from leadglass_agent.processes.signals import Signals
from leadglass_agent.processes.supervisor_link import SupervisorLink
from sample_processes import answer_of

_SECONDS = 20.0


async def _woken_for_nothing() -> object:
    """Takes a notice away between the moment that the loop sees it and the moment that the link looks."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    thief, wakes = socket.socketpair()
    with ours, theirs, thief, wakes:
        link = SupervisorLink(theirs, Signals(), 0)
        taken = asyncio.Event()

        def take() -> None:
            thief.recv(1)
            with suppress(BlockingIOError):  # the link was first
                theirs.recv(100)
            taken.set()

        asyncio.get_running_loop().add_reader(thief, take)
        wakes.send(b"x")
        ours.send(encode_notice(Stop()))
        async with asyncio.timeout(_SECONDS):
            await taken.wait()
            was_lost = link.lost.is_set()
            ours.send(encode_notice(Stop()))
            await link.stop.wait()
            was_lost |= link.lost.is_set()
            ours.close()
            await link.lost.wait()
        return was_lost


def test_a_wakeup_for_nothing_is_not_the_end_of_the_supervisor() -> None:
    assert answer_of(lambda: asyncio.run(_woken_for_nothing())) is False
