"""The engine that decides whether a process may use a path, where no kernel is asked."""

from __future__ import annotations

import struct
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.views.access.acl import AclError, parse_acl
from leadglass_agent.views.access.credentials import parse_memberships, shown_ids
from leadglass_agent.views.access.decide import decide
from leadglass_agent.views.access.model import (
    EXECUTE,
    OVERFLOW_ID,
    READ,
    WRITE,
    AclEntry,
    AclTag,
    Allowed,
    Blind,
    Caveat,
    Credentials,
    Denied,
    Followed,
    Found,
    Node,
    Operation,
    Place,
    Rule,
    Searched,
    Settings,
    Unknown,
    Walk,
)
from leadglass_agent.views.access.permission import (
    CAP_DAC_OVERRIDE,
    CAP_DAC_READ_SEARCH,
    Passed,
    Refused,
    Unclear,
    has_rights,
)
from leadglass_agent.views.proc_text import ProcParseError
from leadglass_agent.views.rows import FileType, Unavailable

_ALL = ((0, 2**32 - 1),)
_WEB = Credentials(
    fsuid=1000,
    fsgid=1000,
    groups=frozenset({2000}),
    capabilities=0,
    uids=_ALL,
    gids=_ALL,
    is_overflow_real=True,
)
_HARDENED = Settings(protected_symlinks=1, protected_regular=1, protected_fifos=1)
_OPEN = Node(FileType.DIRECTORY, 0o755, 0, 0)
_TMP = Node(FileType.DIRECTORY, 0o1777, 0, 0)
_KEY = Node(FileType.REGULAR, 0o640, 0, 0)

_ids = st.sampled_from([0, 1000, 1001, 2000])
_entries = st.builds(AclEntry, st.sampled_from([AclTag.USER, AclTag.GROUP, AclTag.MASK]), st.integers(0, 7), _ids)
_lists = st.lists(_entries, max_size=5).map(
    lambda entries: (*entries, AclEntry(AclTag.GROUP_OBJ, 5, 0), AclEntry(AclTag.OTHER, 4, 0))
)
_nodes = st.builds(
    Node,
    st.sampled_from([FileType.REGULAR, FileType.DIRECTORY]),
    st.integers(0, 0o1777),
    _ids,
    _ids,
    acl=st.one_of(st.just(()), _lists),
)
_processes = st.builds(
    Credentials,
    fsuid=_ids,
    fsgid=_ids,
    groups=st.frozensets(_ids, max_size=2),
    capabilities=st.integers(0, 15),
    uids=st.sampled_from([_ALL, ((1000, 2),)]),
    gids=st.sampled_from([_ALL, ((1000, 1001),)]),
    is_overflow_real=st.sampled_from([True]),
)
_wanted = st.integers(1, 7)


def _found(node: Node, holder: Node = _OPEN) -> Walk:
    at, top = Place(b"/d/f", node), Place(b"/d", holder)
    return Walk((Searched(Place(b"/", _OPEN)), Searched(top)), Found(at, top))


@given(who=_processes, node=_nodes, wanted=_wanted)
def test_a_capability_never_takes_a_right_away(who: Credentials, node: Node, wanted: int) -> None:
    more = msgspec.structs.replace(
        who, capabilities=who.capabilities | 1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH
    )
    if isinstance(has_rights(who, node, wanted), Passed):
        assert isinstance(has_rights(more, node, wanted), Passed)


@given(who=_processes, node=_nodes, wanted=_wanted)
def test_what_an_owner_lacks_is_not_made_up_by_being_in_the_group(who: Credentials, node: Node, wanted: int) -> None:
    owner = msgspec.structs.replace(who, capabilities=0, fsuid=node.uid, fsgid=node.gid)
    closed = replace(node, mode=node.mode & 0o077)
    answer = has_rights(owner, closed, wanted)
    assert isinstance(answer, Refused)
    assert (answer.rule, answer.has) == (Rule.OWNER_BITS, 0)


@given(who=_processes, node=_nodes, wanted=_wanted)
def test_more_is_never_allowed_than_less(who: Credentials, node: Node, wanted: int) -> None:
    if isinstance(has_rights(who, node, wanted), Passed):
        assert all(isinstance(has_rights(who, node, one), Passed) for one in (READ, WRITE, EXECUTE) if one & wanted)


@given(who=_processes, node=_nodes, wanted=_wanted)
def test_a_refusal_names_rights_that_are_not_enough(who: Credentials, node: Node, wanted: int) -> None:
    answer = has_rights(who, node, wanted)
    if isinstance(answer, Refused):
        assert wanted & ~answer.has


def test_a_named_user_is_cut_by_the_mask_and_a_closed_group_class_hides_the_list() -> None:
    acl = (AclEntry(AclTag.USER, 7, 1000), AclEntry(AclTag.GROUP_OBJ, 0, 0), AclEntry(AclTag.MASK, 1, 0))
    listed = Node(FileType.REGULAR, 0o614, 0, 0, acl=(*acl, AclEntry(AclTag.OTHER, 4, 0)))
    assert has_rights(_WEB, listed, READ) == Refused(Rule.ACL_MASK, 1)
    # fs/namei.c looks at the list only if the mode's group bits, which are its mask, give anything.
    assert has_rights(_WEB, replace(listed, mode=0o604), READ) == Passed(Rule.OTHER_BITS)


def test_a_list_that_cannot_be_read_leaves_the_answer_open_only_where_it_counts() -> None:
    unread = Node(FileType.REGULAR, 0o640, 0, 0, acl=None)
    assert has_rights(_WEB, unread, READ) == Unclear(Unavailable.KERNEL_REFUSED)
    assert has_rights(_WEB, replace(unread, uid=1000), READ) == Passed(Rule.OWNER_BITS)


def test_an_id_that_may_stand_for_another_leaves_the_answer_open() -> None:
    nobody = msgspec.structs.replace(_WEB, fsuid=OVERFLOW_ID, is_overflow_real=False)
    assert has_rights(nobody, replace(_KEY, uid=OVERFLOW_ID), READ) == Unclear(Unavailable.USERNS)
    assert has_rights(_WEB, replace(_KEY, uid=OVERFLOW_ID), READ) == Refused(Rule.OTHER_BITS, 0)


def test_the_component_and_the_rule_of_the_first_no_are_named() -> None:
    tls = Place(b"/tls", Node(FileType.DIRECTORY, 0o744, 0, 0), (b"key.pem",))
    walk = Walk((Searched(Place(b"/", _OPEN)), Searched(tls)), Found(Place(b"/tls/key.pem", _KEY), tls))
    assert decide(_WEB, _HARDENED, Operation.READ, walk) == Denied(tls, Rule.OTHER_BITS, needed=EXECUTE, has=READ)


def test_where_the_agent_sees_no_further_nobody_knows_but_a_no_before_it_stands() -> None:
    private = Place(b"/p", Node(FileType.DIRECTORY, 0o700, 0, 0), (b"f",))
    walk = Walk((Searched(private),), Blind(b"/p/f", (), Unavailable.PERMISSION))
    assert isinstance(decide(_WEB, _HARDENED, Operation.READ, walk), Denied)
    root = msgspec.structs.replace(_WEB, fsuid=0)
    assert decide(root, _HARDENED, Operation.READ, walk) == Unknown(b"/p/f", (), Unavailable.PERMISSION)


def _link(owner: int, holder: Node = _TMP, *, is_last: bool = True) -> Walk:
    link = Place(b"/tmp/l", Node(FileType.SYMLINK, 0o777, owner, 0))
    steps = (Searched(Place(b"/tmp", holder)), Followed(link, holder, is_last, b"/etc/hosts"))
    return Walk(steps, Found(Place(b"/etc/hosts", Node(FileType.REGULAR, 0o644, 0, 0)), Place(b"/etc", _OPEN)))


@pytest.mark.parametrize(
    ("walk", "level", "refused"),
    [
        (_link(1001), 1, True),
        (_link(1001), 0, False),
        (_link(1000), 1, False),  # the process' own
        (_link(0), 1, False),  # of the directory's owner
        (_link(1001, is_last=False), 1, False),
        (_link(1001, replace(_TMP, mode=0o777)), 1, False),
    ],
)
def test_links_of_others_in_sticky_directories_are_followed_as_the_setting_says(
    walk: Walk, level: int, *, refused: bool
) -> None:
    verdict = decide(_WEB, Settings(level, 1, 1), Operation.READ, walk)
    assert isinstance(verdict, Denied if refused else Allowed)
    assert verdict.rule is (Rule.PROTECTED_SYMLINK if refused else Rule.OTHER_BITS)


def test_a_setting_that_cannot_be_read_leaves_the_answer_open_where_it_counts() -> None:
    settings = Settings(None, None, None)
    assert isinstance(decide(_WEB, settings, Operation.READ, _link(1001)), Unknown)
    assert isinstance(decide(_WEB, settings, Operation.READ, _link(1000)), Allowed)


def test_a_write_that_would_create_is_warned_of_in_a_sticky_directory() -> None:
    others = Node(FileType.REGULAR, 0o666, 1001, 0)
    verdict = decide(_WEB, _HARDENED, Operation.WRITE, _found(others, _TMP))
    assert isinstance(verdict, Allowed)
    assert verdict.caveats == (Caveat.PROTECTED_OPEN,)


@pytest.mark.parametrize(
    ("operation", "node", "rule"),
    [
        (Operation.WRITE, Node(FileType.REGULAR, 0o666, 0, 0, is_read_only=True), Rule.READ_ONLY),
        (Operation.EXECUTE, Node(FileType.REGULAR, 0o777, 0, 0, is_noexec=True), Rule.NOEXEC),
        (Operation.READ, Node(FileType.CHARACTER_DEVICE, 0o666, 0, 0, is_nodev=True), Rule.NODEV),
        (Operation.WRITE, Node(FileType.REGULAR, 0o666, 0, 0, is_immutable=True), Rule.IMMUTABLE),
        (Operation.WRITE, Node(FileType.REGULAR, 0o666, 0, 0, is_append_only=True), Rule.APPEND_ONLY),
        (Operation.READ, Node(FileType.SOCKET, 0o666, 0, 0), Rule.SOCKET),
        (Operation.LIST, Node(FileType.REGULAR, 0o666, 0, 0), Rule.NOT_A_DIRECTORY),
        (Operation.CREATE, Node(FileType.REGULAR, 0o666, 0, 0), Rule.EXISTS),
    ],
)
def test_mounts_flags_and_kinds_say_no_whatever_the_bits_say(operation: Operation, node: Node, rule: Rule) -> None:
    verdict = decide(_WEB, _HARDENED, operation, _found(node))
    assert isinstance(verdict, Denied)
    assert verdict.rule is rule


def test_what_cannot_be_known_stands_beside_a_yes() -> None:
    confined = msgspec.structs.replace(_WEB, is_confined=True, has_seccomp=True)
    file = Node(FileType.REGULAR, 0o644, 0, 0, is_fuse=True)
    verdict = decide(confined, _HARDENED, Operation.READ, _found(file))
    assert isinstance(verdict, Allowed)
    assert verdict.caveats == (Caveat.SECURITY_MODULE, Caveat.SECCOMP, Caveat.FUSE)


@given(data=st.binary(max_size=80))
def test_no_bytes_of_a_list_are_taken_for_what_they_are_not(data: bytes) -> None:
    try:
        entries = parse_acl(data)
    except AclError:
        return
    assert len(entries) == (len(data) - 4) // 8
    assert all(0 <= entry.rights <= 7 for entry in entries)


def test_a_list_is_parsed_in_its_order() -> None:
    data = struct.pack("<I", 2) + struct.pack("<HHI", 2, 6, 1000) + struct.pack("<HHI", 0x20, 4, 0xFFFFFFFF)
    assert parse_acl(data) == (AclEntry(AclTag.USER, 6, 1000), AclEntry(AclTag.OTHER, 4, 0xFFFFFFFF))


@pytest.mark.parametrize(
    ("is_own", "expected"),
    [(True, ((0, 1), (1, 100))), (False, ((1000, 1), (100_000, 100)))],
)
def test_ids_of_a_namespace_are_those_that_the_reader_shows(
    expected: tuple[tuple[int, int], ...], *, is_own: bool
) -> None:
    assert shown_ids(b"         0       1000          1\n         1     100000        100\n", is_own=is_own) == expected


@given(data=st.binary(max_size=60))
def test_no_map_and_no_status_is_misread(data: bytes) -> None:
    for parse in (lambda: shown_ids(data, is_own=True), lambda: parse_memberships(data)):
        try:
            parse()
        except ProcParseError:
            continue


def test_groups_and_seccomp_are_read_from_a_status() -> None:
    assert parse_memberships(b"Groups:\t4 24 \nSeccomp:\t2\n") == (frozenset({4, 24}), True)
    assert parse_memberships(b"Groups:\t\n") == (frozenset(), False)
