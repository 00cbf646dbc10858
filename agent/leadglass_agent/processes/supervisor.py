"""The supervisor: forks front and reader, and others by their order; ends the agent when either of the two ends.

It reads nothing of the app and nothing of a caller: what reaches it are signals and short typed messages.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from leadglass_agent.processes.becoming import EXIT_INTERFERED, EXIT_REFUSED, FrontEnds, become_front, become_reader
from leadglass_agent.processes.children import Children, Common
from leadglass_agent.processes.core_log import CoreLog
from leadglass_agent.processes.memory import settle
from leadglass_agent.processes.notices import Interfered, InterferenceCause, Introduced, Stop, encode_notice
from leadglass_agent.processes.signals import Signals
from leadglass_agent.redaction.findings import RedactionError
from leadglass_agent.sandbox.confine import confine_supervisor
from leadglass_agent.sandbox.floor import require
from leadglass_agent.sandbox.own_posture import OwnPosture
from leadglass_agent.sandbox.posture import Role, Standing, harden
from leadglass_agent.start import StartRefused
from leadglass_agent.views.proc_text import ProcParseError
from leadglass_agent.views.procfs import open_proc
from leadglass_agent.views.redactors import build_redactors

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadglass_agent.config import Config
    from leadglass_agent.policy.model import Policy
    from leadglass_agent.processes.notices import Notice
    from leadglass_agent.processes.signals import Received

_FRONT_EXIT_SECONDS: Final = 6.0
_READER_EXIT_SECONDS: Final = 1.0


def supervise(config: Config, policy: Policy, *, one_way_glass: bool) -> int:
    """Runs the agent until SIGTERM or SIGINT (exit 0), or until front or reader end by themselves (exit 1 or 2)."""
    harden()
    try:
        signals = Signals()
        # Made before the fork: all share its memory, the front for the callers' own text in the audit log.
        proc, redactors = open_proc(), build_redactors()
    except (OSError, ProcParseError, RedactionError) as error:
        sys.stderr.write(f"leadglass-agent: /proc or the redaction database cannot be used: {error}\n")
        return EXIT_REFUSED
    common = Common(config, proc, redactors, one_way_glass, config.sandbox_floor, os.getppid())
    settle()
    front_reader, reader_front = socket.socketpair()
    notices, front_notices = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    dials, front_dials = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    orders, reader_orders = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    core_log = CoreLog.make()
    # Alone in its process when it forks: no thread has been started yet, and grpc is not imported.
    front = os.fork()
    if front == 0:
        become_front(common, policy, FrontEnds(front_reader, front_notices, front_dials), core_log)
    reader = os.fork()
    if reader == 0:
        become_reader(common, reader_front, reader_orders)
    for end in (front_reader, reader_front, front_notices, front_dials, reader_orders):
        end.close()
    core_log.watch()
    notices.setblocking(False)  # noqa: FBT003 - its only form
    _be_woken_by(notices)
    supervision = _Supervision(front, reader, signals, notices, Children(common))
    try:
        reached = confine_supervisor()
        require(reached, Role.SUPERVISOR, common.floor)
    except StartRefused as error:
        sys.stderr.write(f"leadglass-agent: {error}\n")
        supervision.end()
        return EXIT_REFUSED
    standing = Standing(Role.SUPERVISOR, one_way_glass, reached.level, reached.landlock_abi)
    supervision.tell(Introduced(OwnPosture(standing).tried()))
    settle()  # what it was until now, it does without from here
    status = supervision.run(orders, dials)
    core_log.last_words()
    return supervision.concluded(status)


@dataclass(slots=True)
class _Supervision:
    """Front and reader as they run."""

    front: int
    reader: int
    signals: Signals
    notices: socket.socket
    children: Children
    _is_told: bool = False
    _deadline: float | None = None
    _ended: dict[int, int] = field(default_factory=dict)  # process → exit status, or minus its signal

    def run(self, orders: socket.socket, dials: socket.socket) -> int:
        """Serves until the front has ended; gives its exit status, or minus the signal that ended it."""
        selector = selectors.DefaultSelector()
        selector.register(self.signals, selectors.EVENT_READ)
        for channel in (orders, dials):
            selector.register(channel, selectors.EVENT_READ)
        while self.front not in self._ended:
            for key, _ in selector.select(self._patience()):
                if key.fileobj is self.signals:
                    for received in self.signals.take():
                        self._receive(received)
                    self._collect()
                elif key.fileobj is orders and not _survives(self.children.take_order, orders):
                    selector.unregister(orders)
                elif key.fileobj is dials and not _survives(self.children.take_dial, dials):
                    selector.unregister(dials)
            if self._deadline is not None and time.monotonic() >= self._deadline:
                os.kill(self.front, signal.SIGKILL)  # not collected yet, so the number is still its own
                self._deadline = None
        self.end()
        return self._ended[self.front]

    def tell(self, notice: Notice) -> None:
        """Tells the front; one that takes no notice is ended when its time is up."""
        with suppress(OSError):
            self.notices.send(encode_notice(notice))

    def end(self) -> None:
        """Ends what still runs: the reader goes by itself once its front is gone, if nothing holds it up."""
        self.children.close()
        deadline = time.monotonic() + _READER_EXIT_SECONDS
        while self.reader not in self._ended and time.monotonic() < deadline and self.front in self._ended:
            time.sleep(0.01)
            self._collect()
        for pid in (self.front, self.reader):
            if pid not in self._ended:
                os.kill(pid, signal.SIGKILL)

    def concluded(self, status: int) -> int:
        """Gives the agent's exit status for the front's, and says what the front could not say itself."""
        if self._is_told and status == 0:
            return 0
        if not self._is_told and status not in {EXIT_REFUSED, EXIT_INTERFERED}:
            how = f"signal {-status}" if status < 0 else f"exit {status}"
            sys.stderr.write(f"leadglass-agent: the front ended by itself ({how}); the agent ends with it\n")
        return EXIT_REFUSED if status == EXIT_REFUSED else 1

    def _receive(self, received: Received) -> None:
        if received.number == signal.SIGCHLD:
            return
        self._is_told = True
        self._expect_end()
        if received.is_of_runtime(self.children.common.parent_pid):
            self.tell(Stop())
        else:
            self.tell(Interfered(InterferenceCause.SIGNAL, Role.SUPERVISOR, received.by_pid))

    def _collect(self) -> None:
        """Takes note of processes that ended, and wakes those that somebody stopped."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
                if pid == 0:
                    return
                if os.WIFSTOPPED(status):
                    self._wake(pid)
                elif pid in {self.front, self.reader}:
                    self._ended[pid] = os.waitstatus_to_exitcode(status)
                    self._lose(pid)
                else:
                    self.children.ended(pid)

    def _wake(self, pid: int) -> None:
        roles = {self.front: Role.FRONT, self.reader: Role.READER}
        if pid not in roles:
            self.children.stopped(pid)
            return
        os.kill(pid, signal.SIGCONT)
        self._expect_end()
        self.tell(Interfered(InterferenceCause.STOPPED, roles[pid]))

    def _lose(self, pid: int) -> None:
        """Lets the front say that the reader is gone: by itself, or since somebody killed it."""
        if pid == self.reader:
            self._expect_end()
            if self._ended[pid] < 0:
                self.tell(Interfered(InterferenceCause.KILLED, Role.READER))

    def _expect_end(self) -> None:
        if self._deadline is None:
            self._deadline = time.monotonic() + _FRONT_EXIT_SECONDS

    def _patience(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())


def _be_woken_by(channel: socket.socket) -> None:
    """Has the kernel wake this process when the channel's other side ends, also if somebody stopped it.

    A stopped supervisor would keep the container running that its front has left; SIGCONT does nothing else to it.
    """
    fcntl.fcntl(channel, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(channel, fcntl.F_SETSIG, signal.SIGCONT)
    fcntl.fcntl(channel, fcntl.F_SETFL, fcntl.fcntl(channel, fcntl.F_GETFL) | os.O_ASYNC)


def _survives(take: Callable[[socket.socket], bool], channel: socket.socket) -> bool:
    """Takes one message of a channel; False at its end, which its other side's own end explains."""
    try:
        return take(channel)
    except OSError:
        return False
