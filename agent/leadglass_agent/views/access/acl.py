"""Parses a POSIX access control list as the kernel keeps it in the attribute system.posix_acl_access."""

from __future__ import annotations

import struct
from typing import Final

from leadglass_agent.views.access.model import AclEntry, AclTag

ATTRIBUTE: Final = "system.posix_acl_access"

# include/uapi/linux/posix_acl.h, posix_acl_xattr.h
_VERSION: Final = 2
_HEADER: Final = struct.Struct("<I")
_ENTRY: Final = struct.Struct("<HHI")
_TAGS: Final = {
    0x01: AclTag.USER_OBJ,
    0x02: AclTag.USER,
    0x04: AclTag.GROUP_OBJ,
    0x08: AclTag.GROUP,
    0x10: AclTag.MASK,
    0x20: AclTag.OTHER,
}
_RIGHTS: Final = 7
_MAX_BYTES: Final = 64 * 1024  # XATTR_SIZE_MAX, include/uapi/linux/limits.h


class AclError(Exception):
    """An attribute is no access control list that this version knows."""


def parse_acl(data: bytes) -> tuple[AclEntry, ...]:
    """Parses the attribute's bytes into entries in their order; raises AclError."""
    if not _HEADER.size <= len(data) <= _MAX_BYTES or (len(data) - _HEADER.size) % _ENTRY.size:
        raise AclError
    if _HEADER.unpack_from(data)[0] != _VERSION:
        raise AclError
    return tuple(_entry(*found) for found in _ENTRY.iter_unpack(data[_HEADER.size :]))


def _entry(tag: int, rights: int, who: int) -> AclEntry:
    known = _TAGS.get(tag)
    if known is None or rights & ~_RIGHTS:
        raise AclError
    return AclEntry(known, rights, who)
