"""The reader's file workers: one for each target root, started on demand, killed when late."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from socket import SO_SNDBUF, SOL_SOCKET
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
    import socket
    from collections.abc import Callable, Iterator

    from leadglass_agent.processes.spawning import Spawner
    from leadglass_agent.sandbox.posture import Posture
    from leadglass_agent.views.paths import TargetRoot

_MAX_WORKERS = 4  # a pod rarely has more containers that are looked at within a minute
_MAX_QUEUE = 32  # the calls of one busy dashboard
_DEADLINE_NS = 2_000_000_000
# Whoever waits behind others is answered within three seconds, too: a request that is no further by then is late, and
# one that comes to its turn has this long at least.
_PROMISED_NS = 2_500_000_000
_LEAST_NS = 500_000_000
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


@dataclass(frozen=True, slots=True)
class _Queued:
    """A request, and until when there has to be an answer to it."""

    request: FileRequest
    until_ns: int


@dataclass(slots=True)
class _Worker:
    number: int
    connection: socket.socket
    used_ns: int
    buffer: FrameBuffer = field(default_factory=FrameBuffer)
    queue: deque[_Queued] = field(default_factory=deque)  # the first one is being worked on
    deadline_ns: int | None = None
    sent_bytes: int = 0
    posture: Posture | None = None
    opening: bytearray = field(default_factory=bytearray)


class FileWorkers:
    """Runs file requests; gives the parts of answers, and requests that are late, to the reader's loop."""

    def __init__(
        self,
        spawner: Spawner,
        watch: Callable[[socket.socket], None],
        unwatch: Callable[[socket.socket], None],
    ) -> None:
        self._spawner = spawner
        self._watch = watch
        self._unwatch = unwatch
        self._workers: dict[RootKey, _Worker] = {}

    @property
    def postures(self) -> tuple[Posture, ...]:
        """What each worker said of itself when it was ready."""
        return tuple(worker.posture for worker in self._workers.values() if worker.posture is not None)

    def submit(self, key: RootKey, root: TargetRoot, request: FileRequest, now_ns: int) -> Late | None:
        """Queues a request for the worker of a root, which is started if need be; Late if there is no room."""
        worker = self._workers.get(key)
        if worker is None:
            if not self._make_room():
                return Late(request)
            worker = self._start(key, root, now_ns)
            self._workers[key] = worker
        if len(worker.queue) >= _MAX_QUEUE:
            return Late(request)
        worker.used_ns = now_ns
        worker.queue.append(_Queued(request, now_ns + _PROMISED_NS))
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
                continue
            while len(worker.queue) > 1 and now_ns >= worker.queue[1].until_ns - _LEAST_NS:
                yield Late(worker.queue[1].request)
                del worker.queue[1]
            if not worker.queue and now_ns - worker.used_ns >= _IDLE_NS:
                self._lose(key)

    def next_deadline_ns(self) -> int | None:
        """Gives when expire has something to do next."""
        busy = [worker for worker in self._workers.values() if worker.deadline_ns is not None]
        late = [worker.deadline_ns for worker in busy if worker.deadline_ns is not None]
        return min(
            [*late, *(worker.queue[1].until_ns - _LEAST_NS for worker in busy if len(worker.queue) > 1)], default=None
        )

    def close(self) -> None:
        """Kills every worker."""
        for key in tuple(self._workers):
            self._lose(key)

    def _start(self, key: RootKey, root: TargetRoot, now_ns: int) -> _Worker:
        number, ours = self._spawner.start_worker(f"{key.mount} {key.inode}", root.fd)
        # A worker that stops reading must not stop the reader, so the socket's buffer has to hold a whole request. The
        # kernel doubles this (socket(7)); its default is less than the largest frame.
        ours.setsockopt(SOL_SOCKET, SO_SNDBUF, MAX_FRAME)
        ours.settimeout(0)
        self._watch(ours)
        return _Worker(number=number, connection=ours, used_ns=now_ns)

    def _send(self, worker: _Worker, now_ns: int) -> bool:
        """Sends the first request of the queue and starts its deadline; False if the worker takes no more."""
        data = frame(encode_request(worker.queue[0].request))
        try:
            sent = worker.connection.send(data)
        except OSError:
            return False
        worker.deadline_ns = min(now_ns + _DEADLINE_NS, max(worker.queue[0].until_ns, now_ns + _LEAST_NS))
        worker.sent_bytes = 0
        return sent == len(data)

    def _accept(self, worker: _Worker, part: Part, now_ns: int) -> Part | None:
        """Checks that a part belongs to the request worked on; the first answer of all is the worker's posture."""
        if worker.posture is None:
            self._open(worker, part)
            return None
        if not worker.queue or part.id != worker.queue[0].request.id:
            message = "a file worker answered what it was not asked"
            raise ChannelError(message)
        worker.sent_bytes += len(part.piece)
        if worker.sent_bytes > MAX_ANSWER:
            message = "a file worker's answer is out of bounds"
            raise ChannelError(message)
        if part.last:
            worker.queue.popleft()
            worker.deadline_ns = None
            while worker.queue and worker.queue[0].request.is_late(now_ns):
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
        self._spawner.end(worker.number)
        return tuple(Late(queued.request) for queued in worker.queue)
