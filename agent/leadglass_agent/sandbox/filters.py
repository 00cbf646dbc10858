"""The allow-list of each role: what a process may ask of the kernel once it is confined. All else is refused.

The lists come from traces of the running agent on glibc, and from the sources of musl where it asks differently. Calls
that aarch64 lacks are those of older C libraries on x86_64. What a reader sees here is what the kernel enforces.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, assert_never

from leadglass_agent.sandbox.posture import Role
from leadglass_agent.sandbox.resolving import HOW_ADDRESSES, HOW_BYTES, PINNED_WORD
from leadglass_agent.sandbox.rules import INT, LONG, Bits, Filter, always, bits, union, when

if TYPE_CHECKING:
    from leadglass_agent.sandbox.rules import Rule

# include/uapi/asm-generic/fcntl.h: the same on both architectures.
_TMPFILE: Final = 0o20000000  # __O_TMPFILE, without the O_DIRECTORY that comes with it
_CHANGING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | _TMPFILE
_ACCESS: Final = os.O_WRONLY | os.O_RDWR
_PRIVATE_MODE: Final = 0o600
# include/uapi/asm-generic/mman-common.h
_WRITABLE: Final = 2
_EXECUTABLE: Final = 4
_MAP_FIXED: Final = 0x10
_MREMAP_FIXED: Final = 2
_FULL_LENGTH: Final = LONG ^ 0x7FFF_FFFF  # no bit of it: shorter than 2 GiB
# include/uapi/linux/sched.h: what pthread_create of glibc asks for, and that of musl (CLONE_DETACHED besides).
_THREAD: Final = (0x3D0F00, 0x7D0F00)
_FORK: Final = (0x1200011, 0x11)  # fork of glibc and of musl
_OWN_LIMITS: Final = (1, 7)  # RLIMIT_FSIZE, RLIMIT_NOFILE
_UNIX: Final = 1
_SOCKET_TYPE: Final = 0xF  # SOCK_TYPE_MASK, include/linux/net.h
_STREAM: Final = 1
_ADDRESS_TAG: Final = 0xFF << 56  # aarch64 takes the first byte off before it looks
_MFD_CLOEXEC: Final = 1
_SOL_SOCKET: Final = 1
_SO_SNDBUF: Final = 7
_INTERNET: Final = (2, 10)  # AF_INET and AF_INET6
_FASTOPEN: Final = 0x2000_0000  # MSG_FASTOPEN: sends and connects at once
# include/uapi/linux/prctl.h: names of threads and of memory, and questions.
_PR_NAMES: Final = (15, 16, 0x53564D41)
_PR_ASKS: Final = (2, 3, 21, 39)  # PDEATHSIG, DUMPABLE, SECCOMP, NO_NEW_PRIVS
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_SIGNALS: Final = (0, 9, 15, 18)  # none, SIGKILL, SIGTERM, SIGCONT
_MAX_PID: Final = (1 << 22) - 1  # PID_MAX_LIMIT, include/linux/threads.h; what is above is negative: a group, or all
# SOL_IP, SOL_SOCKET, SOL_TCP, SOL_IPV6; options of less use to us, such as kernel TLS and packet filters, are refused.
_SOCKET_LEVELS: Final = (0, 1, 6, 41)
# TCP_NODELAY, SO_REUSEADDR, SO_SNDBUF, SO_RCVBUF, SO_KEEPALIVE, SO_RCVLOWAT, TCP_USER_TIMEOUT, SO_RCVTIMEO,
# SO_SNDTIMEO, TCP_INQ; on the level of IP addresses they mean what needs no privilege, either. Not SO_LINGER: whoever
# closes such a socket waits, and the front hands sockets to the supervisor.
_SOCKET_OPTIONS: Final = (1, 2, 7, 8, 9, 18, 20, 21, 36)
_FCNTL: Final = (0, 1, 2, 3, 4, 1030)  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC
# TCGETS and TIOCGWINSZ (is it a terminal? of glibc and musl), FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
_IOCTL: Final = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)

_CLOCK: Final = always("clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time")
_SIGNAL_HANDLING: Final = always(
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall", "rt_sigtimedwait", "pause"
)
_IDENTITY: Final = always(
    "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getgroups", "getresuid", "getresgid"
)
_SELF: Final = (
    always("uname", "sysinfo", "getrusage", "getcpu", "sched_yield", "sched_getaffinity", "getpriority")
    # Without these two, abseil fills standard error.
    + always("sched_getparam", "sched_getscheduler", "getrandom", "exit", "exit_group", "umask", "getrlimit")
    + always("futex", "futex_waitv", "set_robust_list", "set_tid_address", "rseq", "membarrier", "brk", "madvise")
    + when("prlimit64", bits(2, LONG, 0))  # to ask for limits, not to set them
    + when("prctl", bits(0, INT, *_PR_NAMES, *_PR_ASKS))
)
_WAITING: Final = always(
    "poll", "ppoll", "select", "pselect6", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2",
    "eventfd2", "pipe2",
)  # fmt: skip
_DESCRIPTORS: Final = (
    always("read", "readv", "write", "writev", "close", "close_range", "dup", "dup2", "dup3")
    + when("fcntl", bits(1, INT, *_FCNTL))
    + when("ioctl", bits(1, INT, *_IOCTL))
)
_LIVING: Final = union(_CLOCK, _SIGNAL_HANDLING, _IDENTITY, _SELF, _WAITING, _DESCRIPTORS)

_LOOKING: Final = always(
    "fstat", "newfstatat", "statx", "stat", "lstat", "statfs", "fstatfs", "getdents64", "readlink", "readlinkat",
    "access", "faccessat", "faccessat2", "getcwd",
)  # fmt: skip
_READ_OPENS: Final = (
    *when("openat", bits(2, INT & _CHANGING, 0)),
    *when("open", bits(1, INT & _CHANGING, 0)),
)
# Its flags lie behind a pointer, which no filter can follow: so the pointer itself is one of a few, and what it points
# to can be neither written nor replaced (see resolving.py).
_PINNED_OPENS: Final = when("openat2", bits(2, LONG, *HOW_ADDRESSES), bits(3, LONG, HOW_BYTES))

_PLAIN_PROTECTION: Final = (0, 1, 2, 3)  # neither PROT_EXEC nor PROT_GROWSDOWN and the like
_PLAIN_MEMORY: Final = (
    *always("munmap", "mremap"),
    *when("mmap", bits(2, LONG, *_PLAIN_PROTECTION)),
    *when("mprotect", bits(2, LONG, *_PLAIN_PROTECTION)),
)
# The same, and nothing that could reach the page of open_how: its 4 GiB are not named, and what is shorter than 2 GiB
# and begins below them ends before it. A mapping without MAP_FIXED takes nobody's place.
_PLACE: Final = LONG ^ INT ^ _ADDRESS_TAG
_NOT_PINNED: Final = (Bits(0, _PLACE, frozenset({PINNED_WORD}), outside=True), bits(1, _FULL_LENGTH, 0))
_PINNED_PLACES: Final = (
    *when("munmap", *_NOT_PINNED),
    *when("mremap", *_NOT_PINNED, bits(3, LONG & _MREMAP_FIXED, 0)),
)
_PINNED_MEMORY: Final = (
    *_PINNED_PLACES,
    *when("mmap", bits(2, LONG, *_PLAIN_PROTECTION), bits(3, LONG & _MAP_FIXED, 0)),
    *when("mprotect", bits(2, LONG, *_PLAIN_PROTECTION), *_NOT_PINNED),
)

# Ends that are connected already: nothing here can name another place to send to. So a pair is a stream, since one of
# datagrams (also under the name of SOCK_RAW) sends to whatever socket a message names. unix(7)
_CHANNEL: Final = (
    *always("recvfrom", "recvmsg", "shutdown", "getsockname", "getpeername", "getsockopt"),
    *when("sendto", bits(3, INT & _FASTOPEN, 0), bits(5, INT, 0)),
    *when("sendmsg", bits(2, INT & _FASTOPEN, 0)),
    *when("socketpair", bits(0, INT, _UNIX), bits(1, INT & _SOCKET_TYPE, _STREAM)),
    *when("setsockopt", bits(1, INT, _SOL_SOCKET), bits(2, INT, _SO_SNDBUF)),  # room for the largest frame
)

# Reads /proc. No pread64 and no lseek: a file can be read from its beginning alone, where /proc/PID/mem has nothing.
_READER: Final = union(_LIVING, _LOOKING, _READ_OPENS, _PINNED_MEMORY, _CHANNEL)
# Reads the environment of one process, as the reader does.
_SEALER: Final = _READER
# Looks up a name, which parses what some name server answers, makes one connection, and is gone.
_NETWORK: Final = (
    *when("socket", bits(0, INT, *_INTERNET)),
    *always("connect", "bind", "sendmmsg", "recvmmsg"),  # bind and the like: names are looked up over UDP
    *when("setsockopt", bits(1, INT, *_SOCKET_LEVELS), bits(2, INT, *_SOCKET_OPTIONS)),
)
_DIALLER: Final = union(_READER, _NETWORK, always("lseek", "sendto", "alarm", "setitimer"))
# The access control list of a file is had by its name alone, in its directory.
_ACCESS_LISTS: Final = always("fchdir", "lgetxattr")
_FILE_WORKER: Final = union(_READER, _PINNED_OPENS, _ACCESS_LISTS, always("pread64", "lseek"))

# Speaks gRPC on many threads and writes the audit log. Where it may open for writing is Landlock's to say.
_FRONT: Final = union(
    _LIVING,
    _LOOKING,
    _READ_OPENS,
    _PLAIN_MEMORY,
    _CHANNEL,
    when("openat", bits(2, INT & _ACCESS, os.O_WRONLY, os.O_RDWR), bits(2, INT & _TMPFILE, 0)),
    when("open", bits(1, INT & _ACCESS, os.O_WRONLY, os.O_RDWR), bits(1, INT & _TMPFILE, 0)),
    always("lseek", "pread64", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate", "fadvise64", "flock"),
    always("mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir"),
    when("fchmod", bits(1, INT, _PRIVATE_MODE)),
    # Its own limits of file sizes and descriptors, which an app of its user may lower: the log's last words need them.
    when("prlimit64", bits(0, INT, 0), bits(1, INT, *_OWN_LIMITS)),
    # The page of metrics: Python's TLS takes a key from a file alone, and this one lies on no disk.
    when("memfd_create", bits(1, INT, _MFD_CLOEXEC)),
    always("accept", "accept4", "recvmmsg"),
    when("setsockopt", bits(1, INT, *_SOCKET_LEVELS), bits(2, INT, *_SOCKET_OPTIONS)),
    when("clone", bits(0, LONG, *_THREAD)),
)

_NOT_BOTH: Final = bits(2, LONG & (_WRITABLE | _EXECUTABLE), 0, _WRITABLE, _EXECUTABLE)

# Starts and ends the others, and connects for the front. What it forks begins under this list and narrows it: a file
# worker and a sealer import and confine themselves first. Front and reader are forked before it.
_SUPERVISOR: Final = union(
    _LIVING,
    _LOOKING,
    _READ_OPENS,
    _PINNED_OPENS,
    _ACCESS_LISTS,
    _CHANNEL,
    _PINNED_PLACES,
    always("lseek", "pread64", "fork", "wait4", "waitid", "signalfd4", "alarm", "setitimer"),
    # Libraries may be loaded, and nothing is ever both written and executed.
    when("mmap", _NOT_BOTH, bits(3, LONG & _MAP_FIXED, 0)),
    when("mmap", _NOT_BOTH, *_NOT_PINNED),
    when("mprotect", _NOT_BOTH, *_NOT_PINNED),
    when("clone", bits(0, LONG, *_THREAD, *_FORK)),
    when("kill", bits(0, INT & ~_MAX_PID, 0), bits(1, INT, *_SIGNALS)),
    _NETWORK,
    always("sendto"),
    when("prctl", bits(0, INT, _PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS)),
    when("prctl", bits(0, INT, _PR_SET_DUMPABLE), bits(1, LONG, 0)),
    always("seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"),
)

# What a C library asks for first and does without if it is missing.
_ABSENT: Final = frozenset({"clone3"})


def filter_for(role: Role) -> Filter:
    """Gives the filter of a role."""
    return Filter(_rules(role), _ABSENT)


def _rules(role: Role) -> tuple[Rule, ...]:
    match role:
        case Role.SUPERVISOR:
            return _SUPERVISOR
        case Role.READER:
            return _READER
        case Role.FRONT:
            return _FRONT
        case Role.FILE_WORKER:
            return _FILE_WORKER
        case Role.SEALER:
            return _SEALER
        case Role.DIALLER:
            return _DIALLER
        case _:
            assert_never(role)
