"""The reader's loop: takes requests of the front one by one, reads /proc itself, and hands file work to the workers.

What it sends was masked here or in a file worker: the front never holds a raw value of the target.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from typing import TYPE_CHECKING

import msgspec

from leadglass_agent.barrier.barrier import Barrier
from leadglass_agent.processes.file_workers import FileWorkers, Late, RootKey
from leadglass_agent.processes.frames import ChannelError, FrameBuffer, frame
from leadglass_agent.processes.guard import guarded
from leadglass_agent.processes.memory import Rests
from leadglass_agent.processes.messages import (
    AccessAnswer,
    AccessRequest,
    AgentAnswer,
    AgentRequest,
    AliveAnswer,
    AliveRequest,
    Answer,
    CheckAnswer,
    CheckRequest,
    DirectoryAnswer,
    DirectoryRequest,
    EnvironmentAnswer,
    EnvironmentRequest,
    FileRequest,
    FilesAnswer,
    FilesRequest,
    HeldPiece,
    ObserveRequest,
    Part,
    ProcessesAnswer,
    ProcessesRequest,
    ReadRequest,
    Request,
    RevealRequest,
    TextAnswer,
    TextRequest,
    decode_request,
    encode_answer,
    encode_part,
)
from leadglass_agent.processes.notices import Interfered, InterferenceCause
from leadglass_agent.processes.observation import Observation
from leadglass_agent.processes.seal import Sealers, Unsealed
from leadglass_agent.processes.secret_files import SecretFiles
from leadglass_agent.redaction.escape import Visible, visible
from leadglass_agent.sandbox.own_posture import OwnPosture
from leadglass_agent.sandbox.posture import Role
from leadglass_agent.views import procfs, target
from leadglass_agent.views.access.answer import unanswered
from leadglass_agent.views.access.credentials import read_credentials, read_own, read_settings
from leadglass_agent.views.alive import alive
from leadglass_agent.views.environment import list_environment
from leadglass_agent.views.open_texts import no_text
from leadglass_agent.views.paths import TargetRoot
from leadglass_agent.views.process_tree import ProcessQuery, list_processes
from leadglass_agent.views.rows import DirectoryPage, MissingFile, TextEnd, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from leadglass_agent.processes.signals import Received, Signals
    from leadglass_agent.processes.spawning import Spawner
    from leadglass_agent.sandbox.posture import Standing
    from leadglass_agent.views.procfs import ProcRoot
    from leadglass_agent.views.redactors import Redactors
    from leadglass_agent.views.target import Target

_READ = 64 * 1024
_FRONT_SECONDS = 5.0  # a front that takes no answer for this long is gone
_MAX_NAME = 1_024
_IDLE_SECONDS = 10.0  # how often idle workers are looked at when nothing happens


class Reader:
    """Serves one front until its channel ends."""

    def __init__(
        self,
        front: socket.socket,
        spawner: Spawner,
        proc: ProcRoot,
        redactors: Redactors,
        standing: Standing,
        secret_mounts: tuple[str, ...] = (),
    ) -> None:
        self.interfered: Interfered | None = None
        self._front = front
        self._standing = standing
        self._proc = proc
        self._redactors = redactors
        self._redactor = redactors.balanced
        self._selector = selectors.DefaultSelector()
        self._workers = FileWorkers(spawner, self._watch, self._unwatch)
        self._sealers = Sealers(spawner, self._watch, self._unwatch)
        # Made here and not before the fork: the front shall hold neither the key nor a fingerprint.
        self._barrier = Barrier(proc, SecretFiles(spawner).gather, secret_mounts)
        self._observation = Observation(proc, redactors)
        self._rests = Rests()
        front.settimeout(_FRONT_SECONDS)

    def run(self, signals: Signals | None = None, parent_pid: int = 0) -> bool:
        """Answers requests; True at the orderly end of the channel, False if the front broke the framing.

        A signal does nothing here but be noted: it is the supervisor that ends the agent, and this loop with its front.
        """
        buffer = FrameBuffer()
        self._watch(self._front)
        if signals is not None:
            self._selector.register(signals, selectors.EVENT_READ)
        try:
            while True:
                for key, _ in self._selector.select(self._patience()):
                    if key.fileobj is signals:
                        self._note(signals.take(), parent_pid)
                        continue
                    if key.fileobj is not self._front:
                        connection = _socket(key)
                        self._send_all(self._workers.receive(connection, time.monotonic_ns()))
                        self._send_all(self._sealers.receive(connection))
                        continue
                    data = self._front.recv(_READ)
                    if not data:
                        return True
                    for payload in buffer.feed(data):
                        self._take(decode_request(payload))
                self._send_all(self._workers.expire(time.monotonic_ns()))
                self._send_all(self._sealers.expire(time.monotonic_ns()))
                self._rests.take(time.monotonic_ns())
        except (ChannelError, OSError):
            return False
        finally:
            self._workers.close()
            self._sealers.close()

    def _note(self, signals: Iterable[Received], parent_pid: int) -> None:
        """Keeps the first signal that somebody else than the container's runtime sent, for the front to ask for."""
        for received in signals:
            if self.interfered is None and not received.is_of_runtime(parent_pid):
                self.interfered = Interfered(InterferenceCause.SIGNAL, Role.READER, received.by_pid)

    def _take(self, request: Request) -> None:
        """Answers a request at once, or leaves it with a file worker; one that nobody waits for costs nothing."""
        if request.is_late(time.monotonic_ns()):
            return
        answer = guarded(lambda: self._answer(request))
        if answer is not None:
            self._send(request.id, answer)

    def _answer(self, request: Request) -> Answer | None:
        match request:
            case FilesRequest() | DirectoryRequest() | TextRequest() | AccessRequest():
                return self._files(request)
            case RevealRequest():
                return self._sealers.submit(request, time.monotonic_ns())
            case _:
                return self._read(request)

    def _read(self, request: ReadRequest) -> Answer:
        match request:
            case ProcessesRequest():
                query = ProcessQuery(
                    after_pid=request.after_pid,
                    limit=request.limit,
                    pids=request.pids,
                    subtree_of_pid=request.subtree_of_pid,
                    name_glob=request.name_glob,
                )
                scopes = (request.scope_list, request.scope_executable, request.scope_argv)
                return ProcessesAnswer(list_processes(self._proc, self._redactors, *scopes, query))
            case EnvironmentRequest():
                return EnvironmentAnswer(
                    list_environment(
                        self._proc,
                        self._redactors.variables,
                        request.process,
                        request.names,
                        request.scope_presence,
                        request.scope_names,
                        request.after_index,
                        request.limit,
                    ),
                )
            case CheckRequest():
                held = self._barrier.held(request.text, request.pid, request.deadline_ns)
                return CheckAnswer(tuple(HeldPiece(digest, origin) for digest, origin in held.items()))
            case AliveRequest():
                return AliveAnswer(alive(self._proc, request.processes, request.scope))
            case ObserveRequest(front_pid=front_pid, foreign=foreign):
                return self._observation.look(front_pid, time.monotonic_ns(), self.interfered, foreign=foreign)
            case AgentRequest(attempt=attempt):
                own = OwnPosture(self._standing)
                posture = own.tried() if attempt else own.read()
                return AgentAnswer(self._redactor.rule_count, (posture, *self._workers.postures))

    def _files(self, request: FileRequest) -> Answer | None:
        """Opens the target's root and hands the request, narrowed to the target, to its worker."""
        scope = request.scope_list if isinstance(request, DirectoryRequest) else request.scope
        with target.find(self._proc, request.process, scope) as found:
            opened = target.open_root(self._proc, found)
            if isinstance(opened, Unavailable):
                return self._unanswered(request, opened)
            root = TargetRoot(opened)
            try:
                key = RootKey(*procfs.root_identity(found.process))
                late = self._workers.submit(key, root, _narrowed(request, self._proc, found), time.monotonic_ns())
            finally:
                os.close(opened)
        return None if late is None else self._unanswered(late.request, Unavailable.TIMED_OUT)

    def _unanswered(self, request: FileRequest, reason: Unavailable) -> Answer:
        """Gives the answer to a file request that no worker answers, with the reason."""
        match request:
            case FilesRequest():
                return FilesAnswer(tuple(MissingFile(self._shown(path), reason) for path in request.paths))
            case DirectoryRequest():
                page = DirectoryPage(
                    path=self._shown(request.path),
                    rows=(),
                    next_index=0,
                    unavailable=reason,
                    truncated=False,
                )
                return DirectoryAnswer(page)
            case TextRequest():
                return TextAnswer(no_text(TextEnd.UNAVAILABLE, reason))
            case AccessRequest():
                return AccessAnswer(unanswered(reason))

    def _shown(self, path: str) -> Visible:
        return visible(self._redactor.redact(path.encode()).text, _MAX_NAME)

    def _send_all(self, results: Iterable[Part | Late | Unsealed]) -> None:
        for result in results:
            match result:
                case Part():
                    self._front.sendall(frame(encode_part(result)))
                case Unsealed():
                    self._send(result.request.id, result.answer)
                case Late():
                    self._send(result.request.id, self._unanswered(result.request, Unavailable.TIMED_OUT))

    def _send(self, number: int, answer: Answer) -> None:
        for payload in encode_answer(number, answer):
            self._front.sendall(frame(payload))

    def _watch(self, connection: socket.socket) -> None:
        self._selector.register(connection, selectors.EVENT_READ)

    def _unwatch(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)

    def _patience(self) -> float:
        """Seconds until a worker or a sealer is late, or until idle ones are looked at."""
        deadlines = (self._workers.next_deadline_ns(), self._sealers.next_deadline_ns())
        deadline = min((one for one in deadlines if one is not None), default=None)
        return _IDLE_SECONDS if deadline is None else max(0.0, (deadline - time.monotonic_ns()) / 1e9)


def _narrowed(request: FileRequest, proc: ProcRoot, found: Target) -> FileRequest:
    """Answers the scopes' question about the process, which only the reader can, before a worker sees them."""
    facts = found.facts
    match request:
        case FilesRequest() | TextRequest():
            return msgspec.structs.replace(request, scope=request.scope.narrow(facts))
        case AccessRequest():
            return msgspec.structs.replace(
                request,
                scope=request.scope.narrow(facts),
                scope_metadata=None if request.scope_metadata is None else request.scope_metadata.narrow(facts),
                who=read_credentials(proc, found.process),
                own=read_own(proc),
                settings=read_settings(proc),
            )
        case DirectoryRequest():
            metadata = None if request.scope_metadata is None else request.scope_metadata.narrow(facts)
            return msgspec.structs.replace(
                request,
                scope_list=request.scope_list.narrow(facts),
                scope_metadata=metadata,
            )


def _socket(key: selectors.SelectorKey) -> socket.socket:
    if not isinstance(key.fileobj, socket.socket):
        message = "the loop watches sockets alone"
        raise TypeError(message)
    return key.fileobj
