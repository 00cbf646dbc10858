"""The program that the kernel runs says what the filter says, for every role, architecture, call and argument."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpf_interpreter import Call, run
from leadglass_agent.sandbox.bpf import Verdict, assemble
from leadglass_agent.sandbox.filters import filter_for
from leadglass_agent.sandbox.posture import Role
from leadglass_agent.sandbox.resolving import HOW_ADDRESSES, HOW_BYTES
from leadglass_agent.sandbox.rules import LONG, Bits, Filter, Rule, union
from leadglass_agent.sandbox.syscalls import AUDIT_ARCH, NUMBERS, UNKNOWN_FROM, X32_BIT, Arch

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROGRAMS: Final = {(role, arch): assemble(filter_for(role), arch) for role in Role for arch in Arch}

_PATIENT: Final = (HealthCheck.too_slow,)  # a loaded machine draws slowly, too
_NEVER: Final = (
    *("execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "pidfd_send_signal"),
    *("mount", "unshare", "setns", "setuid", "bpf", "keyctl", "io_uring_setup", "personality"),
    *("chmod", "fchmodat", "chown", "fchownat", "utimensat", "setxattr", "symlinkat", "linkat", "mknodat", "truncate"),
    *("sendfile", "splice", "copy_file_range", "vfork", "tkill", "tgkill", "rt_sigqueueinfo", "setpriority", "creat"),
)


def _holds(condition: Bits, arguments: tuple[int, ...]) -> bool:
    found = (arguments[condition.argument] & condition.mask) in condition.values
    return found != condition.outside


def _plain(wanted: Filter, arch: Arch, call: Call) -> Verdict:
    """Reads a filter as its author means it."""
    if call.arch != AUDIT_ARCH[arch] or (arch is Arch.X86_64 and call.number >= X32_BIT):
        return Verdict.KILL
    names: Mapping[int, str] = {number: name for name, number in NUMBERS[arch].items()}
    name = names.get(call.number, "")
    for rule in wanted.rules:
        if rule.call == name:
            allowed = any(all(_holds(one, call.arguments) for one in conditions) for conditions in rule.any_of)
            return Verdict.ALLOW if allowed else Verdict.REFUSE
    absent = name in wanted.absent or call.number >= UNKNOWN_FROM
    return Verdict.ABSENT if absent else Verdict.REFUSE


_WORDS: Final = st.one_of(
    st.integers(0, LONG),
    st.integers(0, 64),
    st.sampled_from((0xFFFF_FF9C, LONG - 99, *HOW_ADDRESSES, 0x20_0000_0000, 0x3D0F00, 0x7D0F00, 0x1200011, 0x11)),
    st.integers(0, 40).map(lambda bit: 1 << bit),
    st.integers(0, 1 << 25),
)


@st.composite
def _calls(draw: st.DrawFn, arch: Arch, wanted: Filter) -> Call:
    conditional = [rule.call for rule in wanted.rules if () not in rule.any_of and rule.call in NUMBERS[arch]]
    number = draw(
        st.one_of(
            st.sampled_from(conditional).map(lambda name: NUMBERS[arch][name]),
            st.integers(0, 480),
            st.integers(0, (1 << 32) - 1),
        )
    )
    audit = draw(st.sampled_from((AUDIT_ARCH[arch],) * 9 + (0x40000003, *AUDIT_ARCH.values())))
    return Call(number, audit, tuple(draw(_WORDS) for _ in range(6)))


@pytest.mark.parametrize("arch", Arch)
@pytest.mark.parametrize("role", Role)
def test_a_program_decides_as_its_filter_reads(role: Role, arch: Arch) -> None:
    wanted, program = filter_for(role), _PROGRAMS[role, arch]

    @settings(max_examples=150, deadline=None, suppress_health_check=_PATIENT)
    @given(_calls(arch, wanted))
    def decide(call: Call) -> None:
        assert run(program, call) == _plain(wanted, arch, call)

    decide()


@pytest.mark.parametrize("arch", Arch)
@pytest.mark.parametrize("role", Role)
def test_every_call_of_the_table_is_decided_as_its_filter_reads(role: Role, arch: Arch) -> None:
    wanted, program = filter_for(role), _PROGRAMS[role, arch]
    for number in range(600):
        for word in (0, 1, 2, 4, 9, LONG):
            call = Call(number, AUDIT_ARCH[arch], (word,) * 6)
            assert run(program, call) == _plain(wanted, arch, call), number


@settings(max_examples=150, deadline=None, suppress_health_check=_PATIENT)
@given(
    st.lists(
        st.lists(
            st.builds(
                Bits,
                st.integers(0, 5),
                st.one_of(st.integers(0, LONG), st.sampled_from((0xFFFF_FFFF, LONG))),
                st.frozensets(st.integers(0, LONG), max_size=3),
                st.booleans(),
            ),
            max_size=2,
        ).map(tuple),
        max_size=3,
    ).map(tuple),
    st.lists(st.integers(0, LONG), min_size=6, max_size=6).map(tuple),
    st.data(),
)
def test_any_rule_is_assembled_as_it_reads(
    any_of: tuple[tuple[Bits, ...], ...], arguments: tuple[int, ...], data: st.DataObject
) -> None:
    """Arguments are drawn at random, and then made to meet a condition, since by chance they would meet none."""
    conditions = [condition for alternative in any_of for condition in alternative if condition.values]
    words = list(arguments)
    for condition in conditions:
        if data.draw(st.booleans()):
            value = data.draw(st.sampled_from(sorted(condition.values)))
            words[condition.argument] = words[condition.argument] & ~condition.mask | value & condition.mask
    wanted = Filter((Rule("ioctl", any_of),), frozenset())
    call = Call(NUMBERS[Arch.X86_64]["ioctl"], AUDIT_ARCH[Arch.X86_64], tuple(words))
    assert run(assemble(wanted, Arch.X86_64), call) == _plain(wanted, Arch.X86_64, call)


@pytest.mark.parametrize("role", [Role.FILE_WORKER, Role.SEALER, Role.READER, Role.DIALLER])
@pytest.mark.parametrize("arch", Arch)
def test_what_the_supervisor_forks_may_confine_itself_under_its_filter(arch: Arch, role: Role) -> None:
    """A filter is inherited: what a child needs and the supervisor's filter lacks, the child never gets."""
    wanted = filter_for(role)
    supervisor = _PROGRAMS[Role.SUPERVISOR, arch]

    @settings(max_examples=150, deadline=None, suppress_health_check=_PATIENT)
    @given(_calls(arch, wanted))
    def compare(call: Call) -> None:
        if run(_PROGRAMS[role, arch], call) == Verdict.ALLOW:
            assert run(supervisor, call) == Verdict.ALLOW

    compare()
    for name in (rule.call for rule in wanted.rules if () in rule.any_of and rule.call in NUMBERS[arch]):
        assert run(supervisor, Call(NUMBERS[arch][name], AUDIT_ARCH[arch], (0,) * 6)) == Verdict.ALLOW, name


@pytest.mark.parametrize("arch", Arch)
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("name", _NEVER)
def test_what_no_process_of_the_agent_does_is_refused_whatever_its_arguments_are(
    role: Role, arch: Arch, name: str
) -> None:
    if name not in NUMBERS[arch]:
        return  # the architecture was born without it
    for word in (0, 1, 0x11, LONG, 1 << 31):
        verdict = run(_PROGRAMS[role, arch], Call(NUMBERS[arch][name], AUDIT_ARCH[arch], (word,) * 6))
        assert verdict == Verdict.REFUSE


@pytest.mark.parametrize("role", [Role.SUPERVISOR, Role.READER, Role.FILE_WORKER, Role.SEALER])
@pytest.mark.parametrize("flag", [os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_TMPFILE, 3])
def test_only_the_front_opens_for_writing(role: Role, flag: int) -> None:
    for arch in Arch:
        call = Call(NUMBERS[arch]["openat"], AUDIT_ARCH[arch], (0xFFFF_FF9C, 1, flag | os.O_CLOEXEC, 0o600))
        assert run(_PROGRAMS[role, arch], call) == Verdict.REFUSE
    old = Call(NUMBERS[Arch.X86_64]["open"], AUDIT_ARCH[Arch.X86_64], (1, flag, 0o600))
    assert run(_PROGRAMS[role, Arch.X86_64], old) == Verdict.REFUSE


def test_openat2_is_accepted_with_the_pinned_structs_alone() -> None:
    program, arch = _PROGRAMS[Role.FILE_WORKER, Arch.X86_64], AUDIT_ARCH[Arch.X86_64]
    for address in HOW_ADDRESSES:
        assert run(program, Call(437, arch, (3, 1, address, HOW_BYTES))) == Verdict.ALLOW
        for other in (address + 8, address | 1 << 40, address & 0xFFFF_FFFF):
            assert run(program, Call(437, arch, (3, 1, other, HOW_BYTES))) == Verdict.REFUSE
        assert run(program, Call(437, arch, (3, 1, address, 32))) == Verdict.REFUSE


@settings(max_examples=200, deadline=None, suppress_health_check=_PATIENT)
@given(st.integers(0, (1 << 47) - 1), st.integers(0, LONG), st.integers(0, 7), st.sampled_from(("munmap", "mprotect")))
def test_no_call_that_reaches_the_pinned_page_is_accepted(start: int, length: int, protection: int, name: str) -> None:
    near = HOW_ADDRESSES[0] - length // 2 if length < 1 << 40 else start
    for address in (start, max(near, 0), HOW_ADDRESSES[0]):
        if address <= HOW_ADDRESSES[-1] and address + length > HOW_ADDRESSES[0]:
            for role in (Role.FILE_WORKER, Role.SUPERVISOR):
                call = Call(
                    NUMBERS[Arch.X86_64][name], AUDIT_ARCH[Arch.X86_64], (address, length & LONG, protection, 0, 0, 0)
                )
                assert run(_PROGRAMS[role, Arch.X86_64], call) == Verdict.REFUSE


@pytest.mark.parametrize("role", [Role.FILE_WORKER, Role.SUPERVISOR])
@pytest.mark.parametrize("name", ["munmap", "mprotect", "mremap"])
def test_a_tag_in_an_address_hides_the_pinned_page_from_no_filter(role: Role, name: str) -> None:
    """On aarch64 the kernel takes the first byte off (untagged_addr), so that the same page has 256 addresses."""
    for tag in (1, 0x7F, 0x80, 0xFF):
        arguments = (tag << 56 | HOW_ADDRESSES[0] & ~0xFFF, 4_096, 3, 0, 0, 0)
        call = Call(NUMBERS[Arch.AARCH64][name], AUDIT_ARCH[Arch.AARCH64], arguments)
        assert run(_PROGRAMS[role, Arch.AARCH64], call) == Verdict.REFUSE


@pytest.mark.parametrize("arch", Arch)
@pytest.mark.parametrize("role", Role)
def test_a_pair_of_sockets_is_a_stream(role: Role, arch: Arch) -> None:
    """A socket of datagrams sends to whom a message names, also if it is one of a pair; SOCK_RAW is another name."""
    for kind in range(16):
        call = Call(NUMBERS[arch]["socketpair"], AUDIT_ARCH[arch], (1, kind | 0o2000000 | 0xA << 32, 0, 1, 0, 0))
        assert run(_PROGRAMS[role, arch], call) == (Verdict.ALLOW if kind == 1 else Verdict.REFUSE)


@pytest.mark.parametrize("arch", Arch)
@pytest.mark.parametrize("role", Role)
def test_no_socket_is_made_to_hold_up_whoever_closes_it(role: Role, arch: Arch) -> None:
    """SO_LINGER on a socket that the front handed over held the supervisor up for as long as the front liked."""
    call = Call(NUMBERS[arch]["setsockopt"], AUDIT_ARCH[arch], (7, 1, 13, 1, 8, 0))
    assert run(_PROGRAMS[role, arch], call) == Verdict.REFUSE


def test_a_union_admits_what_one_of_its_groups_admits() -> None:
    narrow = (Rule("ioctl", ((Bits(1, LONG, frozenset({1})),),)),)
    other = (Rule("ioctl", ((Bits(1, LONG, frozenset({2})),),)), Rule("read"))
    merged = {rule.call: rule.any_of for rule in union(narrow, other, narrow)}
    assert merged == {"ioctl": (*narrow[0].any_of, *other[0].any_of), "read": ((),)}
    assert union(narrow, (Rule("ioctl"),)) == (Rule("ioctl"),)
