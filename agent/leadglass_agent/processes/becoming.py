"""What a forked copy of the supervisor does to become the front or the reader: it holds its own channels alone."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Never

from leadglass_agent import clock
from leadglass_agent.audit.file import AuditLogRefused
from leadglass_agent.errors import AuditUnavailable
from leadglass_agent.processes.fence import front_paths
from leadglass_agent.processes.forked import hold_only
from leadglass_agent.processes.handshakes import GRPC_ENVIRONMENT, HandshakeLedger
from leadglass_agent.processes.heap import bound_heap
from leadglass_agent.processes.reader import Reader
from leadglass_agent.processes.signals import Signals
from leadglass_agent.processes.spawning import Spawner
from leadglass_agent.sandbox.confine import confine_reader, fence_front
from leadglass_agent.sandbox.floor import require
from leadglass_agent.sandbox.posture import Role, Standing, die_with_parent
from leadglass_agent.start import StartRefused

if TYPE_CHECKING:
    import socket

    from leadglass_agent.policy.model import Policy
    from leadglass_agent.processes.children import Common
    from leadglass_agent.processes.core_log import CoreLog

EXIT_REFUSED: Final = 2
EXIT_INTERFERED: Final = 3


@dataclass(frozen=True, slots=True)
class FrontEnds:
    """The front's ends of its channels: to the reader, and to the supervisor for notices and for connections."""

    reader: socket.socket
    notices: socket.socket
    dials: socket.socket


def become_front(common: Common, policy: Policy, ends: FrontEnds, core_log: CoreLog) -> Never:
    """Runs the front; never returns into the supervisor's code."""
    status = 1
    try:
        channels = (ends.reader, ends.notices, ends.dials)
        hold_only(*(end.fileno() for end in channels), core_log.read_end, core_log.write_end)
        signals = Signals()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file size limit shall be an error that the audit log sees
        clock.now()  # remembers which start of the machine this is, which lies outside of the fence
        # Below Landlock's eighth version a domain holds for one thread and those that it makes: there is one yet.
        landlock_abi = fence_front(front_paths(common.config, policy))
        # The only place where grpc tells of a handshake that failed is its log, which nobody but us shall see.
        os.environ.update(GRPC_ENVIRONMENT)
        bound_heap()
        handshakes = HandshakeLedger()
        handshakes.settle = core_log.take_over(lambda fault: handshakes.count(fault, clock.now().boot_ns))
        # The reader shall hold neither the memory nor the code of these.
        import asyncio  # noqa: PLC0415

        from leadglass_agent.api.lean_protobuf import leave_out_python_messages  # noqa: PLC0415

        leave_out_python_messages()

        from leadglass_agent.processes.front import Given, serve  # noqa: PLC0415

        try:
            status = asyncio.run(serve(Given(common, policy, landlock_abi, signals, handshakes), ends))
        except (StartRefused, AuditLogRefused, AuditUnavailable) as error:
            sys.stderr.write(f"leadglass-agent: {error}\n")
            status = EXIT_REFUSED
    except Exception as error:  # noqa: BLE001 - the process ends here; the text of what nobody foresaw may hold values
        sys.stderr.write(f"leadglass-agent: the front failed: {type(error).__name__}\n")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def become_reader(common: Common, front: socket.socket, orders: socket.socket) -> Never:
    """Runs the reader until its front is gone; never returns into the supervisor's code."""
    status = 1
    try:
        die_with_parent(signal.SIGKILL)
        hold_only(front.fileno(), orders.fileno(), common.proc.fd)
        signals = Signals()
        reached = confine_reader()
        require(reached, Role.READER, common.floor)
        standing = Standing(Role.READER, common.one_way_glass, reached.level, reached.landlock_abi)
        spawner = Spawner(orders)
        reader = Reader(front, spawner, common.proc, common.redactors, standing, common.config.secret_mounts)
        status = 0 if reader.run(signals, common.parent_pid) else 1
    except StartRefused as error:
        sys.stderr.write(f"leadglass-agent: {error}\n")
        status = EXIT_REFUSED
    except Exception as error:  # noqa: BLE001 - as above
        sys.stderr.write(f"leadglass-agent: the reader failed: {type(error).__name__}\n")
    finally:
        sys.stderr.flush()
        os._exit(status)
