"""Knows the file systems through which the kernel speaks, and which therefore hold no files of the target."""

from __future__ import annotations

import ctypes
import os
from typing import Final

# f_type of statfs(2). From include/uapi/linux/magic.h unless another source is named.
KERNEL_FILESYSTEMS: Final = frozenset(
    {
        0x00009FA0,  # proc
        0x62656572,  # sysfs
        0x00001CD1,  # devpts
        0x0027E0EB,  # cgroup
        0x63677270,  # cgroup2
        0x07655821,  # resctrl
        0x64626720,  # debugfs
        0x74726163,  # tracefs
        0x73636673,  # securityfs
        0xF97CFF8C,  # selinuxfs
        0x43415D53,  # smackfs
        0x5A3C69F0,  # apparmorfs
        0xCAFE4A11,  # bpf
        0x6165676C,  # pstore
        0xDE5E81E4,  # efivarfs
        0x42494E4D,  # binfmt_misc
        0x6E736673,  # nsfs
        0x50494446,  # pidfs
        0x6C6F6F70,  # binder
        0xABBA1974,  # xenfs
        0x00009FA1,  # openpromfs
        0x00009FA2,  # usbdevfs
        0x50495045,  # pipefs
        0x534F434B,  # sockfs
        0x09041934,  # anonymous inodes
        0x62646576,  # block devices
        0x64646178,  # dax
        0x444D4142,  # dma-buf
        0x454D444D,  # devmem
        0x5345434D,  # secretmem
        0x19800202,  # mqueue, ipc/mqueue.c
        0x65735543,  # fusectl, fs/fuse/control.c
        0x62656570,  # configfs, fs/configfs/mount.c
        0x67596969,  # rpc_pipefs, net/sunrpc/rpc_pipe.c
        0x6E667364,  # nfsd, fs/nfsd/nfsctl.c
        0x76A9F425,  # ocfs2_dlmfs, fs/ocfs2/dlmfs/dlmfs.c
        0x5A4F4653,  # zonefs: its files are a device's zones
        0x11307854,  # flash chips
        0x474D454D,  # guest memory, virt/kvm/guest_memfd.c
        0x0A647361,  # functionfs, drivers/usb/gadget/function/f_fs.c
        0xAEE71EE7,  # gadgetfs, drivers/usb/gadget/legacy/inode.c
        0x23C9B64E,  # spufs, arch/powerpc/platforms/cell/spufs/inode.c
        0x00687970,  # s390_hypfs, arch/s390/hypfs/inode.c
        0x66726F67,  # ibmasmfs, drivers/misc/ibmasm/ibmasmfs.c
        0x6F70726F,  # oprofilefs, drivers/oprofile/oprofilefs.c
    },
)

_STATFS_BYTES: Final = 256  # more than struct statfs takes on any 64-bit machine (120)
_LOW_WORD: Final = 0xFFFFFFFF
_LIBC = ctypes.CDLL(None, use_errno=True)


def is_kernel_filesystem(fd: int) -> bool:
    """Asks fstatfs(2) for the file system of an open descriptor, O_PATH included; raises OSError."""
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    if _LIBC.fstatfs(ctypes.c_int(fd), buffer) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    # f_type is the first word; some of these numbers were signed 32-bit ones once.
    return ctypes.c_long.from_buffer(buffer).value & _LOW_WORD in KERNEL_FILESYSTEMS
