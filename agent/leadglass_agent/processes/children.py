"""The supervisor's short-lived processes: file workers, sealers and diallers, started, ended and collected by order."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Never, assert_never

from leadglass_agent.processes import dialling, file_worker, seal, secret_files, spawning
from leadglass_agent.views.paths import TargetRoot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from leadglass_agent.config import Config
    from leadglass_agent.processes.spawning import Order, SpawnSealer, SpawnWorker
    from leadglass_agent.sandbox.posture import SandboxLevel
    from leadglass_agent.views.procfs import ProcRoot
    from leadglass_agent.views.redactors import Redactors

_WORKER_ROOM: Final = 24  # the reader's own bound and those killed that the kernel has not let go of
# A file server that took a request and died holds its caller; one target must not use up the room of the others.
_GROUP_ROOM: Final = 5
_SEALER_ROOM: Final = 18
_DIALLER_ROOM: Final = 4


@dataclass(frozen=True, slots=True)
class Common:
    """What every process is given: made before the first fork, and shared by all."""

    config: Config
    proc: ProcRoot
    redactors: Redactors
    one_way_glass: bool
    floor: SandboxLevel
    parent_pid: int  # of the supervisor: who may stop the agent where nothing outside of this PID namespace does


@dataclass(slots=True)
class Children:
    """Those that run, by process number; one that was killed stays until the kernel lets go of it."""

    common: Common
    _workers: dict[int, str] = field(default_factory=dict)
    _sealers: set[int] = field(default_factory=set)
    _diallers: set[int] = field(default_factory=set)
    _ordered: dict[int, int] = field(default_factory=dict)  # the reader's number → the process

    def take_order(self, channel: socket.socket) -> bool:
        """Follows one order of the reader; False at the end of its channel. An order without room ends in silence."""
        packet, descriptors, flags, _ = socket.recv_fds(channel, spawning.MAX_ORDER, spawning.MAX_DESCRIPTORS)
        with ExitStack() as received:
            for descriptor in descriptors:
                received.callback(os.close, descriptor)
            is_cut = bool(flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC))
            order = None if is_cut else spawning.decode_order(packet)
            if order is not None:
                self._follow(order, descriptors)
        return bool(packet)

    def take_dial(self, channel: socket.socket) -> bool:
        """Makes one connection for the front; False at the end of its channel."""
        packet, descriptors, _, _ = socket.recv_fds(channel, dialling.MAX_ASKED, 1)
        with ExitStack() as received:
            for descriptor in descriptors:
                received.callback(os.close, descriptor)
            asked = dialling.decode_dial(packet)
            address = None if asked is None else dialling.address_of(self.common.config, asked)
            if address is not None and len(descriptors) == 1 and len(self._diallers) < _DIALLER_ROOM:
                floor = self.common.floor
                pid = _forked(descriptors[0], lambda answer: dialling.run_dialler(answer, address, floor=floor))
                self._diallers.update(() if pid is None else (pid,))
        return bool(packet)

    def stopped(self, pid: int) -> None:
        """Ends a dialler that somebody stopped, since its own deadline stopped with it; the reader has the others'."""
        if pid in self._diallers:
            os.kill(pid, signal.SIGKILL)  # not collected yet, so the number is still its own

    def ended(self, pid: int) -> None:
        """Forgets a process that was collected."""
        self._workers.pop(pid, None)
        self._sealers.discard(pid)
        self._diallers.discard(pid)
        for number in [number for number, process in self._ordered.items() if process == pid]:
            del self._ordered[number]

    def close(self) -> None:
        """Kills every one."""
        for pid in (*self._workers, *self._sealers, *self._diallers):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)  # not collected yet, so the number is still its own

    def _follow(self, order: Order, descriptors: Sequence[int]) -> None:
        match order:
            case spawning.SpawnWorker():
                self._spawn_worker(order, descriptors)
            case spawning.SpawnSealer():
                self._spawn_sealer(order, descriptors)
            case spawning.End(number=number):
                pid = self._ordered.pop(number, None)
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)  # as above
            case _:
                assert_never(order)

    def _spawn_worker(self, order: SpawnWorker, descriptors: Sequence[int]) -> None:
        of_root = sum(group == order.group for group in self._workers.values())
        has_room = len(self._workers) < _WORKER_ROOM and of_root < _GROUP_ROOM and order.number not in self._ordered
        if len(descriptors) != spawning.MAX_DESCRIPTORS or not has_room:
            return
        connection, root = descriptors
        common, is_of_secrets = self.common, order.task == "secrets"

        def become(channel: socket.socket) -> Never:
            if is_of_secrets:
                secret_files.run(channel, root, floor=common.floor)
            file_worker.run(
                channel,
                TargetRoot(root),
                common.redactors,
                one_way_glass=common.one_way_glass,
                floor=common.floor,
            )

        pid = _forked(connection, become)
        if pid is not None:
            self._workers[pid] = order.group
            self._ordered[order.number] = pid

    def _spawn_sealer(self, order: SpawnSealer, descriptors: Sequence[int]) -> None:
        # A number that is taken would leave the older process without one, and uncounted.
        if len(descriptors) != 1 or len(self._sealers) >= _SEALER_ROOM or order.number in self._ordered:
            return
        common = self.common
        pid = _forked(descriptors[0], lambda channel: seal.run(channel, common.proc, floor=common.floor))
        if pid is not None:
            self._sealers.add(pid)
            self._ordered[order.number] = pid


def _forked(connection: int, become: Callable[[socket.socket], Never]) -> int | None:
    """Forks a copy that becomes another process, with a received descriptor for good; None if the kernel has no room.

    Whatever goes wrong in the copy ends it, also if what came is no socket: it must not go on as a second supervisor.
    """
    try:
        pid = os.fork()
    except OSError:  # the app may use up what its user may have; who asked sees the end of the channel
        return None
    if pid == 0:
        try:
            become(socket.socket(fileno=connection))
        finally:
            os._exit(1)
    return pid
