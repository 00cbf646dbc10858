"""Tries random operations as random processes on random trees, and compares the kernel's answers with the engine's.

Run as a program by root: `python access_trials.py SEED TREES` prints what was compared as JSON. Mounts and trees live
in a mount namespace of its own, and end with it.
"""

from __future__ import annotations

import errno
import json
import os
import random
import socket
import stat
import struct
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from access_trees import GIDS, LIBC, MS_PRIVATE, MS_REC, UIDS, checked, clear, mount, plant
from leadglass_agent.views import procfs
from leadglass_agent.views.access.credentials import read_credentials, read_settings
from leadglass_agent.views.access.decide import decide, follows_last
from leadglass_agent.views.access.model import Allowed, Caveat, Denied, Operation, Rule
from leadglass_agent.views.access.walk import walk_path
from leadglass_agent.views.paths import TargetRoot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from access_trees import Tree
    from leadglass_agent.views.access.model import Credentials, Verdict

_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_PR_SET_KEEPCAPS: Final = 8
_CAPABILITY_VERSION_3: Final = 0x20080522
_OVERRIDE, _SEARCH, _FOWNER = 1 << 1, 1 << 2, 1 << 3
_KEPT: Final = (0, 0, 0, _OVERRIDE, _SEARCH, _FOWNER, _OVERRIDE | _FOWNER, _SEARCH | _FOWNER)
_BASE: Final = Path("/mnt")
_TRIES: Final = 24  # operations on one tree
_MADE, _IN_NAMESPACE, _OTHER_FSUID = 0.7, 0.2, 0.1  # how often

# What the kernel says where a rule says no.
_ERRNO: Final[dict[Rule, int]] = {
    Rule.OWNER_BITS: errno.EACCES,
    Rule.GROUP_BITS: errno.EACCES,
    Rule.OTHER_BITS: errno.EACCES,
    Rule.ACL_USER: errno.EACCES,
    Rule.ACL_GROUP: errno.EACCES,
    Rule.ACL_MASK: errno.EACCES,
    Rule.NO_EXECUTE_BIT: errno.EACCES,
    Rule.READ_ONLY: errno.EROFS,
    Rule.NOEXEC: errno.EACCES,
    Rule.NODEV: errno.EACCES,
    Rule.NOSYMFOLLOW: errno.ELOOP,
    Rule.IMMUTABLE: errno.EPERM,
    Rule.APPEND_ONLY: errno.EPERM,
    Rule.STICKY: errno.EPERM,
    Rule.PROTECTED_SYMLINK: errno.EACCES,
    Rule.MOUNT_POINT: errno.EBUSY,
    Rule.NO_SUCH_FILE: errno.ENOENT,
    Rule.EXISTS: errno.EEXIST,
    Rule.NOT_A_DIRECTORY: errno.ENOTDIR,
    Rule.IS_A_DIRECTORY: errno.EISDIR,
    Rule.NOT_A_PROGRAM: errno.EACCES,
    Rule.SOCKET: errno.ENXIO,
    Rule.TOO_MANY_LINKS: errno.ELOOP,
    Rule.NAME_TOO_LONG: errno.ENAMETOOLONG,
}


class _Trial:
    """One agent's eyes for all trees: what it reads of processes, and what was met and was wrong."""

    def __init__(self) -> None:
        self._proc = procfs.open_proc()
        self._settings = read_settings(self._proc)
        self.seen: Counter[str] = Counter()
        self.wrong: list[str] = []

    def of_tree(self, chance: random.Random, tree: Tree) -> None:
        """Starts a random process, and compares verdicts with what it meets."""
        here, there = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            here.close()
            _be_somebody(chance, there)
        there.close()
        try:
            if here.recv(1) == b"u":
                _map_ids(chance, pid)
                here.sendall(b"m")
                here.recv(1)
            with procfs.open_process(self._proc, pid) as process:
                who = read_credentials(self._proc, process)
                root = TargetRoot(procfs.open_root(process))
            for _ in range(_TRIES):
                self._one(chance, tree, here, root, who)
            os.close(root.fd)
        finally:
            here.close()
            os.waitpid(pid, 0)

    def _one(
        self, chance: random.Random, tree: Tree, process: socket.socket, root: TargetRoot, who: Credentials
    ) -> None:
        operation, path = chance.choice(list(Operation)), chance.choice(tree.paths)
        if operation is Operation.CREATE and chance.random() < _MADE:
            path = f"{path}/made"
        walk = walk_path(root, path.encode(), follow=follows_last(operation))
        verdict = decide(who, self._settings, operation, walk)
        process.sendall(f"{operation} {path}\n".encode())
        got, protected = struct.unpack("ii", process.recv(8))
        self.seen[f"{type(verdict).__name__} {getattr(verdict, 'rule', '')}".strip()] += 1
        fault = _fault(verdict, got, protected)
        if fault:
            self.wrong.append(f"{fault}: {operation} {path} by {who}: {verdict}"[:1_200])


def main() -> None:
    """Compares on as many trees as asked for."""
    seed, trees = int(sys.argv[1]), int(sys.argv[2])
    checked(LIBC.unshare(_CLONE_NEWNS))
    mount("none", Path("/"), None, MS_REC | MS_PRIVATE)
    mount("tmpfs", _BASE, "tmpfs", 0)
    _BASE.chmod(0o755)
    os.umask(0)
    trial = _Trial()
    for number in range(trees):
        # Each tree has a seed of its own, so that one can be tried alone.
        chance = random.Random(f"{seed}/{number}")  # noqa: S311 - to be drawn the same again, not to be secret
        tree = plant(chance, _BASE / str(number))
        trial.of_tree(chance, tree)
        clear(tree)
    found = {"seen": trial.seen, "wrong": trial.wrong[:20], "wrong_count": len(trial.wrong)}
    json.dump(found, sys.stdout)


def _fault(verdict: Verdict, got: int, protected: int) -> str:
    """Says in which way a verdict and the kernel's answer differ; empty if they agree."""
    match verdict:
        case Allowed() if got == errno.ENOTEMPTY and Caveat.MUST_BE_EMPTY in verdict.caveats:
            return ""
        case Allowed() if got:
            return f"yes, but {errno.errorcode[got]}"
        case Allowed():
            is_refused = protected == errno.EACCES
            agrees = (Caveat.PROTECTED_OPEN in verdict.caveats) == is_refused
            return "" if agrees else f"another answer to an open that creates: {protected}"
        case Denied() if not got:
            return "no, but it went through"
        case Denied():
            return "" if got in _errnos(verdict.rule) else f"no for another reason: {errno.errorcode[got]}"
        case _:
            return "unknown"


def _errnos(rule: Rule) -> frozenset[int]:
    if rule is Rule.USER_NAMESPACE:
        return frozenset({errno.EACCES, errno.EPERM})
    if rule is Rule.MOUNT_POINT:
        # The sticky bit is asked first, about what lies under the mount, which nobody sees.
        return frozenset({errno.EBUSY, errno.EPERM})
    return frozenset({_ERRNO[rule]})


def _be_somebody(chance: random.Random, there: socket.socket) -> NoReturn:
    """Becomes a random process and tries what it is told, until the channel ends."""
    try:
        _become(chance, there)
        there.sendall(b"r")
        for line in there.makefile("rb", buffering=0):
            operation, _, path = line.decode().rstrip("\n").partition(" ")
            there.sendall(struct.pack("ii", *_answers(Operation(operation), path)))
    except BaseException as error:  # noqa: BLE001 - a copy of the program must not go on as the program
        os.write(2, f"the process failed: {error!r}\n".encode())
        os._exit(1)
    os._exit(0)


def _become(chance: random.Random, there: socket.socket) -> None:
    uid, gid = chance.choice(UIDS), chance.choice(GIDS)
    groups = chance.sample(GIDS, chance.choice((0, 0, 1, 2)))
    if chance.random() < _IN_NAMESPACE:
        checked(LIBC.unshare(_CLONE_NEWUSER))
        there.sendall(b"u")
        there.recv(1)
        # Inside, the three ids of the map are 0 to 2.
        uid, gid, groups = chance.randrange(3), chance.randrange(3), [chance.randrange(3)]
    checked(LIBC.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    _set_capabilities(int(text.partition("CapPrm:")[2].split()[0], 16))
    if chance.random() < _OTHER_FSUID:
        LIBC.setfsuid(1 if uid == 0 else 0)
    _set_capabilities(chance.choice(_KEPT))


def _answers(operation: Operation, path: str) -> tuple[int, int]:
    """Gives what the kernel says to it, and for a write that goes through, what it says to one that would create."""
    got = _tried(lambda: _DO[operation](path))
    if operation is not Operation.WRITE:
        return got, 0
    if got == errno.ENXIO and stat.S_ISFIFO(_mode(path)):
        got = 0  # a pipe that nobody reads says so once its permissions have said yes
    return got, 0 if got else _tried(lambda: _open(path, os.O_WRONLY | os.O_CREAT))


def _tried(act: Callable[[], None]) -> int:
    try:
        act()
    except OSError as error:
        return error.errno or -1
    return 0


def _open(path: str, flags: int) -> None:
    os.close(os.open(path, flags | os.O_NONBLOCK, 0o600))


def _run(path: str) -> None:
    os.waitpid(os.posix_spawn(path, [path], {}), 0)


def _create(path: str) -> None:
    _open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    # What was made in an append-only directory stays.
    with suppress(PermissionError):
        Path(path).unlink()


def _delete(path: str) -> None:
    try:
        Path(path).unlink()
    except IsADirectoryError:
        Path(path).rmdir()


_DO: Final[Mapping[Operation, Callable[[str], None]]] = {
    Operation.READ: lambda path: _open(path, os.O_RDONLY),
    Operation.WRITE: lambda path: _open(path, os.O_WRONLY),
    Operation.EXECUTE: _run,
    Operation.LIST: lambda path: _open(path, os.O_RDONLY | os.O_DIRECTORY),
    Operation.ENTER: os.chdir,
    Operation.CREATE: _create,
    Operation.DELETE: _delete,
}


def _mode(path: str) -> int:
    with suppress(OSError):
        return Path(path).stat().st_mode
    return 0


def _map_ids(chance: random.Random, pid: int) -> None:
    """Maps three ids of those that own files into a process' new user namespace."""
    for kind, ids in (("uid", UIDS), ("gid", GIDS)):
        lines = "".join(f"{inside} {outside} 1\n" for inside, outside in enumerate(chance.sample(ids, 3)))
        Path(f"/proc/{pid}/{kind}_map").write_text(lines, encoding="ascii")


def _set_capabilities(held: int) -> None:
    """Keeps these capabilities as permitted and effective ones."""
    low, high = held & 0xFFFFFFFF, held >> 32
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    checked(LIBC.capset(header, struct.pack("6I", low, low, 0, high, high, 0)))


if __name__ == "__main__":
    main()
