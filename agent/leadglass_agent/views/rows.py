"""The rows that views give: typed, bounded, and holding no text of the target but Visible.

They cross the channel between the agent's processes as they are, hence msgspec structs rather than dataclasses.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from leadglass_agent.policy.model import Profile
from leadglass_agent.redaction.escape import Visible
from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.views.lineage import Finding


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
    BINARY_FILE = "BINARY_FILE"
    NOT_A_FILE = "NOT_A_FILE"


# Outside the scope a path is answered as one that does not exist.
MISSING: Final = frozenset({Unavailable.NOT_FOUND, Unavailable.NOT_A_DIRECTORY})


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


class TextStart(StrEnum):
    """Where a window of a text begins; the names are those of leadglass.v1.TextStart."""

    HEAD = "HEAD"
    TAIL = "TAIL"
    OFFSET = "OFFSET"


class TextEnd(StrEnum):
    """Why no more of a text comes; the names are those of leadglass.v1.TextEnd."""

    END_OF_FILE = "END_OF_FILE"
    LINE_LIMIT = "LINE_LIMIT"
    BYTE_LIMIT = "BYTE_LIMIT"
    TIME_LIMIT = "TIME_LIMIT"
    FILE_TRUNCATED = "FILE_TRUNCATED"
    FILE_ROTATED = "FILE_ROTATED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERRUPTED = "INTERRUPTED"


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
    redaction: Profile
    redactions: tuple[tuple[RuleId, int], ...]


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


class TextFilter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which lines to show: those where the pattern stands in the redacted text, and some around them."""

    pattern: str
    fixed: bool
    ignore_case: bool
    before: int
    after: int


class TextQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A window of one file: where it begins, its most lines and bytes, and whether what is added later follows."""

    path: str
    start: TextStart
    offset_bytes: int
    max_lines: int
    max_bytes: int
    follow: bool
    filter: TextFilter | None


class TextFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file that a window was opened on: sizes and offsets in bytes, times in nanoseconds since 1970."""

    path: Visible
    size_bytes: int
    modify_unix_ns: int
    start_bytes: int
    starts_within_line: bool


class TextLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line; `is_context` if only its neighbour fits the filter, `after_gap` if lines before it were left out."""

    text: Visible
    is_context: bool = False
    after_gap: bool = False


class TextPage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one look at a window gives; `stream` names the open window, 0 if there is none any more.

    `position_bytes` is how far the file was read, `redactions` counts masks by rule since the last page, `is_waiting`
    says that nothing new is there yet.
    """

    stream: int
    redaction: Profile
    file: TextFile | None = None
    lines: tuple[TextLine, ...] = ()
    position_bytes: int = 0
    redactions: tuple[tuple[RuleId, int], ...] = ()
    is_waiting: bool = False
    end: TextEnd | None = None
    unavailable: Unavailable | None = None


class ForeignProcess(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A process that came from outside, or the last of `processes` alike; -1, 0 and "" for what cannot be known.

    `first_pid` is the first process of its container. `stays` tells that it ran for longer than probes do.
    """

    finding: Finding
    pid: int
    start_ticks: int
    name: Visible
    uid: int
    first_pid: int
    container_id: str
    processes: int
    stays: bool
