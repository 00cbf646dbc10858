"""Confines itself in one way or another and then tries things, as a program of its own.

Its arguments are what to do, the user to be, and a folder. It prints what came of it as one JSON object. What is tried
here is written without the agent's own attempts.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import mmap
import os
import signal
import socket
import struct
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from leadglass_agent.sandbox import confine, landlock, seccomp
from leadglass_agent.sandbox.attempts import attempt_all
from leadglass_agent.sandbox.posture import Role
from leadglass_agent.sandbox.resolving import (
    HOW_ADDRESSES,
    HOW_BYTES,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    how_address,
)
from leadglass_agent.sandbox.syscalls import NUMBERS, this_arch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
_LIBC.mmap.restype = ctypes.c_void_p
_LANDLOCK: Final = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_PR_SET_DUMPABLE: Final = 4
_KEPT: Final[list[object]] = []  # buffers that the kernel reads from


def _number(name: str) -> int:
    arch = this_arch()
    assert arch is not None
    return NUMBERS[arch][name]


def _answering(names: tuple[str, ...], error: int) -> bytes:
    """Makes a program that answers some calls with an error number, or with success and nothing done for 0."""
    steps = [(0x20, 0, 0, 0)]
    for name in names:
        steps += [(0x15, 0, 1, _number(name)), (0x06, 0, 0, _ERRNO | error)]
    steps.append((0x06, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _errno(call: Callable[[], object]) -> int:
    """Gives the error number of a call, and 0 if it went through."""
    try:
        call()
    except OSError as error:
        return error.errno or -1
    return 0


def _raw(name: str, *arguments: object) -> int:
    answer = _LIBC.syscall(ctypes.c_long(_number(name)), *arguments)
    return ctypes.get_errno() if answer == -1 else 0


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)
    os.wait()


def _vfork() -> None:
    os.waitpid(os.posix_spawn("/proc/self/exe", ["python", "-c", ""], {}), 0)


def _connect() -> None:
    with socket.socket() as one:
        one.connect(("127.0.0.1", 9))


def _bind() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))


def _everything(folder: Path) -> dict[str, int]:
    """Tries what a shell would, with Python's own calls."""
    file = folder / "file"
    own = os.getpid()
    tried: Mapping[str, Callable[[], object]] = {
        "exec": lambda: os.execv("/proc/self/exe", ["python", "-c", ""]),  # noqa: S606 - whether it can is the question
        "fork": _fork,
        "spawn": _vfork,
        "socket": socket.socket,
        "udp": lambda: socket.socket(type=socket.SOCK_DGRAM),
        "unix": lambda: socket.socket(socket.AF_UNIX),
        "pair of datagrams": lambda: socket.socketpair(type=socket.SOCK_DGRAM),
        "connect": _connect,
        "bind": _bind,
        "kill": lambda: os.kill(own, 0),
        "kill the parent": lambda: os.kill(os.getppid(), 0),
        "ptrace": lambda: _fail(_raw("ptrace", 0x4206, own, 0, 0)),  # PTRACE_SEIZE
        "memory": lambda: _fail(_raw("process_vm_readv", own, None, 0, None, 0, 0)),
        "memory file": lambda: os.open("/proc/self/mem", os.O_RDWR),
        "write": lambda: os.open(file, os.O_WRONLY),
        "append": lambda: os.open(file, os.O_RDWR | os.O_APPEND),
        "create": lambda: os.open(folder / "new", os.O_RDONLY | os.O_CREAT, 0o600),
        "truncate by opening": lambda: os.open(file, os.O_RDONLY | os.O_TRUNC),
        "truncate": lambda: os.truncate(file, 0),
        "tmpfile": lambda: os.open(folder, os.O_RDWR | os.O_TMPFILE, 0o600),
        "chmod": lambda: file.chmod(0o777),
        "chown": lambda: os.chown(file, os.getuid(), os.getgid()),
        "utime": lambda: os.utime(file),
        "xattr": lambda: os.setxattr(file, "user.x", b"x"),
        "rename": lambda: file.rename(folder / "other"),
        "link": lambda: (folder / "hard").hardlink_to(file),
        "symlink": lambda: (folder / "soft").symlink_to(file),
        "unlink": (folder / "victim").unlink,
        "mkdir": (folder / "made").mkdir,
        "fifo": lambda: os.mkfifo(folder / "fifo"),
        "executable memory": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC),
        "memfd": lambda: os.memfd_create("x"),
        "pidfd": lambda: os.pidfd_open(own),
        "nice": lambda: os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0)),
        "setuid": lambda: os.setuid(os.getuid()),
        "own signals": lambda: fcntl.fcntl(0, fcntl.F_SETOWN, own),
        "openat2 with a struct of its own": _own_struct,
    }
    return {name: _errno(call) for name, call in tried.items()}


def _fail(number: int) -> None:
    if number:
        raise OSError(number, os.strerror(number))


def _own_struct() -> None:
    how = struct.pack("=QQQ", os.O_RDONLY, 0, 0)
    _fail(_raw("openat2", ctypes.c_int(-100), b"/", ctypes.c_char_p(how), ctypes.c_size_t(24)))


def _folder(user: int, within: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="confined-", dir=within))
    for name in ("file", "victim"):
        (folder / name).write_text("content\n", encoding="ascii")
        os.chown(folder / name, user, -1)
    os.chown(folder, user, -1)
    return folder


def _confined(role: Role, folder: Path) -> confine.Reached:
    match role:
        case Role.SUPERVISOR:
            return confine.confine_supervisor()
        case Role.READER:
            return confine.confine_reader()
        case Role.SEALER:
            return confine.confine_sealer()
        case Role.DIALLER:
            return confine.confine_dialler()
        case Role.FILE_WORKER:
            return confine.confine_file_worker(os.open(folder, os.O_PATH))
        case Role.FRONT:
            return confine.confine_front(confine.fence_front(confine.FrontPaths((), (str(folder / "audit"),))))


def _said(reached: confine.Reached) -> dict[str, object]:
    return {"level": reached.level.value, "abi": reached.landlock_abi, "reason": reached.reason}


def _role(role: str, folder: Path) -> dict[str, object]:
    status = os.open("/proc/self/status", os.O_RDONLY)
    reached = _confined(Role(role), folder)
    attempts = {tried.attempt.value: tried.errno for tried in attempt_all(Role(role))}
    read = (folder / "file").open("rb").read() if role != "FRONT" else b""
    return _said(reached) | {
        "attempts": attempts,
        "tried": _everything(folder),
        "read": read.decode(),
        "status": os.read(status, 8192).decode(),
    }


def _under(answers: tuple[str, ...], error: int, role: str, folder: Path) -> dict[str, object]:
    """Confines itself under a filter of somebody else's, as a container runtime's profile is one."""
    seccomp.install(_answering(answers, error), tsync=False)
    try:
        return _said(_confined(Role(role), folder)) | {"abi asked": landlock.abi()}
    except confine.NotConfined as refused:
        return {"refused": str(refused)}


def _threads(folder: Path) -> dict[str, object]:
    """Has a thread before it is filtered, and starts another afterwards."""
    asked, answered = threading.Event(), threading.Event()
    found: dict[str, object] = {}

    def before() -> None:
        asked.wait()
        found["before"] = _errno(socket.socket)
        answered.set()

    version = confine.fence_front(confine.FrontPaths((), (str(folder),)))
    threading.Thread(target=before).start()
    confine.confine_front(version)
    found["filters"] = [
        int(line.split()[1])
        for task in Path("/proc/self/task").iterdir()
        for line in (task / "status").read_text().splitlines()
        if line.startswith("Seccomp_filters")
    ]
    asked.set()
    answered.wait()
    after = threading.Thread(target=lambda: found.setdefault("after", _errno(_fork)))
    after.start()
    after.join()
    found["clone3"] = _raw("clone3", None, 0)
    return found


def _late_fence(folder: Path) -> dict[str, object]:
    """Enters a Landlock domain when there is a second thread already."""
    end = threading.Event()
    threading.Thread(target=end.wait).start()
    try:
        confine.fence_front(confine.FrontPaths((), (str(folder),)))
    except confine.NotConfined as refused:
        return {"refused": str(refused)}
    finally:
        end.set()
    return {}


def _pinned(folder: Path) -> dict[str, object]:
    """Resolves a path by the pinned structs, and tries everything that could change what they say."""
    root = os.open(folder, os.O_PATH)
    confine.confine_file_worker(root)
    how = how_address(os.O_PATH | os.O_CLOEXEC, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    page = HOW_ADDRESSES[0] & ~4095
    far = page - (1 << 31)
    word = ctypes.c_ulong
    file = os.open(folder / "file", os.O_RDONLY)
    return {
        "opened": _raw("openat2", root, b"/file", word(how), word(HOW_BYTES)),
        "protect": _raw("mprotect", word(page), word(4096), word(3)),
        "protect from below": _raw("mprotect", word(far), word((1 << 31) + 4096), word(3)),
        "unmap": _raw("munmap", word(page), word(4096)),
        "unmap from below": _raw("munmap", word(far - 4096), word(1 << 32)),
        "replace": _raw("mmap", word(page), word(4096), word(3), word(0x32), word(2**64 - 1), word(0)),
        "move": _raw("mremap", word(page), word(4096), word(8192), word(1), word(0)),
        "move onto": _raw("mremap", word(0x7000_0000_0000), word(4096), word(4096), word(3), word(page)),
        "read into": _raw("read", file, word(page), word(24)),
        "other size": _raw("openat2", root, b"/file", word(how), word(HOW_BYTES + 8)),
        "between": _raw("openat2", root, b"/file", word(how + 8), word(HOW_BYTES)),
    }


def _front(folder: Path) -> dict[str, object]:
    """Does what the front does: writes its log, reads certificates that are swapped under it, imports what it needs."""
    log, tls = folder / "audit", folder / "tls"
    log.mkdir()
    for generation in ("..1", "..2"):
        (tls / generation).mkdir(parents=True)
        (tls / generation / "tls.crt").write_text(generation)
    (tls / "..data").symlink_to("..1")
    (tls / "tls.crt").symlink_to("..data/tls.crt")
    swap, swapped = os.pipe()
    done, says_done = os.pipe()
    if os.fork() == 0:  # the kubelet
        os.close(swapped)  # so that it ends, too, if its parent does
        if not os.read(swap, 1):
            os._exit(1)
        (tls / "..next").symlink_to("..2")
        (tls / "..next").replace(tls / "..data")
        os.write(says_done, b"x")
        os._exit(0)
    reached = confine.confine_front(confine.fence_front(confine.FrontPaths((str(tls),), (str(log),))))
    first = (tls / "tls.crt").read_text()
    os.write(swapped, b"x")
    os.read(done, 1)
    second = (tls / "tls.crt").read_text()
    (log / "part").write_text("record")
    (log / "part").rename(log / "whole")
    (log / "folder").mkdir()
    (log / "whole").rename(log / "folder" / "whole")
    (log / "folder" / "whole").unlink()
    (log / "folder").rmdir()
    if os.access(os.__file__, os.R_OK):  # an ordinary user may not see where Python lies on a test machine
        import wave  # noqa: F401, PLC0415 - a module that nothing here has imported yet

    return _said(reached) | {
        "read": [first, second],
        "own status": Path("/proc/self/status").read_text().startswith("Name:"),
        "imported": "wave" in sys.modules or not os.access(os.__file__, os.R_OK),
        "random": len(Path("/dev/urandom").open("rb").read(8)),
        "outside": _errno((folder / "file").read_text),
        "make outside": _errno((folder / "made").mkdir),
        "write outside": _errno(lambda: (folder / "file").write_text("x")),
        "rename to outside": _errno(lambda: (log / "none").rename(folder / "none")),
        "write what is read": _errno(lambda: (tls / "..1" / "tls.crt").write_text("x")),
        "other environ": _errno(lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes()),
        "to connect": _errno(_connect),
    }


def _supervisor(folder: Path) -> dict[str, object]:
    """Does what the supervisor does: forks, connects, kills, and its children confine themselves."""
    confine.confine_supervisor()
    children: dict[str, object] = {}
    for role in (Role.FILE_WORKER, Role.SEALER, Role.READER):
        ours, theirs = os.pipe()
        if os.fork() == 0:
            os.write(theirs, json.dumps(_role(role.value, folder)).encode())
            os._exit(0)
        os.close(theirs)
        with os.fdopen(ours, "rb") as pipe:
            children[role.value] = json.loads(pipe.read())
        os.wait()
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    stopped = _errno(lambda: os.kill(child, signal.SIGSTOP))
    everybody = _errno(lambda: os.kill(-1, 0))
    os.kill(child, signal.SIGKILL)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {
        "children": children,
        "connect": _errno(_connect),
        "stop": stopped,
        "everybody": everybody,
        "ended": ended,
        "tried": _everything(folder),
    }


def _ends(how: str) -> dict[str, object]:
    """Ends in a way that a confined process may end in; gives the exit status of a forked copy that did."""
    child = os.fork()
    if child == 0:
        confine.confine_reader()
        if how == "abort":
            os.abort()
        if how == "x32":
            _LIBC.syscall(ctypes.c_long(39 | 0x40000000))
        os._exit(7)
    return {"status": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}


def _memory() -> dict[str, object]:
    """Reads the memory of another process as a reader."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        confine.confine_reader()
        memory = os.open(f"/proc/{os.getppid()}/mem", os.O_RDONLY)
        found = {
            "read": _errno(lambda: os.read(memory, 64)),
            "pread": _errno(lambda: os.pread(memory, 64, id(_KEPT))),
            "seek": _errno(lambda: os.lseek(memory, id(_KEPT), os.SEEK_SET)),
            "preadv": _errno(lambda: os.preadv(memory, [bytearray(64)], id(_KEPT))),
        }
        os.write(theirs, json.dumps(found).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        answer: dict[str, object] = json.loads(pipe.read())
    os.wait()
    return answer


def _main(how: str, user: int, within: str) -> dict[str, object]:
    folder = _folder(user, Path(within))
    if user != os.getuid():
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        _LIBC.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # as a program that this user started
    name, _, further = how.partition(":")
    answer: dict[str, Callable[[], dict[str, object]]] = {
        "role": lambda: _role(further, folder),
        "no-landlock": lambda: _under(_LANDLOCK, errno.ENOSYS, further, folder),
        "landlock-refused": lambda: _under(_LANDLOCK, errno.EPERM, further, folder),
        "domain-refused": lambda: _under(("landlock_restrict_self",), errno.EPERM, further, folder),
        "no-seccomp": lambda: _under(("seccomp",), errno.EPERM, further, folder),
        "false-seccomp": lambda: _under(("seccomp",), 0, further, folder),
        "false-landlock": lambda: _under(("landlock_restrict_self",), 0, further, folder),
        "threads": lambda: _threads(folder),
        "late-fence": lambda: _late_fence(folder),
        "pinned": lambda: _pinned(folder),
        "front": lambda: _front(folder),
        "supervisor": lambda: _supervisor(folder),
        "ends": lambda: _ends(further),
        "memory": _memory,
    }
    return answer[name]()


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        print(json.dumps(_main(sys.argv[1], int(sys.argv[2]), sys.argv[3])), flush=True)  # noqa: T201 - what the test reads
    os._exit(0)
