"""The reader's loop over a real socketpair."""

from __future__ import annotations

import socket
import threading
import time

from leadglass_agent.processes.frames import FrameBuffer, frame
from leadglass_agent.processes.messages import (
    AgentAnswer,
    AgentRequest,
    Part,
    decode_answer,
    decode_part,
    encode_request,
)
from leadglass_agent.processes.reader import Reader
from leadglass_agent.processes.spawning import Spawner
from leadglass_agent.sandbox.posture import Role, Standing
from leadglass_agent.views.procfs import open_proc
from leadglass_agent.views.redactors import build_redactors

_LATER_NS = 60_000_000_000


def test_a_request_that_nobody_waits_for_any_more_is_not_answered() -> None:
    ours, theirs = socket.socketpair()
    orders, supervisor = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    proc = open_proc()
    standing = Standing(Role.READER, one_way_glass=False)
    reader = threading.Thread(target=Reader(theirs, Spawner(orders), proc, build_redactors(), standing).run)
    reader.start()
    try:
        now = time.monotonic_ns()
        ours.settimeout(20)
        late, live = AgentRequest(1, now - 1, attempt=False), AgentRequest(2, now + _LATER_NS, attempt=False)
        ours.sendall(frame(encode_request(late)) + frame(encode_request(live)))
        buffer, parts = FrameBuffer(), list[Part]()
        while not parts:
            parts = [decode_part(payload) for payload in buffer.feed(ours.recv(65_536))]
        assert [part.id for part in parts] == [2]
        assert isinstance(decode_answer(parts[0].piece), AgentAnswer)
    finally:
        ours.close()
        reader.join(timeout=20)
        for end in (theirs, orders, supervisor):
            end.close()
        proc.close()
