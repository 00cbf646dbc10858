"""Assembles a filter into a classic BPF program, the form in which seccomp(2) takes it; pure."""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from leadglass_agent.sandbox.syscalls import AUDIT_ARCH, NUMBERS, UNKNOWN_FROM, X32_BIT, Arch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from leadglass_agent.sandbox.rules import Bits, Filter, Rule

MAX_INSTRUCTIONS: Final = 4_096  # BPF_MAXINSNS, include/uapi/linux/bpf_common.h
_INSTRUCTION: Final = struct.Struct("=HBBI")  # struct sock_filter, include/uapi/linux/filter.h
_MAX_JUMP: Final = 255
# include/uapi/linux/bpf_common.h
_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_AND: Final = 0x54  # BPF_ALU | BPF_AND | BPF_K
_IF_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_IF_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
# struct seccomp_data, include/uapi/linux/seccomp.h; both architectures are little-endian.
_NUMBER_AT: Final = 0
_ARCH_AT: Final = 4
_ARGUMENTS_AT: Final = 16
_WORD: Final = 0xFFFF_FFFF


class Verdict(IntEnum):
    """What the kernel does with a call: SECCOMP_RET_… of include/uapi/linux/seccomp.h with the error number."""

    ALLOW = 0x7FFF_0000
    REFUSE = 0x0005_0000 | errno.EPERM
    ABSENT = 0x0005_0000 | errno.ENOSYS
    KILL = 0x8000_0000


@dataclass(frozen=True, slots=True)
class _Step:
    """One instruction; a jump names where it goes, and None is the next one."""

    code: int
    operand: int
    yes: str | None = None
    no: str | None = None


def assemble(wanted: Filter, arch: Arch) -> bytes:
    """Gives the program of a filter for an architecture; calls that the architecture lacks are left out.

    Rules with conditions come first: since Linux 5.11 the kernel remembers which calls are always admitted and runs
    nothing for them.
    """
    return b"".join(_resolved(tuple(_program(wanted, arch))))


def _program(wanted: Filter, arch: Arch) -> Iterator[_Step | str]:
    numbers = NUMBERS[arch]
    yield _Step(_LOAD, _ARCH_AT)
    yield from _unless(_Step(_IF_EQUAL, AUDIT_ARCH[arch]), Verdict.KILL, "arch")
    yield _Step(_LOAD, _NUMBER_AT)
    if arch is Arch.X86_64:
        yield from _if(_Step(_IF_AT_LEAST, X32_BIT), Verdict.KILL, "x32")
    for rule in sorted(wanted.rules, key=lambda rule: () in rule.any_of):
        if rule.call in numbers:
            yield from _rule(rule, numbers)
    for call in sorted(wanted.absent):
        yield from _if(_Step(_IF_EQUAL, numbers[call]), Verdict.ABSENT, call)
    yield from _if(_Step(_IF_AT_LEAST, UNKNOWN_FROM), Verdict.ABSENT, "unknown")
    yield _Step(_RETURN, Verdict.REFUSE)


def _rule(rule: Rule, numbers: Mapping[str, int]) -> Iterator[_Step | str]:
    if () in rule.any_of:
        yield from _if(_Step(_IF_EQUAL, numbers[rule.call]), Verdict.ALLOW, rule.call)
        return
    after = f"{rule.call} after"
    yield _Step(_IF_EQUAL, numbers[rule.call], None, after)
    for place, conditions in enumerate(rule.any_of):
        failed = f"{rule.call} {place} failed"
        for index, condition in enumerate(conditions):
            yield from _condition(condition, f"{rule.call} {place} {index}", failed)
        yield _Step(_RETURN, Verdict.ALLOW)
        yield failed
    yield _Step(_RETURN, Verdict.REFUSE)
    yield after


def _condition(condition: Bits, name: str, failed: str) -> Iterator[_Step | str]:
    """Falls through if the condition holds, else goes to `failed`; the words of 64 bits are compared one by one."""
    low_at = _ARGUMENTS_AT + 8 * condition.argument
    met = f"{name} met"
    found, missed = (failed, met) if condition.outside else (met, failed)
    # A value with a bit outside of the mask is none that the masked argument can have.
    for place, value in enumerate(sorted(one for one in condition.values if not one & ~condition.mask)):
        further = f"{name} {place} further"
        if condition.mask >> 32:
            yield from _masked(low_at + 4, condition.mask >> 32)
            yield _Step(_IF_EQUAL, value >> 32, None, further)
        yield from _masked(low_at, condition.mask & _WORD)
        yield _Step(_IF_EQUAL, value & _WORD, found, further)
        yield further
    if missed == failed:
        # Always true of an unsigned word: the jump that has no condition takes another form.
        yield _Step(_IF_AT_LEAST, 0, missed, missed)
    yield met


def _masked(offset: int, mask: int) -> Iterator[_Step]:
    yield _Step(_LOAD, offset)
    if mask != _WORD:
        yield _Step(_AND, mask)


def _if(test: _Step, verdict: Verdict, name: str) -> Iterator[_Step | str]:
    skip = f"not {name}"
    yield _Step(test.code, test.operand, None, skip)
    yield _Step(_RETURN, verdict)
    yield skip


def _unless(test: _Step, verdict: Verdict, name: str) -> Iterator[_Step | str]:
    skip = f"is {name}"
    yield _Step(test.code, test.operand, skip, None)
    yield _Step(_RETURN, verdict)
    yield skip


def _resolved(program: tuple[_Step | str, ...]) -> Iterator[bytes]:
    """Turns the names of jumps into distances; raises ValueError if the program or a jump is too long."""
    places: dict[str, int] = {}
    steps: list[_Step] = []
    for item in program:
        if isinstance(item, str):
            places[item] = len(steps)
        else:
            steps.append(item)
    if len(steps) > MAX_INSTRUCTIONS:
        message = f"the filter has {len(steps)} instructions"
        raise ValueError(message)
    for at, step in enumerate(steps):
        yes, no = (0 if name is None else places[name] - at - 1 for name in (step.yes, step.no))
        if not (0 <= yes <= _MAX_JUMP and 0 <= no <= _MAX_JUMP):
            message = f"a jump of the filter at {at} is too long"
            raise ValueError(message)
        yield _INSTRUCTION.pack(step.code, yes, no, step.operand)
