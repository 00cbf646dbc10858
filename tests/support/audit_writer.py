"""A program that appends batches to a log of small files until it is killed, saying each number once it is durable."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from leadglass_agent.audit.log import AuditLog
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.clock import now


def main() -> None:
    """Writes batches of changing length of records of changing length."""
    log = AuditLog.open(Path(sys.argv[1]), now, segment_bytes=int(sys.argv[2]))
    log.append([Event(kind=EventKind.AGENT_STARTED)])
    while True:
        head = log.head.seq
        count = 1 + head * 7 % 11
        log.append([Event(kind=EventKind.INTENT, call_id=str(head), detail="x" * (head * 37 % 900))] * count)
        os.write(1, f"{log.head.seq}\n".encode())
        log.rotate_if_due()


if __name__ == "__main__":
    main()
