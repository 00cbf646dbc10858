"""Makes a forked copy of the supervisor a process of its own, which holds nothing of the supervisor's channels."""

from __future__ import annotations

import os
import signal
import sys
from typing import Final

from leadglass_agent.processes.signals import let_through
from leadglass_agent.sandbox.posture import die_with_parent

_STREAMS: Final = (0, 1, 2)


def become_own_process(*kept: int) -> None:
    """Dies with the supervisor and by its signals from now on, holds only what it is told to keep, and says nothing.

    The standard streams are the container's log, where nothing of what it reads belongs and its witness is kept.
    """
    die_with_parent(signal.SIGKILL)
    # A terminal sends Ctrl-C to the whole group; the supervisor alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    let_through()
    hold_only(*kept)
    silent = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)  # nothing here may open it for writing
    for stream in _STREAMS:
        os.dup2(silent, stream)
    os.close(silent)


def hold_only(*kept: int) -> None:
    """Closes every inherited descriptor but these and the standard streams.

    The channels between supervisor, reader and front matter most: a copy that held one would keep it open.
    """
    low = sys.__stderr__.fileno() + 1 if sys.__stderr__ else 3
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))
