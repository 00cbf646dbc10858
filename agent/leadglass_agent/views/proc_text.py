"""Parses the texts of /proc into numbers; what does not parse is one defined error.

Formats: proc_pid_stat(5), proc_pid_status(5), proc_stat(5), proc_pid_mountinfo(5), proc_pid_mounts(5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

# Fields after the name in /proc/PID/stat, counted from the state (field 3) as 0: parent, flags, user and system ticks,
# threads, start, virtual bytes, resident pages.
_STATE: Final = 0
_NUMBERS = itemgetter(1, 6, 11, 12, 17, 19, 20, 21)
_ARGUMENTS_START, _ARGUMENTS_END = 45, 46
_LEAST_FIELDS: Final = 22
_POLICY: Final = 38
# Parent, session, flags, nice value, start, scheduling policy of the same fields; the nice value alone has a sign.
_ORIGIN = itemgetter(1, 3, 6, 16, 19, 38)
# The longest number that the kernel prints is 2**64 - 1.
_MAX_DIGITS: Final = 20
_KERNEL_THREAD: Final = 0x00200000  # PF_KTHREAD, include/linux/sched.h
# Names of files for ProcParseError.
_STAT, _STATUS, _SYSTEM_STAT, _FDINFO = "stat", "status", "stat of the system", "fdinfo"
_MOUNTINFO, _LOADAVG = "mountinfo", "loadavg"
# 64 hexadecimal digits end a directory's name: cri-containerd-…, libpod-…, docker-…, or nothing before them.
_CONTAINER_ID: Final = re.compile(rb"(?:^|[/-])([0-9a-f]{64})(?:\.scope)?(?=/|$)", re.MULTILINE)
_IDS: Final = 4  # real, effective, saved, file system
_MOUNT_POINT: Final = 4


class ProcParseError(Exception):
    """A text of /proc is not of its documented form; the message names the file and nothing of its content."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What /proc/PID/stat says; times in clock ticks, virtual memory in bytes, resident memory in pages.

    `argument_bytes` is the size of the memory that held the arguments at exec, or None where the kernel hides it.
    """

    name: bytes
    state: str
    parent_pid: int
    kernel_thread: bool
    cpu_ticks: int
    threads: int
    start_ticks: int
    virtual_bytes: int
    resident_pages: int
    argument_bytes: int | None

    @property
    def has_memory(self) -> bool:
        """Says whether the process has user memory: not a kernel thread, and not ended."""
        return not self.kernel_thread and self.state not in {"Z", "X", "x"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a process comes from and how it is scheduled, of /proc/PID/stat; a parent or session outside is 0."""

    pid: int
    name: bytes
    state: str
    parent_pid: int
    session: int
    kernel_thread: bool
    nice: int
    start_ticks: int
    policy: int


@dataclass(frozen=True, slots=True)
class Status:
    """The identity in /proc/PID/status: ids as (real, effective, saved, file system), capabilities as bit masks."""

    group_leader: int
    uids: tuple[int, int, int, int]
    gids: tuple[int, int, int, int]
    permitted: int
    effective: int


def parse_stat(data: bytes) -> Stat:
    """Parses /proc/PID/stat from its last parenthesis, since a name may hold spaces, parentheses and newlines."""
    opened, closed = data.find(b"("), data.rfind(b")")
    fields = data[closed + 1 :].split()
    if not 0 < opened < closed or len(fields) < _LEAST_FIELDS:
        raise ProcParseError(_STAT)
    state = fields[_STATE]
    if len(state) != 1 or not state.isalpha():
        raise ProcParseError(_STAT)
    numbers = _NUMBERS(fields)
    if not b"".join(numbers).isdigit() or max(map(len, numbers)) > _MAX_DIGITS:
        raise ProcParseError(_STAT)
    parent, flags, user_ticks, system_ticks, threads, start, virtual, resident = map(int, numbers)
    return Stat(
        name=data[opened + 1 : closed],
        state=state.decode("ascii"),
        parent_pid=parent,
        kernel_thread=bool(flags & _KERNEL_THREAD),
        cpu_ticks=user_ticks + system_ticks,
        threads=threads,
        start_ticks=start,
        virtual_bytes=virtual,
        resident_pages=resident,
        argument_bytes=_argument_bytes(fields),
    )


def parse_origin(data: bytes) -> Origin:
    """Parses the same text for what tells where a process comes from."""
    opened, closed = data.find(b"("), data.rfind(b")")
    fields = data[closed + 1 :].split()
    if not 0 < opened < closed or len(fields) <= _POLICY:
        raise ProcParseError(_STAT)
    parent, session, flags, nice, start, policy = _ORIGIN(fields)
    # A session outside the PID namespace is 0, and -1 while a process ends.
    session_number = 0 if session.startswith(b"-") else _number(session, _STAT)
    return Origin(
        pid=_number(data[: opened - 1], _STAT),
        name=data[opened + 1 : closed],
        state=fields[_STATE].decode("ascii", "replace"),
        parent_pid=_number(parent, _STAT),
        session=session_number,
        kernel_thread=bool(_number(flags, _STAT) & _KERNEL_THREAD),
        nice=-_number(nice[1:], _STAT) if nice.startswith(b"-") else _number(nice, _STAT),
        start_ticks=_number(start, _STAT),
        policy=_number(policy, _STAT),
    )


def parse_root_mount(data: bytes) -> int:
    """Parses /proc/PID/mountinfo for the number of the mount that is on top at the root, 0 if none is.

    No two mounts have the same number at one time, so it tells containers apart, whoever their processes belong to.
    """
    found = b"0"
    for line in data.split(b"\n"):
        number, _, rest = line.partition(b" ")
        if rest.split(b" ", 4)[3:4] == [b"/"]:
            found = number
    return _number(found, _MOUNTINFO)


def parse_last_pid(data: bytes) -> int:
    """Parses /proc/loadavg for the number that the PID namespace gave last to a process or thread."""
    return _number(data.split()[-1] if data.strip() else b"", _LOADAVG)


def parse_container_id(data: bytes) -> str:
    """Parses /proc/PID/cgroup for the number that runtimes give to a container, its first 12 digits; "" without one."""
    found = _CONTAINER_ID.findall(data)
    return found[-1][:12].decode("ascii") if found else ""


def parse_processors(data: bytes) -> bytes:
    """Parses /proc/PID/status for the processors that the first thread may run on, as the kernel lists them."""
    return _single(_keyed(data), b"Cpus_allowed_list")


def parse_status(data: bytes) -> Status:
    """Parses /proc/PID/status; of a key that occurs twice the later counts, since the name comes first."""
    values = _keyed(data)
    return Status(
        group_leader=_number(_single(values, b"Tgid"), _STATUS),
        uids=_four_ids(values, b"Uid"),
        gids=_four_ids(values, b"Gid"),
        permitted=_mask(_single(values, b"CapPrm")),
        effective=_mask(_single(values, b"CapEff")),
    )


def parse_descriptor_info(data: bytes) -> tuple[str, str]:
    """Parses /proc/self/fdinfo/FD for the numbers of the mount and of the inode; "" for an inode that is not told."""
    values = _keyed(data)
    mount = _number(_single(values, b"mnt_id", _FDINFO), _FDINFO)
    inode = _number(_single(values, b"ino", _FDINFO), _FDINFO) if b"ino" in values else ""
    return str(mount), str(inode)


def parse_boot_time(data: bytes) -> int:
    """Parses the btime line of /proc/stat: the boot in whole seconds since 1970."""
    for line in data.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"btime":
            return _number(value.strip(), _SYSTEM_STAT)
    raise ProcParseError(_SYSTEM_STAT)


def parse_proc_options(data: bytes, mount_point: bytes) -> frozenset[bytes]:
    """Parses /proc/self/mountinfo for the options of the topmost proc file system on a mount point, if there is one."""
    options: frozenset[bytes] = frozenset()
    for line in data.split(b"\n"):
        # A lone dash ends the optional fields; behind it: type, source, options. Spaces within a field are escaped.
        mount, dash, file_system = line.partition(b" - ")
        fields = mount.split(b" ")
        if dash and len(fields) > _MOUNT_POINT and fields[_MOUNT_POINT] == mount_point:
            kind, *rest = file_system.split(b" ")
            options = frozenset(rest[-1].split(b",")) if kind == b"proc" and rest else frozenset()
    return options


def _argument_bytes(fields: list[bytes]) -> int | None:
    if len(fields) <= _ARGUMENTS_END:
        return None
    start, end = _number(fields[_ARGUMENTS_START], _STAT), _number(fields[_ARGUMENTS_END], _STAT)
    return end - start if 0 < start < end else None


def _number(text: bytes, file: str) -> int:
    if not text.isdigit() or len(text) > _MAX_DIGITS:
        raise ProcParseError(file)
    return int(text)


def _mask(text: bytes) -> int:
    # int() alone would take signs and underscores.
    if len(text) > _MAX_DIGITS or not text.isalnum():
        raise ProcParseError(_STATUS)
    try:
        return int(text, 16)
    except ValueError:
        raise ProcParseError(_STATUS) from None


def _keyed(data: bytes) -> dict[bytes, list[bytes]]:
    pairs = (line.partition(b":") for line in data.split(b"\n"))
    return {key: value.split() for key, _, value in pairs}


def _single(values: dict[bytes, list[bytes]], key: bytes, file: str = _STATUS) -> bytes:
    found = values.get(key, [])
    if len(found) != 1:
        raise ProcParseError(file)
    return found[0]


def _four_ids(values: dict[bytes, list[bytes]], key: bytes) -> tuple[int, int, int, int]:
    found = values.get(key, [])
    if len(found) != _IDS:
        raise ProcParseError(_STATUS)
    real, effective, saved, file_system = (_number(text, _STATUS) for text in found)
    return real, effective, saved, file_system
