"""The supervisor: forks the front, becomes the reader, and ends the agent when either of them ends."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING, Never

from leadglass_agent import clock
from leadglass_agent.audit.file import AuditLogRefused
from leadglass_agent.errors import AuditUnavailable
from leadglass_agent.processes.core_log import CoreLog
from leadglass_agent.processes.handshakes import GRPC_ENVIRONMENT, HandshakeLedger
from leadglass_agent.processes.memory import settle
from leadglass_agent.processes.reader import Reader
from leadglass_agent.redaction.findings import RedactionError
from leadglass_agent.sandbox.posture import harden
from leadglass_agent.start import StartRefused
from leadglass_agent.views.proc_text import ProcParseError
from leadglass_agent.views.procfs import open_proc
from leadglass_agent.views.redactors import build_redactors

if TYPE_CHECKING:
    from leadglass_agent.config import Config
    from leadglass_agent.policy.model import Policy
    from leadglass_agent.views.redactors import Redactors

_FRONT_EXIT_SECONDS = 6.0
_POLL_SECONDS = 0.02
EXIT_REFUSED = 2


def supervise(config: Config, policy: Policy) -> int:
    """Runs the agent until SIGTERM or SIGINT (exit 0), or until front or reader end by themselves (exit 1 or 2)."""
    harden()
    try:
        # Made before the fork: both sides share its memory, the front for the callers' own text in the audit log.
        proc, redactors = open_proc(), build_redactors()
    except (OSError, ProcParseError, RedactionError) as error:
        sys.stderr.write(f"leadglass-agent: /proc or the redaction database cannot be used: {error}\n")
        return EXIT_REFUSED
    settle()
    stop, stopper = socket.socketpair()
    ours, theirs = socket.socketpair()
    core_log = CoreLog.make()
    # The reader must be alone in its process when it forks: no thread has been started yet, and grpc is not imported.
    front = os.fork()
    if front == 0:
        for end in (stop, stopper, ours):
            end.close()
        proc.close()
        _front(config, policy, redactors, theirs, core_log)
    theirs.close()
    core_log.watch()
    _stop_on_signals(stopper)
    told = Reader(ours, stop, proc, redactors, config.secret_mounts).run()
    # The end of the channel tells the front; after it there is nothing it could answer with.
    if told:
        os.kill(front, signal.SIGTERM)
    status = _wait(front)
    core_log.last_words()
    if not told and status != EXIT_REFUSED:
        how = f"signal {-status}" if status < 0 else f"exit {status}"
        sys.stderr.write(f"leadglass-agent: the front ended by itself ({how}); the agent ends with it\n")
    return 0 if told and status == 0 else max(status, 1)


def _front(config: Config, policy: Policy, redactors: Redactors, channel: socket.socket, core_log: CoreLog) -> Never:
    """Runs the front in the forked copy; never returns into the reader's code."""
    status = 1
    try:
        # A terminal sends Ctrl-C to both; the supervisor alone decides what it means.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file size limit shall be an error that the audit log sees
        # The only place where grpc tells of a handshake that failed is its log, which nobody but us shall see.
        os.environ.update(GRPC_ENVIRONMENT)
        handshakes = HandshakeLedger()
        handshakes.settle = core_log.take_over(lambda fault: handshakes.count(fault, clock.now().boot_ns))
        # The reader shall hold neither the memory nor the code of these.
        import asyncio  # noqa: PLC0415

        from leadglass_agent.processes.front import serve  # noqa: PLC0415

        try:
            status = asyncio.run(serve(config, policy, redactors, channel, handshakes))
        except (StartRefused, AuditLogRefused, AuditUnavailable) as error:
            sys.stderr.write(f"leadglass-agent: {error}\n")
            status = EXIT_REFUSED
    except Exception as error:  # noqa: BLE001 - the process ends here; the text of what nobody foresaw may hold values
        sys.stderr.write(f"leadglass-agent: the front failed: {type(error).__name__}\n")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _stop_on_signals(stopper: socket.socket) -> None:
    """Makes SIGTERM and SIGINT readable for the reader's loop."""
    stopper.settimeout(0)
    signal.set_wakeup_fd(stopper.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)


def _wait(front: int) -> int:
    """Waits for the front's end, and kills it if it takes too long; gives its exit status, or minus its signal."""
    deadline = time.monotonic() + _FRONT_EXIT_SECONDS
    while time.monotonic() < deadline:
        pid, status = os.waitpid(front, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(_POLL_SECONDS)
    os.kill(front, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(front, 0)[1])
