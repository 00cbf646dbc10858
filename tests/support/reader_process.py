"""Runs the reader's loop alone in a process of its own, and asks it as the front does, keeping every byte of it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from children_process import ChildrenProcess, children_process
from leadglass_agent.processes.frames import FrameBuffer, frame
from leadglass_agent.processes.messages import Answer, decode_answer, decode_part, encode_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_agent.processes.messages import Request

_SECONDS = 60.0
_PROGRAM = """
import socket, sys
from leadglass_agent.processes.reader import Reader
from leadglass_agent.processes.spawning import Spawner
from leadglass_agent.sandbox.posture import Role, Standing, harden
from leadglass_agent.views.procfs import open_proc
from leadglass_agent.views.redactors import build_redactors

harden()
front, orders = (socket.socket(fileno=int(number)) for number in sys.argv[1:])
standing = Standing(Role.READER, one_way_glass=False)
sys.exit(0 if Reader(front, Spawner(orders), open_proc(), build_redactors(), standing).run() else 1)
"""


def soon() -> int:
    """Gives a deadline that a loaded machine keeps, on CLOCK_MONOTONIC in nanoseconds."""
    return time.monotonic_ns() + int(_SECONDS * 1e9)


@dataclass(slots=True)
class ReaderProcess:
    """One reader, the front's end of its channel, and all that came through it."""

    pid: int
    front: socket.socket
    started: ChildrenProcess
    received: bytearray = field(default_factory=bytearray)

    def ask(self, *requests: Request) -> dict[int, Answer]:
        """Sends requests at once and waits for the answer to each, by its number."""
        self.front.sendall(b"".join(frame(encode_request(request)) for request in requests))
        buffer, pieces, answers = FrameBuffer(), dict[int, bytes](), dict[int, Answer]()
        while len(answers) < len(requests):
            data = self.front.recv(65_536)
            assert data, "the reader ended"
            self.received += data
            for payload in buffer.feed(data):
                part = decode_part(payload)
                pieces[part.id] = pieces.get(part.id, b"") + part.piece
                if part.last:
                    answers[part.id] = decode_answer(pieces[part.id])
        return answers

    def ask_one(self, request: Request) -> Answer:
        """Sends one request and waits for its answer."""
        return self.ask(request)[request.id]


@contextmanager
def reader_process() -> Iterator[ReaderProcess]:
    """Runs a reader for the time of a with-block, and what starts processes for it."""
    ours, theirs = socket.socketpair()
    ours.settimeout(_SECONDS)
    with children_process() as started:
        orders = started.orders
        numbers = (theirs.fileno(), orders.fileno())
        arguments = [sys.executable, "-c", _PROGRAM, *map(str, numbers)]
        with subprocess.Popen(arguments, pass_fds=numbers) as process:
            theirs.close()
            try:
                yield ReaderProcess(process.pid, ours, started)
                ours.close()
                assert process.wait(timeout=_SECONDS) == 0
            finally:
                process.kill()
                ours.close()
