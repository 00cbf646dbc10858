"""Records calls of one session until it is killed, and tells the number of each call that is recorded."""

from __future__ import annotations

import asyncio
import sys
from itertools import count
from pathlib import Path

from taped_sessions import NOW, called, ended, recorder_in, replied, session


async def main() -> None:
    """Runs for ever."""
    recorder = recorder_in(Path(sys.argv[1]))
    await recorder.open(session(), "sha256:0", NOW)
    for number in count():
        call_id = str(number)
        message = call_id.encode() * 1_000
        await recorder.record("session-1", called(call_id), (replied(call_id, 0, message),), ended(call_id))
        sys.stdout.write(f"{call_id}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
