"""What a C library writes to standard error is read by us alone, holds nobody up, and its last words are heard."""

from __future__ import annotations

import subprocess
import sys

_START = """\
import os, sys, threading
from leadglass_agent.processes.core_log import CoreLog
log = CoreLog.make()
front = os.fork()
if front:
    log.watch()
    status = os.waitstatus_to_exitcode(os.waitpid(front, 0)[1])
    log.last_words()
    print("ended with", status)
    sys.exit(0)
"""
_FAILED = (
    b"I1122 12:12:06.2 3160 channel_trace.h:396] handshake manager 0xa: Failed with error: UNAVAILABLE: "
    b"Handshake read failed (Socket closed)\\n"
)


def _run(front: str) -> tuple[str, str]:
    """Runs a program whose forked copy does `front`; gives what both wrote to standard output and error."""
    done = subprocess.run(
        [sys.executable, "-c", _START + front], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout, done.stderr


def test_failures_are_counted_and_other_lines_are_dropped() -> None:
    out, err = _run(f"""
seen = threading.Event()
def count(fault):
    print("counted", fault, flush=True)
    seen.set()
log.take_over(count)
os.write(2, b"a line of noise\\n" + b"{_FAILED.decode()}")
print("a message of Python's", file=sys.stderr)
seen.wait(30)
os._exit(0)
""")
    assert "counted HUNG_UP\n" in out
    assert err == "a message of Python's\n"


def test_a_pipe_that_nobody_reads_blocks_no_writer() -> None:
    out, err = _run(f"""
log.take_over(lambda fault: threading.Event().wait())
os.write(2, b"{_FAILED.decode()}")
dropped = 0
for _ in range(5_000):
    try:
        os.write(2, b"x" * 999 + b"\\n")
    except BlockingIOError:
        dropped += 1
print("dropped some" if dropped else "dropped none", flush=True)
os._exit(0)
""")
    assert out == "dropped some\nended with 0\n"
    assert err == ""


def test_why_the_library_ended_the_process_is_passed_on_even_if_nobody_had_time_to_read_it() -> None:
    fatal = "F1122 12:12:06.237181    3160 server.cc:80] Check failed: listener != nullptr"
    out, err = _run(f"""
log.take_over(lambda fault: threading.Event().wait())
os.write(2, b"{_FAILED.decode()}")
os.write(2, b"I1122 noise\\n{fatal}\\nmore noise\\n")
os.abort()
""")
    assert out == "ended with -6\n"
    assert err == f"{fatal}\n"


def test_a_line_without_an_end_is_forgotten_and_the_next_is_read() -> None:
    out, err = _run(f"""
seen = threading.Event()
log.take_over(lambda fault: (print("counted", fault, flush=True), seen.set()))
os.set_blocking(2, True)
for _ in range(300):
    os.write(2, b"y" * 10_000)
os.write(2, b"\\n{_FAILED.decode()}")
seen.wait(30)
os._exit(0)
""")
    assert "counted HUNG_UP\n" in out
    assert err == ""
