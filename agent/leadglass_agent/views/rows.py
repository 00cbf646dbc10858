"""The rows that views give: typed, bounded, and holding no text of the target but Visible.

They cross the channel between the agent's processes as they are, hence msgspec structs rather than dataclasses.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from leadglass_agent.redaction.escape import Visible


class Unavailable(StrEnum):
    """Why a view cannot be had; the names are those of leadglass.v1.UnavailableReason."""

    UID_MISMATCH = "UID_MISMATCH"
    GID_MISMATCH = "GID_MISMATCH"
    CAPS_SUPERSET = "CAPS_SUPERSET"
    NOT_DUMPABLE = "NOT_DUMPABLE"
    USERNS = "USERNS"
    HIDEPID = "HIDEPID"
    PROCESS_GONE = "PROCESS_GONE"
    NO_USER_MEMORY = "NO_USER_MEMORY"
    NOT_FOUND = "NOT_FOUND"
    PERMISSION = "PERMISSION"
    ESCAPES_ROOT = "ESCAPES_ROOT"
    KERNEL_FILESYSTEM = "KERNEL_FILESYSTEM"
    NOT_A_DIRECTORY = "NOT_A_DIRECTORY"
    TIMED_OUT = "TIMED_OUT"
    KERNEL_REFUSED = "KERNEL_REFUSED"
    PATH_TOO_LONG = "PATH_TOO_LONG"
    NOT_PERMITTED = "NOT_PERMITTED"


class Presence(StrEnum):
    """All that is ever said about an environment value."""

    UNKNOWN = "UNKNOWN"  # the block was cut before the name was found
    UNSET = "UNSET"
    EMPTY = "EMPTY"
    PRESENT = "PRESENT"


class FileType(StrEnum):
    """Kind of a file; the names are those of leadglass.v1.FileType."""

    REGULAR = "REGULAR"
    DIRECTORY = "DIRECTORY"
    SYMLINK = "SYMLINK"
    FIFO = "FIFO"
    SOCKET = "SOCKET"
    BLOCK_DEVICE = "BLOCK_DEVICE"
    CHARACTER_DEVICE = "CHARACTER_DEVICE"


class ProcessRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One process, safely across reuse of its number; start_ticks 0 means whichever has the number now."""

    pid: int
    start_ticks: int


class ProcessRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One process of the tree; times in nanoseconds, memory in bytes, state as the letter of /proc/PID/stat."""

    ref: ProcessRef
    parent_pid: int
    name: Visible
    state: str
    owner_uid: int
    owner_gid: int
    start_unix_ns: int
    threads: int
    resident_bytes: int
    virtual_bytes: int
    cpu_ns: int
    executable: Visible | Unavailable
    arguments: tuple[Visible, ...] | Unavailable
    arguments_truncated: bool = False


class ProcessPage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One page of processes ordered by pid; next_pid is the last number looked at, 0 at the end."""

    rows: tuple[ProcessRow, ...]
    next_pid: int
    read_unix_ns: int
    incomplete: Unavailable | None
    masked: int


class VariableRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One environment variable: its name and presence, nothing about its value."""

    name: Visible
    presence: Presence


class EnvironmentPage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One page of variables; next_index counts the rows before the next page, 0 at the end."""

    process: ProcessRef
    rows: tuple[VariableRow, ...]
    next_index: int
    unavailable: Unavailable | None
    truncated: bool


class FileRow(msgspec.Struct, frozen=True, tag_field="row", tag=True, forbid_unknown_fields=True):
    """Metadata of one file: modes as an int, sizes in bytes, times in nanoseconds since 1970."""

    name: Visible
    type: FileType
    mode: int
    owner_uid: int
    owner_gid: int
    size_bytes: int
    allocated_bytes: int
    modify_unix_ns: int
    change_unix_ns: int
    hard_links: int
    link_target: Visible | None


class MissingFile(msgspec.Struct, frozen=True, tag_field="row", tag=True, forbid_unknown_fields=True):
    """A path without metadata, with the reason."""

    name: Visible
    reason: Unavailable


class DirectoryPage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One page of a directory ordered by name bytes; next_index counts the rows before the next page, 0 at the end."""

    path: Visible
    rows: tuple[FileRow | MissingFile, ...]
    next_index: int
    unavailable: Unavailable | None
    truncated: bool
