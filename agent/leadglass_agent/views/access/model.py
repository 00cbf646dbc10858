"""What the access engine takes and gives: a process' credentials, the way along a path, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

if TYPE_CHECKING:
    from leadglass_agent.views.rows import FileType, Unavailable

# One right is one bit, as in a mode: r, w and x. For a directory x is to search it.
READ: Final = 4
WRITE: Final = 2
EXECUTE: Final = 1

OVERFLOW_ID: Final = 65534  # what the kernel shows for an id that the user namespace of whoever looks does not have


class Operation(StrEnum):
    """What a process may want of a path; the names are those of leadglass.v1.AccessOperation.

    WRITE is to open what is there, CREATE to make a name that is not, DELETE to take one away, ENTER to go into a
    directory.
    """

    READ = "READ"
    WRITE = "WRITE"
    EXECUTE = "EXECUTE"
    LIST = "LIST"
    ENTER = "ENTER"
    CREATE = "CREATE"
    DELETE = "DELETE"


class Rule(StrEnum):
    """Rules of the kernel that say yes or no; the names are those of leadglass.v1.AccessRule."""

    OWNER_BITS = "OWNER_BITS"
    GROUP_BITS = "GROUP_BITS"
    OTHER_BITS = "OTHER_BITS"
    ACL_USER = "ACL_USER"
    ACL_GROUP = "ACL_GROUP"
    ACL_MASK = "ACL_MASK"
    CAP_DAC_READ_SEARCH = "CAP_DAC_READ_SEARCH"
    CAP_DAC_OVERRIDE = "CAP_DAC_OVERRIDE"
    NO_EXECUTE_BIT = "NO_EXECUTE_BIT"
    USER_NAMESPACE = "USER_NAMESPACE"
    READ_ONLY = "READ_ONLY"
    NOEXEC = "NOEXEC"
    NODEV = "NODEV"
    NOSYMFOLLOW = "NOSYMFOLLOW"
    IMMUTABLE = "IMMUTABLE"
    APPEND_ONLY = "APPEND_ONLY"
    STICKY = "STICKY"
    PROTECTED_SYMLINK = "PROTECTED_SYMLINK"
    MOUNT_POINT = "MOUNT_POINT"
    NO_SUCH_FILE = "NO_SUCH_FILE"
    EXISTS = "EXISTS"
    NOT_A_DIRECTORY = "NOT_A_DIRECTORY"
    IS_A_DIRECTORY = "IS_A_DIRECTORY"
    NOT_A_PROGRAM = "NOT_A_PROGRAM"
    SOCKET = "SOCKET"
    TOO_MANY_LINKS = "TOO_MANY_LINKS"
    NAME_TOO_LONG = "NAME_TOO_LONG"


class Caveat(StrEnum):
    """What else may refuse, and cannot be known from outside; the names are those of leadglass.v1.AccessCaveat."""

    SECURITY_MODULE = "SECURITY_MODULE"
    SECCOMP = "SECCOMP"
    FUSE = "FUSE"
    NETWORK_FILE_SYSTEM = "NETWORK_FILE_SYSTEM"
    DEVICE_CGROUP = "DEVICE_CGROUP"
    MUST_BE_EMPTY = "MUST_BE_EMPTY"
    PROTECTED_OPEN = "PROTECTED_OPEN"


IdRange: TypeAlias = tuple[int, int]


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who a process is to the file system, with all ids as the agent's own user namespace shows them.

    `uids` and `gids` are ranges (first, count) of the ids that the process' user namespace has: a capability counts
    for files of these alone. `is_overflow_real` says that OVERFLOW_ID is an id and never stands for another.
    """

    fsuid: int
    fsgid: int
    groups: frozenset[int]
    capabilities: int
    uids: tuple[IdRange, ...]
    gids: tuple[IdRange, ...]
    is_overflow_real: bool
    is_confined: bool = False
    has_seccomp: bool = False


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The kernel's settings under /proc/sys/fs that decide, each None where it cannot be read."""

    protected_symlinks: int | None
    protected_regular: int | None
    protected_fifos: int | None


class AclTag(StrEnum):
    """Kinds of entries of an access control list, acl(5)."""

    USER_OBJ = "USER_OBJ"
    USER = "USER"
    GROUP_OBJ = "GROUP_OBJ"
    GROUP = "GROUP"
    MASK = "MASK"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class AclEntry:
    """One entry; `who` is the id of a named user or group."""

    tag: AclTag
    rights: int
    who: int


@dataclass(frozen=True, slots=True)
class Node:
    """A file as the rules see it; `mode` is its permission bits. `acl` is empty if it has none, None if it is unread.

    The flags from `is_read_only` on are those of its mount or file system, then those of the file.
    """

    type: FileType
    mode: int
    uid: int
    gid: int
    acl: tuple[AclEntry, ...] | None = ()
    is_read_only: bool = False
    is_noexec: bool = False
    is_nodev: bool = False
    is_nosymfollow: bool = False
    is_fuse: bool = False
    is_network: bool = False
    is_immutable: bool = False
    is_append_only: bool = False
    is_mount_root: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """A node and where it lies: its canonical path, and the components that were still to go from there."""

    path: bytes
    node: Node
    rest: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Searched:
    """A directory in which a name was looked up."""

    place: Place


@dataclass(frozen=True, slots=True)
class Followed:
    """A link that was followed, its text, and the directory that holds it; `is_last` if nothing comes behind it."""

    place: Place
    holder: Node
    is_last: bool
    target: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """The end of a path that leads to something; `holder` is the directory that has its name, None for the root.

    `is_directory_wanted` tells of a link whose text ends with a slash.
    """

    place: Place
    holder: Place | None
    is_directory_wanted: bool = False


@dataclass(frozen=True, slots=True)
class Absent:
    """The end of a path whose last name is not in its directory, or is too long for any."""

    path: bytes
    holder: Place
    is_too_long: bool = False


@dataclass(frozen=True, slots=True)
class Stopped:
    """The end of a path that leads nowhere for anybody, with the kernel's reason."""

    place: Place
    rule: Rule


@dataclass(frozen=True, slots=True)
class Blind:
    """The end of what the agent itself can see; `path` is the first component that it cannot, or that is none."""

    path: bytes
    rest: tuple[bytes, ...]
    reason: Unavailable


@dataclass(frozen=True, slots=True)
class Walk:
    """The way along a path, as the kernel goes it."""

    steps: tuple[Searched | Followed, ...]
    end: Found | Absent | Stopped | Blind


@dataclass(frozen=True, slots=True)
class Allowed:
    """Yes, by which rule the last question was answered."""

    place: Place
    rule: Rule
    caveats: tuple[Caveat, ...]


@dataclass(frozen=True, slots=True)
class Denied:
    """No: at which component, by which rule, which rights that needs, and which of them this process has there."""

    place: Place | None
    rule: Rule
    needed: int = 0
    has: int = 0


@dataclass(frozen=True, slots=True)
class Unknown:
    """Not to be known, from which component on and why."""

    path: bytes
    rest: tuple[bytes, ...]
    reason: Unavailable


Verdict: TypeAlias = Allowed | Denied | Unknown
