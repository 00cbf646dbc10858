"""A program of the agent's own user that tries to look into it: every file of /proc, ptrace, its memory, its port.

It runs with no library of ours: `python3 proc_attacker.py VICTIM`, where VICTIM is in the victims' command lines. It
attacks until a line of JSON comes, a list of secrets in hexadecimal; then it looks a last time and prints what it got.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import select
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_EPERM, _ESRCH, _EFAULT, _ENOSYS = 1, 3, 14, 38
_PTRACE_ATTACH, _PTRACE_DETACH, _PTRACE_SEIZE, _PTRACE_INTERRUPT = 16, 17, 0x4206, 0x4207  # linux/ptrace.h
_WALL = 0x40000000  # waitpid(2)
# x86_64 and aarch64: process_vm_readv, pidfd_open, pidfd_getfd, kcmp.
_NUMBERS = {"x86_64": (310, 434, 438, 312), "aarch64": (270, 434, 438, 272)}[os.uname().machine]
_QUICK = ("mem", "environ", "maps", "root/etc/hostname", "auxv")
_WALK_SECONDS = 0.5
_MOST_BYTES = 64 * 1024 * 1024
_PIECE = 256 * 1024
_LARGEST_REGION = 256 * 1024 * 1024


class _Attack:
    def __init__(self, victim: bytes) -> None:
        self.victim = victim
        self.victims: set[int] = set()
        self.tries = 0
        self.readable: set[str] = set()
        self.allowed: set[str] = set()
        self.collected = bytearray()
        self.memories: dict[int, int] = {}
        self.maps: dict[int, int] = {}
        self.walked: dict[int, float] = {}
        self.found: set[str] = set()

    def once(self) -> None:
        with os.scandir("/proc") as entries:
            pids = [int(entry.name) for entry in entries if entry.name.isdigit()]
        for pid in pids:
            if pid == os.getpid():
                continue
            if pid not in self.victims:
                folder = Path(f"/proc/{pid}")
                with suppress(OSError):
                    if self.victim in (folder / "cmdline").read_bytes() and folder.stat().st_uid in {os.getuid(), 0}:
                        self.victims.add(pid)
            if pid in self.victims:
                self._quick(pid)
                if time.monotonic() - self.walked.get(pid, 0.0) > _WALK_SECONDS:
                    self.walked[pid] = time.monotonic()
                    self._walk(f"/proc/{pid}", pid, 0)
                    self._calls(pid)

    def _quick(self, pid: int) -> None:
        for name in _QUICK:
            self.tries += 1
            try:
                descriptor = os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_NONBLOCK)
            except OSError:
                continue
            # Both stay valid, whatever the process makes of itself later.
            held = {"mem": self.memories, "maps": self.maps}.get(name)
            if held is not None and pid not in held and _has_memory(descriptor):
                self.readable.add(name)
                held[pid] = descriptor
            else:
                os.close(descriptor)

    def _walk(self, folder: str, pid: int, depth: int) -> None:
        try:
            entries = list(os.scandir(folder))
        except OSError:
            return
        for entry in entries[:400]:
            pattern = re.sub(r"\d+", "N", entry.path.removeprefix(f"/proc/{pid}/"))
            self.tries += 1
            with suppress(OSError):
                if entry.is_symlink():
                    Path(entry.path).readlink()
                    self.readable.add(pattern)
                    if entry.name in {"root", "cwd"}:
                        tuple(os.scandir(entry.path))
                        self.readable.add(f"{pattern}/")
                elif entry.is_dir(follow_symlinks=False):
                    if depth < 3:
                        self._walk(entry.path, pid, depth + 1)
                else:
                    self._read(entry.path, pattern)

    def _read(self, path: str, pattern: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            data = os.read(descriptor, _PIECE)
        finally:
            os.close(descriptor)
        if data:
            self.readable.add(pattern)
            if len(self.collected) < _MOST_BYTES:
                self.collected += data

    def _calls(self, pid: int) -> None:
        read, pidfd_open, getfd, kcmp = _NUMBERS
        buffer = ctypes.create_string_buffer(64)
        pair = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 64)
        far = (ctypes.c_size_t * 2)(0x400000, 64)
        self._call("process_vm_readv", read, pid, pair, 1, far, 1, 0)
        self._call("kcmp", kcmp, os.getpid(), pid, 0, 0, 0)
        with suppress(OSError):
            os.close(os.open(f"/proc/{pid}/oom_score_adj", os.O_WRONLY))
            self.allowed.add("oom_score_adj")
        descriptor = _LIBC.syscall(pidfd_open, pid, 0)
        if descriptor >= 0:
            for number in range(32):
                stolen = self._call("pidfd_getfd", getfd, descriptor, number, 0)
                if stolen >= 0:
                    os.close(stolen)
            os.close(descriptor)
        for name, request in (("ptrace attach", _PTRACE_ATTACH), ("ptrace seize", _PTRACE_SEIZE)):
            self.tries += 1
            if _LIBC.ptrace(request, pid, None, None) == 0:
                self.allowed.add(name)
                _LIBC.ptrace(_PTRACE_INTERRUPT, pid, None, None)  # one that runs cannot be let go of
                with suppress(OSError):
                    os.waitpid(pid, _WALL)
                _LIBC.ptrace(_PTRACE_DETACH, pid, None, None)

    def _call(self, name: str, *arguments: object) -> int:
        ctypes.set_errno(0)
        self.tries += 1
        # A number of 32 bits would leave the upper half of its register as it was.
        wide = (ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)
        result = int(_LIBC.syscall(*wide))
        # A wrong address or descriptor is looked at only once the caller may look at all.
        if result >= 0 or ctypes.get_errno() not in {_EPERM, _ESRCH, _ENOSYS}:
            self.allowed.add(name)
        return result

    def bind(self, ports: list[int]) -> list[int]:
        bound = []
        for port in ports:
            with socket.socket() as one, suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                one.bind(("127.0.0.1", port))
                one.listen()
                bound.append(port)
        return bound

    def search(self, secrets: list[bytes]) -> None:
        self._note(bytes(self.collected), secrets, "files")
        for pid, memory in self.memories.items():
            maps = b""
            while pid in self.maps and (piece := os.read(self.maps[pid], _PIECE)):
                maps += piece
            for span, rights in re.findall(rb"^([0-9a-f]+-[0-9a-f]+) (....)", maps, re.MULTILINE):
                start, end = (int(number, 16) for number in span.split(b"-"))
                if rights.startswith(b"rw") and end - start <= _LARGEST_REGION:
                    with suppress(OSError, OverflowError):
                        self._note(os.pread(memory, end - start, start), secrets, "memory")

    def _note(self, data: bytes, secrets: list[bytes], where: str) -> None:
        for number, secret in enumerate(secrets):
            if secret in data:
                self.found.add(f"{where} {number}")


def _has_memory(descriptor: int) -> bool:
    """Says whether there is anything behind it: of a process that is just ending the kernel opens both, and empty."""
    try:
        return bool(os.pread(descriptor, 1, 0))
    except OSError:
        return True  # of a memory: nothing is mapped at 0


def main() -> None:
    attack = _Attack(sys.argv[1].encode())
    _say("ready")
    while not select.select((sys.stdin,), (), (), 0)[0]:
        attack.once()
    asked = json.loads(sys.stdin.readline() or '{"secrets": [], "ports": []}')
    attack.walked.clear()
    attack.once()
    attack.search([bytes.fromhex(secret) for secret in asked["secrets"]])
    got = {
        "readable": sorted(attack.readable),
        "allowed": sorted(attack.allowed),
        "found": sorted(attack.found),
        "bound": attack.bind(asked["ports"]),
        "victims": len(attack.victims),
        "tries": attack.tries,
    }
    _say(json.dumps(got))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


main()
