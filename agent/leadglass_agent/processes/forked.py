"""Makes a forked copy of the reader a process of its own, which holds nothing of the reader's channels."""

from __future__ import annotations

import os
import signal
import sys

from leadglass_agent.sandbox.posture import die_with_parent


def become_own_process(*kept: int) -> None:
    """Dies with the reader from now on, and closes every inherited descriptor but these and the standard streams.

    The channel to the front is what matters most: a copy that held it could answer, and would keep it open.
    """
    die_with_parent(signal.SIGKILL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    low = sys.__stderr__.fileno() + 1 if sys.__stderr__ else 3
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))
