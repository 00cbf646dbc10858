"""processes/memory.py: what a process can do without is given back, and is there again when it is used."""

from __future__ import annotations

import subprocess
import sys

from leadglass_agent.processes.memory import code_ranges

# Prints what is mapped of files after three looks at the clock: too early, in time, and too early again.
_RESTING = """
import re
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from leadglass_agent.processes.memory import Rests

def mapped():
    return int(re.search(r"RssFile:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

rests, second, found = Rests(), 1_000_000_000, []
rests.take(100 * second)
for at in (103, 105, 106):
    Ed25519PrivateKey.generate().sign(b"x")
    rests.take(at * second)
    found.append(mapped())
print(*found)
"""
_HEAD = "7f0000000000-7f0000100000"
_SMAPS = """\
{head} {mode} 00001000 fe:00 29734                      {path}
Size:               1024 kB
KernelPageSize:        4 kB
Rss:                 800 kB
Anonymous:          {changed:>4} kB
LazyFree:              0 kB
VmFlags: rd ex mr mw me sd
"""
# Prints, in KiB: what is mapped of files before, after and at last; between the last two the library works.
_PROGRAM = """
import re
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from leadglass_agent.processes.memory import Slack

def mapped():
    return int(re.search(r"RssFile:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

key = Ed25519PrivateKey.generate()
signature = key.sign(b"before")
before = mapped()
slack = Slack()
slack.give_back()
after = mapped()
key.public_key().verify(signature, b"before")
assert Ed25519PrivateKey.generate().sign(b"x")
again = mapped()
slack.give_back()
print(before, after, again, mapped())
"""


def _smaps(path: str = "/usr/lib/x.so", mode: str = "r-xp", changed: int = 0, head: str = _HEAD) -> bytes:
    return _SMAPS.format(head=head, mode=mode, path=path, changed=changed).encode()


def test_code_that_nobody_wrote_to_is_found_with_the_constants_beside_it() -> None:
    constants = _smaps(mode="r--p", head="7f0000100000-7f0000180000")
    assert list(code_ranges(_smaps() + constants)) == [(0x7F0000000000, 0x100000), (0x7F0000100000, 0x80000)]


def test_what_would_not_come_back_is_left_alone() -> None:
    relocated = _smaps(mode="r--p", changed=4, head="7f0000100000-7f0000180000")
    written = _smaps(mode="rw-p", head="7f0000180000-7f0000200000")
    data = _smaps(path="/etc/app/policy", mode="r--p", head="7f0000200000-7f0000300000")
    patched = _smaps(path="/usr/lib/y.so", changed=8, head="7f0000300000-7f0000400000")
    nameless = _smaps(path="", head="7f0000400000-7f0000500000")
    library = _smaps()
    assert list(code_ranges(relocated + written + data + patched + nameless)) == []
    assert list(code_ranges(library + relocated + written + data)) == [(0x7F0000000000, 0x100000)]


def test_small_libraries_are_not_worth_a_call() -> None:
    assert list(code_ranges(_smaps(head="7f0000000000-7f0000001000"))) == []


def test_no_text_of_the_kernel_s_makes_it_fail() -> None:
    for text in (b"", b"\n", b"7f-8f r-xp", _smaps()[:-40], _smaps().replace(b"kB", b"MB")):
        list(code_ranges(text))


def test_a_process_gives_back_code_that_it_goes_on_to_use() -> None:
    run = subprocess.run([sys.executable, "-c", _PROGRAM], check=True, capture_output=True, timeout=60, text=True)
    before, after, again, last = map(int, run.stdout.split())
    assert after < before / 2
    assert again > after
    assert last < again


def test_it_is_given_back_every_few_seconds_and_not_at_each_look() -> None:
    run = subprocess.run([sys.executable, "-c", _RESTING], check=True, capture_output=True, timeout=60, text=True)
    early, given_back, used_again = map(int, run.stdout.split())
    assert given_back < early / 2
    assert used_again > given_back
