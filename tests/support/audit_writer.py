"""A program that appends to a log until it is killed, and says each sequence number once it is durable."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from leadglass_agent.audit.log import AuditLog
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.clock import now


def main() -> None:
    """Writes records of changing length."""
    log = AuditLog.open(Path(sys.argv[1]), now)
    while True:
        log.append(Event(kind=EventKind.INTENT, call_id=str(log.head.seq), detail="x" * (log.head.seq * 37 % 900)))
        os.write(1, f"{log.head.seq}\n".encode())


if __name__ == "__main__":
    main()
