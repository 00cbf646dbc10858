"""The reader's file workers: one for each target root, started on demand, killed when late."""

from __future__ import annotations

import os
import signal
import socket
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from leadglass_agent.processes import file_worker
from leadglass_agent.processes.frames import MAX_FRAME, ChannelError, FrameBuffer, frame
from leadglass_agent.processes.messages import (
    MAX_ANSWER,
    AgentAnswer,
    FileRequest,
    Part,
    decode_answer,
    decode_part,
    encode_request,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from leadglass_agent.sandbox.posture import Posture
    from leadglass_agent.views.paths import TargetRoot
    from leadglass_agent.views.redactors import Redactors

_MAX_WORKERS = 4  # a pod rarely has more containers that are looked at within a minute
_MAX_QUEUE = 32  # the calls of one busy dashboard
# Killed workers that the kernel has not let go of: a file server that took a request and died holds its caller.
_MAX_UNREAPED = 16
_MAX_UNREAPED_OF_ROOT = 4  # one target must not use up the room of the others
_DEADLINE_NS = 2_000_000_000
_IDLE_NS = 60_000_000_000
_READ = 64 * 1024


@dataclass(frozen=True, slots=True)
class RootKey:
    """What tells one target root from another while a descriptor of it is open: its mount and its inode."""

    mount: str
    inode: str


@dataclass(frozen=True, slots=True)
class Late:
    """A request that got no answer: its worker was killed, died, or there was no room for it."""

    request: FileRequest


@dataclass(slots=True)
class _Worker:
    pid: int
    connection: socket.socket
    used_ns: int
    buffer: FrameBuffer = field(default_factory=FrameBuffer)
    queue: deque[FileRequest] = field(default_factory=deque)  # the first one is being worked on
    deadline_ns: int | None = None
    sent_bytes: int = 0
    posture: Posture | None = None
    opening: bytearray = field(default_factory=bytearray)


class FileWorkers:
    """Runs file requests; gives the parts of answers, and requests that are late, to the reader's loop."""

    def __init__(
        self,
        redactors: Redactors,
        watch: Callable[[socket.socket], None],
        unwatch: Callable[[socket.socket], None],
    ) -> None:
        self._redactors = redactors
        self._watch = watch
        self._unwatch = unwatch
        self._workers: dict[RootKey, _Worker] = {}
        self._unreaped: dict[int, RootKey] = {}

    @property
    def postures(self) -> tuple[Posture, ...]:
        """What each worker said of itself when it was ready."""
        return tuple(worker.posture for worker in self._workers.values() if worker.posture is not None)

    def submit(self, key: RootKey, root: TargetRoot, request: FileRequest, now_ns: int) -> Late | None:
        """Queues a request for the worker of a root, which is started if need be; Late if there is no room."""
        worker = self._workers.get(key)
        if worker is None:
            self._reap()
            of_root = sum(held == key for held in self._unreaped.values())
            if len(self._unreaped) >= _MAX_UNREAPED or of_root >= _MAX_UNREAPED_OF_ROOT or not self._make_room():
                return Late(request)
            worker = self._start(root, now_ns)
            self._workers[key] = worker
        if len(worker.queue) >= _MAX_QUEUE:
            return Late(request)
        worker.used_ns = now_ns
        worker.queue.append(request)
        if len(worker.queue) == 1 and not self._send(worker, now_ns):
            return self._lose(key)[0]
        return None

    def receive(self, connection: socket.socket, now_ns: int) -> Iterator[Part | Late]:
        """Reads what a worker sent and gives the parts of its answer, or its requests as late if it broke or died."""
        key, worker = next((item for item in self._workers.items() if item[1].connection is connection), (None, None))
        if key is None or worker is None:
            return
        try:
            data = connection.recv(_READ)
            if not data:
                yield from self._lose(key)
                return
            for payload in worker.buffer.feed(data):
                part = self._accept(worker, decode_part(payload), now_ns)
                if part is not None:
                    yield part
        except (ChannelError, OSError):
            yield from self._lose(key)

    def expire(self, now_ns: int) -> Iterator[Late]:
        """Kills workers that are late or have idled, and gives the requests that they leave behind."""
        for key, worker in tuple(self._workers.items()):
            if worker.deadline_ns is not None and now_ns >= worker.deadline_ns:
                yield from self._lose(key)
            elif not worker.queue and now_ns - worker.used_ns >= _IDLE_NS:
                self._lose(key)
        self._reap()

    def next_deadline_ns(self) -> int | None:
        """Gives when expire has something to do next."""
        return min((worker.deadline_ns for worker in self._workers.values() if worker.deadline_ns), default=None)

    def close(self) -> None:
        """Kills every worker."""
        for key in tuple(self._workers):
            self._lose(key)

    def _start(self, root: TargetRoot, now_ns: int) -> _Worker:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            file_worker.run(theirs, root, self._redactors)
        theirs.close()
        # A worker that stops reading must not stop the reader, so the socket's buffer has to hold a whole request. The
        # kernel doubles this (socket(7)); its default is less than the largest frame.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_FRAME)
        ours.settimeout(0)
        self._watch(ours)
        return _Worker(pid=pid, connection=ours, used_ns=now_ns)

    def _send(self, worker: _Worker, now_ns: int) -> bool:
        """Sends the first request of the queue and starts its deadline; False if the worker takes no more."""
        data = frame(encode_request(worker.queue[0]))
        try:
            sent = worker.connection.send(data)
        except OSError:
            return False
        worker.deadline_ns = now_ns + _DEADLINE_NS
        worker.sent_bytes = 0
        return sent == len(data)

    def _accept(self, worker: _Worker, part: Part, now_ns: int) -> Part | None:
        """Checks that a part belongs to the request worked on; the first answer of all is the worker's posture."""
        if worker.posture is None:
            self._open(worker, part)
            return None
        if not worker.queue or part.id != worker.queue[0].id:
            message = "a file worker answered what it was not asked"
            raise ChannelError(message)
        worker.sent_bytes += len(part.piece)
        if worker.sent_bytes > MAX_ANSWER:
            message = "a file worker's answer is out of bounds"
            raise ChannelError(message)
        if part.last:
            worker.queue.popleft()
            worker.deadline_ns = None
            while worker.queue and worker.queue[0].is_late(now_ns):
                worker.queue.popleft()
            if worker.queue and not self._send(worker, now_ns):
                message = "a file worker takes no more requests"
                raise ChannelError(message)
        return part

    def _open(self, worker: _Worker, part: Part) -> None:
        worker.opening += part.piece
        if part.id != file_worker.READY or len(worker.opening) > MAX_ANSWER:
            message = "a file worker did not say that it is ready"
            raise ChannelError(message)
        if part.last:
            answer = decode_answer(bytes(worker.opening))
            if not isinstance(answer, AgentAnswer) or len(answer.postures) != 1:
                message = "a file worker did not give its posture"
                raise ChannelError(message)
            worker.posture = answer.postures[0]

    def _make_room(self) -> bool:
        """Ends the worker that idled longest if all places are taken; False if every one is busy."""
        if len(self._workers) < _MAX_WORKERS:
            return True
        idle = [(worker.used_ns, key) for key, worker in self._workers.items() if not worker.queue]
        if not idle:
            return False
        self._lose(min(idle, key=lambda item: item[0])[1])
        return True

    def _lose(self, key: RootKey) -> tuple[Late, ...]:
        """Kills a worker and gives all its requests as late: what waits behind a hung file system would hang too."""
        worker = self._workers.pop(key)
        self._unwatch(worker.connection)
        worker.connection.close()
        os.kill(worker.pid, signal.SIGKILL)  # not reaped yet, so the number is still its own
        self._unreaped[worker.pid] = key
        self._reap()
        return tuple(Late(request) for request in worker.queue)

    def _reap(self) -> None:
        for pid in tuple(self._unreaped):
            if os.waitpid(pid, os.WNOHANG)[0]:
                del self._unreaped[pid]
