"""Reads who a process is to the file system: its ids, groups, capabilities and user namespace, and the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_agent.views import procfs
from leadglass_agent.views.access.model import Credentials, Settings
from leadglass_agent.views.proc_text import ProcParseError, parse_status

if TYPE_CHECKING:
    from leadglass_agent.views.access.model import IdRange
    from leadglass_agent.views.procfs import ProcessDirectory, ProcRoot

_FILE_SYSTEM: Final = 3
_STATUS, _ID_MAP = "status", "map of ids"  # names of files for ProcParseError
_MAP_FIELDS: Final = 3
_MAX_DIGITS: Final = 10
_ALL_IDS: Final = 2**32 - 1
# What a security module says of a process that it leaves alone: AppArmor, and SELinux' last part of a type.
_UNCONFINED: Final = (b"unconfined", b":unconfined_t:")


def read_credentials(proc: ProcRoot, process: ProcessDirectory) -> Credentials:
    """Reads the credentials of a process' main thread, with ids as the agent's own user namespace shows them.

    Raises ProcessGone, PermissionError where hidepid forbids, or ProcParseError.
    """
    text = procfs.read_status_text(process)
    status, (groups, has_seccomp) = parse_status(text), parse_memberships(text)
    own, uids = proc.own_uid_map, procfs.read_uid_map(process)
    label = procfs.read_security_label(process).strip(b"\0\n")
    return Credentials(
        fsuid=status.uids[_FILE_SYSTEM],
        fsgid=status.gids[_FILE_SYSTEM],
        groups=groups,
        capabilities=status.effective,
        uids=shown_ids(uids, is_own=uids == own),
        gids=shown_ids(procfs.read_gid_map(process), is_own=uids == own),
        is_overflow_real=sum(count for _, count in shown_ids(own, is_own=True)) >= _ALL_IDS,
        is_confined=bool(label) and not any(mark in label for mark in _UNCONFINED),
        has_seccomp=has_seccomp,
    )


def read_own(proc: ProcRoot) -> Credentials:
    """Reads the agent's own credentials, which bound what it sees."""
    with procfs.open_self(proc) as process:
        return read_credentials(proc, process)


def read_settings(proc: ProcRoot) -> Settings:
    """Reads the kernel's settings that decide."""
    return Settings(
        protected_symlinks=procfs.read_setting(proc, "protected_symlinks"),
        protected_regular=procfs.read_setting(proc, "protected_regular"),
        protected_fifos=procfs.read_setting(proc, "protected_fifos"),
    )


def parse_memberships(data: bytes) -> tuple[frozenset[int], bool]:
    """Parses /proc/PID/status for the supplementary groups, and whether seccomp is on; raises ProcParseError."""
    values = {key: value.split() for key, _, value in (line.partition(b":") for line in data.split(b"\n"))}
    groups = values.get(b"Groups")
    if groups is None:
        raise ProcParseError(_STATUS)
    return frozenset(_id(group, _STATUS) for group in groups), values.get(b"Seccomp", [b"0"]) != [b"0"]


def shown_ids(data: bytes, *, is_own: bool) -> tuple[IdRange, ...]:
    """Parses a uid_map or gid_map for the ids that a user namespace has, as whoever reads the map shows them.

    Of another namespace the second column is in the reader's own terms, of the own one the first column is;
    user_namespaces(7). Raises ProcParseError.
    """
    ranges: list[IdRange] = []
    for line in data.splitlines():
        fields = line.split()
        if len(fields) != _MAP_FIELDS:
            raise ProcParseError(_ID_MAP)
        inside, outside, count = (_id(field, _ID_MAP) for field in fields)
        ranges.append((inside if is_own else outside, count))
    return tuple(ranges)


def _id(text: bytes, file: str) -> int:
    if not text.isdigit() or len(text) > _MAX_DIGITS:
        raise ProcParseError(file)
    return int(text)
