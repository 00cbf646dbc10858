"""The front's end of the supervisor's notices, and signals that reach the front itself: why it shall end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from leadglass_agent.processes.notices import (
    MAX_NOTICE,
    Interfered,
    InterferenceCause,
    Introduced,
    Stop,
    decode_notice,
)
from leadglass_agent.sandbox.posture import Role
from leadglass_agent.start import StartRefused

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from leadglass_agent.processes.signals import Signals
    from leadglass_agent.sandbox.posture import Posture

_INTRODUCTION_SECONDS: Final = 10.0


class SupervisorLink:
    """Reads notices and signals on the loop; `stop` is set for an orderly end, `lost` when the supervisor is gone."""

    def __init__(self, notices: socket.socket, signals: Signals, parent_pid: int) -> None:
        self._notices = notices
        self._signals = signals
        self._parent_pid = parent_pid
        self._introduced: asyncio.Future[Posture] = asyncio.get_running_loop().create_future()
        self.on_interference: Callable[[Interfered], None] = lambda _: None
        self.stop: Final = asyncio.Event()
        self.lost: Final = asyncio.Event()
        notices.setblocking(False)  # noqa: FBT003 - its only form
        loop = asyncio.get_running_loop()
        loop.add_reader(notices, self._noticed)
        loop.add_reader(signals, self._signalled)

    async def supervisor(self) -> Posture:
        """Waits for the supervisor to say what the kernel grants it; raises StartRefused."""
        try:
            async with asyncio.timeout(_INTRODUCTION_SECONDS):
                return await self._introduced
        except TimeoutError:
            message = "the supervisor did not say what it is"
            raise StartRefused(message) from None

    def _noticed(self) -> None:
        packet = b""
        with suppress(ConnectionError):
            try:
                packet = self._notices.recv(MAX_NOTICE)
            except BlockingIOError:
                return  # woken for nothing, which is not the end
            match decode_notice(packet):
                case Stop():
                    self.stop.set()
                case Interfered() as interfered:
                    self.on_interference(interfered)
                case Introduced(posture=posture) if not self._introduced.done():
                    self._introduced.set_result(posture)
                case _:
                    pass
        if not packet:
            asyncio.get_running_loop().remove_reader(self._notices)
            self.lost.set()
            # It keeps its end for as long as the front runs: without it, somebody has killed it.
            self.on_interference(Interfered(InterferenceCause.KILLED, Role.SUPERVISOR))

    def _signalled(self) -> None:
        for received in self._signals.take():
            if received.is_of_runtime(self._parent_pid):
                self.stop.set()  # to the whole group, or to the whole control group
            else:
                self.on_interference(Interfered(InterferenceCause.SIGNAL, Role.FRONT, received.by_pid))
