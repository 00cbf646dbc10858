"""The one table of words for the kernel's rules about files: what each says, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class RuleWords:
    """A rule in words, and what to do about a no."""

    text: str
    next_step: str


_MODE = "give the right there (chmod, defaultMode, fsGroup), or run the process as one who has it"
_ACL = "look at the list where the volume is made: getfacl"
_MOUNT = "change the mount of the volume (readOnly, options), if that is not on purpose"
_PATH = "check the path: leadglass ls PID PARENT"
_ASK_ANOTHER = "ask for what fits its kind: leadglass why --help"

_RULES: Mapping[str, RuleWords] = {
    "OWNER_BITS": RuleWords("the process owns it, so the owner's bits alone count", _MODE),
    "GROUP_BITS": RuleWords("the process is in its group, so the group's bits alone count", _MODE),
    "OTHER_BITS": RuleWords("neither its owner nor in its group: the bits of all others count", _MODE),
    "ACL_USER": RuleWords("its access control list names the user of the process", _ACL),
    "ACL_GROUP": RuleWords("its access control list names groups of the process", _ACL),
    "ACL_MASK": RuleWords("its access control list gives the right, and the list's mask takes it away", _ACL),
    "CAP_DAC_READ_SEARCH": RuleWords("the capability CAP_DAC_READ_SEARCH overrides the bits", ""),
    "CAP_DAC_OVERRIDE": RuleWords("the capability CAP_DAC_OVERRIDE overrides the bits", ""),
    "NO_EXECUTE_BIT": RuleWords("even CAP_DAC_OVERRIDE runs only what somebody may execute", "set an execute bit"),
    "USER_NAMESPACE": RuleWords(
        "the capability of the process does not count: its user namespace lacks the owner or the group",
        "map the owner into the user namespace, or change the owner",
    ),
    "READ_ONLY": RuleWords("the mount or its file system is read-only", _MOUNT),
    "NOEXEC": RuleWords("the mount is noexec", _MOUNT),
    "NODEV": RuleWords("the mount is nodev", _MOUNT),
    "NOSYMFOLLOW": RuleWords("the mount is nosymfollow: links on it are not followed", _MOUNT),
    "IMMUTABLE": RuleWords("it is marked immutable", "see lsattr where the volume is made"),
    "APPEND_ONLY": RuleWords("it is marked append-only", "see lsattr where the volume is made"),
    "STICKY": RuleWords("its directory is sticky: only the owner of either takes names away", "delete it as its owner"),
    "PROTECTED_SYMLINK": RuleWords(
        "fs.protected_symlinks: somebody else's link in a sticky directory is not followed",
        "make the link as the user of the process, or elsewhere",
    ),
    "MOUNT_POINT": RuleWords("something is mounted there", "unmount it first"),
    "NO_SUCH_FILE": RuleWords("no such file, or the policy hides it", _PATH),
    "EXISTS": RuleWords("the name is taken", "ask for write or delete instead"),
    "NOT_A_DIRECTORY": RuleWords("it is not a directory", _PATH),
    "IS_A_DIRECTORY": RuleWords("a directory is not opened for writing", "ask for create or delete of a name in it"),
    "NOT_A_PROGRAM": RuleWords("only a regular file is run", _ASK_ANOTHER),
    "SOCKET": RuleWords("a socket is connected to, not opened", _ASK_ANOTHER),
    "TOO_MANY_LINKS": RuleWords("more than 40 symbolic links, perhaps in a circle", _PATH),
    "NAME_TOO_LONG": RuleWords("a name is longer than the file system takes", _PATH),
}
_CAVEATS: Mapping[str, str] = {
    "SECURITY_MODULE": "a security module (AppArmor, SELinux) confines the process and may refuse",
    "SECCOMP": "the seccomp filter of the process refuses the system call",
    "FUSE": "the FUSE server decides otherwise",
    "NETWORK_FILE_SYSTEM": "the file server decides otherwise, as NFS does for root",
    "DEVICE_CGROUP": "its control group forbids the device",
    "MUST_BE_EMPTY": "the directory is not empty",
    "PROTECTED_OPEN": "the open would create it too, as a shell's > does: it is somebody else's, in a sticky directory",
}
_UPDATE = "update leadglass"


def rule_words(name: str) -> RuleWords:
    """Gives words for a rule by its short name; for one that this version does not know, that."""
    return _RULES.get(name, RuleWords("a rule that this version does not know", _UPDATE))


def caveat_words(name: str) -> str:
    """Gives words for a caveat by its short name."""
    return _CAVEATS.get(name, "something that this version does not know refuses")
