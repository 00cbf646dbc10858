"""Decides whether a process has rights to one file, in the order of the kernel's generic_permission (fs/namei.c)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from leadglass_agent.views.access.model import EXECUTE, OVERFLOW_ID, READ, WRITE, AclTag, Rule
from leadglass_agent.views.rows import FileType, Unavailable

if TYPE_CHECKING:
    from leadglass_agent.views.access.model import AclEntry, Credentials, IdRange, Node

# Numbers of capabilities(7).
CAP_DAC_OVERRIDE: Final = 1
CAP_DAC_READ_SEARCH: Final = 2
CAP_FOWNER: Final = 3

_RIGHTS: Final = 0o7
_GROUP_CLASS: Final = 0o070
_ANY_EXECUTE: Final = 0o111
_NO_ID: Final = 0xFFFFFFFF  # what an access control list holds for an id that whoever reads it does not have


@dataclass(frozen=True, slots=True)
class Passed:
    """The rights are given, by this rule."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class Refused:
    """The rights are not given, by this rule, which gives only `has`."""

    rule: Rule
    has: int


@dataclass(frozen=True, slots=True)
class Unclear:
    """What decides cannot be seen."""

    reason: Unavailable


Answer: TypeAlias = Passed | Refused | Unclear


def has_rights(who: Credentials, node: Node, wanted: int) -> Answer:
    """Decides as generic_permission does: mode and access control list first, then the capabilities that override."""
    answer = _by_owner(who, node, wanted)
    if not isinstance(answer, Refused):
        return answer
    return _by_capability(who, node, wanted, answer)


def is_owner(who: Credentials, uid: int) -> bool | None:
    """Says whether a file of this owner is the process' own; None if the id cannot be told from others."""
    return _same(who, uid, who.fsuid)


def is_capable(who: Credentials, node: Node, capability: int) -> bool | None:
    """Asks capable_wrt_inode_uidgid: the capability, and a user namespace that has the file's owner and group."""
    if not who.capabilities & 1 << capability:
        return False
    return _both(_has_id(who, who.uids, node.uid), _has_id(who, who.gids, node.gid))


def _by_owner(who: Credentials, node: Node, wanted: int) -> Answer:
    """Asks acl_permission_check: the owner's bits, else the list, else the group's bits, else those of all others."""
    if node.acl == () and not (wanted * _ANY_EXECUTE & ~node.mode):
        # Everybody has it, so that nobody's identity matters; which bits gave it is named as far as it can be told.
        return Passed(_class_rule(who, node))
    owns = is_owner(who, node.uid)
    if owns is None:
        return Unclear(Unavailable.USERNS)
    if owns:
        return _of_bits(Rule.OWNER_BITS, node.mode >> 6, wanted)
    return _by_group(who, node, wanted)


def _by_group(who: Credentials, node: Node, wanted: int) -> Answer:
    """Asks what is left for a process that does not own the file."""
    # The kernel looks at the list only if the group class, which is then the mask, gives anything at all.
    if node.mode & _GROUP_CLASS:
        if node.acl is None:
            return Unclear(Unavailable.KERNEL_REFUSED)
        if node.acl:
            return _by_list(who, node, node.acl, wanted)
    if wanted & (node.mode ^ node.mode >> 3):
        member = _is_member(who, node.gid)
        if member is None:
            return Unclear(Unavailable.USERNS)
        if member:
            return _of_bits(Rule.GROUP_BITS, node.mode >> 3, wanted)
        return _of_bits(Rule.OTHER_BITS, node.mode, wanted)
    # Group and others have the same of what is wanted.
    return _of_bits(_class_rule(who, node), node.mode, wanted)


def _by_list(who: Credentials, node: Node, acl: tuple[AclEntry, ...], wanted: int) -> Answer:
    """Asks posix_acl_permission (fs/posix_acl.c): a named user, else any group that gives all, else all others."""
    mask = next((entry.rights for entry in acl if entry.tag is AclTag.MASK), None)
    found: Refused | None = None
    for entry in acl:
        match entry.tag:
            case AclTag.USER:
                matches = _same(who, entry.who, who.fsuid)
                rule = Rule.ACL_USER
            case AclTag.GROUP_OBJ:
                matches, rule = _is_member(who, node.gid), Rule.GROUP_BITS
            case AclTag.GROUP:
                matches, rule = _is_member(who, entry.who), Rule.ACL_GROUP
            case AclTag.OTHER:
                return found or _of_bits(Rule.OTHER_BITS, entry.rights, wanted)
            case _:
                continue
        if matches is None:
            return Unclear(Unavailable.USERNS)
        if not matches:
            continue
        if rule is not Rule.ACL_USER and wanted & ~entry.rights:
            found = Refused(rule, entry.rights if mask is None else entry.rights & mask)
            continue
        return _masked(rule, entry.rights, mask, wanted)
    return Unclear(Unavailable.KERNEL_REFUSED)  # a list without an entry for others: the kernel says EIO


def _masked(rule: Rule, rights: int, mask: int | None, wanted: int) -> Answer:
    if mask is None or wanted & ~rights:
        return _of_bits(rule, rights if mask is None else rights & mask, wanted)
    return Refused(Rule.ACL_MASK, rights & mask) if wanted & ~mask else Passed(rule)


def _by_capability(who: Credentials, node: Node, wanted: int, refused: Refused) -> Answer:
    """Asks for the capabilities that override modes; execution needs a bit that allows it to anybody."""
    searches = node.type is FileType.DIRECTORY
    asked: list[tuple[int, Rule]] = []
    if (searches and not wanted & WRITE) or wanted == READ:
        asked.append((CAP_DAC_READ_SEARCH, Rule.CAP_DAC_READ_SEARCH))
    overrides = searches or not wanted & EXECUTE or bool(node.mode & _ANY_EXECUTE)
    if overrides:
        asked.append((CAP_DAC_OVERRIDE, Rule.CAP_DAC_OVERRIDE))
    answers = [(is_capable(who, node, capability), rule) for capability, rule in asked]
    for answer, rule in answers:
        if answer:
            return Passed(rule)
    if any(answer is None for answer, _ in answers):
        return Unclear(Unavailable.USERNS)
    if any(who.capabilities & 1 << capability for capability, _ in asked):
        return Refused(Rule.USER_NAMESPACE, refused.has)
    if not overrides and is_capable(who, node, CAP_DAC_OVERRIDE):
        return Refused(Rule.NO_EXECUTE_BIT, refused.has)
    return refused


def _of_bits(rule: Rule, bits: int, wanted: int) -> Answer:
    has = bits & _RIGHTS
    return Refused(rule, has) if wanted & ~has else Passed(rule)


def _class_rule(who: Credentials, node: Node) -> Rule:
    if is_owner(who, node.uid):
        return Rule.OWNER_BITS
    return Rule.GROUP_BITS if _is_member(who, node.gid) else Rule.OTHER_BITS


def _is_member(who: Credentials, gid: int) -> bool | None:
    """Asks vfsgid_in_group_p: the primary group for files, or one of the others."""
    answers = {_same(who, gid, mine) for mine in (who.fsgid, *who.groups)}
    return True if True in answers else None if None in answers else False


def _same(who: Credentials, shown: int, mine: int) -> bool | None:
    if not who.is_overflow_real and mine == OVERFLOW_ID and shown in {OVERFLOW_ID, _NO_ID}:
        return None
    return shown == mine


def _has_id(who: Credentials, ranges: tuple[IdRange, ...], shown: int) -> bool | None:
    inside = any(first <= shown < first + count for first, count in ranges)
    return None if inside and shown == OVERFLOW_ID and not who.is_overflow_real else inside


def _both(one: bool | None, other: bool | None) -> bool | None:  # noqa: FBT001 - answers of three values, not switches
    if one is False or other is False:
        return False
    return None if one is None or other is None else True
