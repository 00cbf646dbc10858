"""Lets a process have its own root, and lets another exchange names below it as fast as the kernel can."""

from __future__ import annotations

import mmap
import struct
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sample_processes import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_COUNT: Final = struct.Struct("<q")
# linux/fs.h: RENAME_EXCHANGE; linux/prctl.h: PR_SET_PDEATHSIG
_SWAPPER: Final = """
import ctypes, mmap, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(1, 9, 0, 0, 0)
count = mmap.mmap(os.open(sys.argv[1], os.O_RDWR), 8)
pairs = [(os.fsencode(one), os.fsencode(two)) for one, two in zip(sys.argv[2::2], sys.argv[3::2])]
exchange, done = libc.renameat2, 0
print(1, flush=True)
while True:
    for one, two in pairs:
        # There and back: the first name is what it was for half of the time.
        if exchange(-100, one, -100, two, 2) or exchange(-100, one, -100, two, 2):
            sys.exit(os.strerror(ctypes.get_errno()))
    done += 2 * len(pairs)
    struct.pack_into("<q", count, 0, done)
"""
# sys/mount.h: MS_REC | MS_PRIVATE; linux/sched.h: CLONE_NEWNS
_OWN_MOUNTS: Final = """
import ctypes, itertools, threading, time
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x20000) or libc.mount(None, b"/", None, 0x44000, None):
    sys.exit(os.strerror(ctypes.get_errno()))
"""
_MOUNT_PROC: Final = """
if libc.mount(b"proc", {path!r}, b"proc", 0, None):
    sys.exit(os.strerror(ctypes.get_errno()))
"""
_MOUNT_OVER: Final = """
def go_on():
    # As fast as can be, and now and then for long enough to be looked at.
    for pause in itertools.cycle((0, 0, 0, 0.002)):
        libc.mount(b"sysfs", {path!r}, b"sysfs", 0, None)
        time.sleep(pause)
        libc.umount2({path!r}, 2)
        time.sleep(pause)
threading.Thread(target=go_on, daemon=True).start()
"""


@dataclass(frozen=True, slots=True)
class Swaps:
    """How many exchanges were made until now."""

    counted: mmap.mmap

    @property
    def number(self) -> int:
        """The number."""
        return int(_COUNT.unpack_from(self.counted)[0])


@contextmanager
def app_below(root: Path, *, with_proc: bool = False, mounts_over: str = "") -> Iterator[int]:
    """Runs a process whose root is a folder; gives its number. Needs root.

    With `with_proc` it has mounts of its own with a /proc of the machine's processes below that root; `mounts_over` is
    a folder below it onto which it mounts a /sys, and off again, without end.
    """
    script = _OWN_MOUNTS if with_proc or mounts_over else ""
    if with_proc:
        script += _MOUNT_PROC.format(path=bytes(root / "proc"))
    script += f"os.chroot({str(root)!r})\nos.chdir('/')\n"
    if mounts_over:
        script += _MOUNT_OVER.format(path=mounts_over.encode())
    with running(script=script) as pid:
        yield pid


@contextmanager
def swapping(folder: Path, *pairs: tuple[Path, Path]) -> Iterator[Swaps]:
    """Exchanges the two names of each pair, there and back, until the with-block ends; `folder` is for the count."""
    counter = folder / "swaps"
    counter.write_bytes(bytes(_COUNT.size))
    names = [str(name) for pair in pairs for name in pair]
    with counter.open("r+b") as file, mmap.mmap(file.fileno(), _COUNT.size) as counted:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _SWAPPER, str(counter), *names],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"1\n"
            yield Swaps(counted)
            assert process.poll() is None, "the exchanges ended by themselves"
        finally:
            process.kill()
            process.communicate()
