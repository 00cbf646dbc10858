"""Writes kind and mode of a file as `ls -l` does."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Final

from leadglass.v1.inspect_pb2 import FileType
from leadglass_client.output.records import short_name

if TYPE_CHECKING:
    from leadglass.v1.inspect_pb2 import AccessComponent, FileMetadata

_KINDS: Final = {
    "REGULAR": stat.S_IFREG,
    "DIRECTORY": stat.S_IFDIR,
    "SYMLINK": stat.S_IFLNK,
    "FIFO": stat.S_IFIFO,
    "SOCKET": stat.S_IFSOCK,
    "BLOCK_DEVICE": stat.S_IFBLK,
    "CHARACTER_DEVICE": stat.S_IFCHR,
}
_PERMISSIONS: Final = 0o7777


def file_mode(file: FileMetadata | AccessComponent) -> str:
    """Gives the ten characters, such as `-rw-r--r--`; `?` stands for a kind that this client does not know."""
    kind = _KINDS.get(short_name(FileType.DESCRIPTOR, file.type), 0)
    return stat.filemode(kind | file.mode & _PERMISSIONS)
