"""Each number of a system call is the one of the kernel's own headers, on both architectures."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import pytest

from leadglass_agent.sandbox.filters import filter_for
from leadglass_agent.sandbox.posture import Role
from leadglass_agent.sandbox.syscalls import AUDIT_ARCH, NUMBERS, UNKNOWN_FROM, Arch, this_arch

# Debian's linux-libc-dev; a cross compiler's package brings the same files.
_HEADERS: Final = {
    Arch.X86_64: Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    Arch.AARCH64: Path("/usr/include/asm-generic/unistd.h"),
}
_AUDIT: Final = Path("/usr/include/linux/audit.h")
_ELF: Final = Path("/usr/include/linux/elf-em.h")
_DEFINED: Final = re.compile(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", re.MULTILINE)
# The generic table calls it after what a 32-bit machine would have in its place.
_OTHER_NAMES: Final = {"fstatat": "newfstatat"}


def _numbers(arch: Arch) -> dict[str, int]:
    header = _HEADERS[arch]
    if not header.exists():
        pytest.skip(f"{header} is not here: linux-libc-dev is not installed")
    found = {name: int(number) for name, number in _DEFINED.findall(header.read_text(encoding="ascii"))}
    return {_OTHER_NAMES.get(name, name): number for name, number in found.items()}


@pytest.mark.parametrize("arch", Arch)
def test_numbers_are_those_of_the_kernels_headers(arch: Arch) -> None:
    found = _numbers(arch)
    assert len(found) > 250
    assert {name: found.get(name) for name in NUMBERS[arch]} == dict(NUMBERS[arch])


@pytest.mark.parametrize("arch", Arch)
def test_a_call_that_has_no_number_is_one_that_the_architecture_lacks(arch: Arch) -> None:
    every = {name for numbers in NUMBERS.values() for name in numbers}
    assert not _numbers(arch).keys() & (every - NUMBERS[arch].keys())


@pytest.mark.parametrize("arch", Arch)
def test_no_two_calls_share_a_number(arch: Arch) -> None:
    assert len(set(NUMBERS[arch].values())) == len(NUMBERS[arch])
    assert max(NUMBERS[arch].values()) < UNKNOWN_FROM


def test_every_call_of_a_filter_has_a_number_on_some_architecture() -> None:
    every = {name for numbers in NUMBERS.values() for name in numbers}
    for role in Role:
        wanted = filter_for(role)
        assert {rule.call for rule in wanted.rules} <= every
        assert all(call in NUMBERS[arch] for call in wanted.absent for arch in Arch)


def test_architectures_are_told_apart_by_the_headers_own_numbers() -> None:
    if not _ELF.exists():
        pytest.skip(f"{_ELF} is not here: linux-libc-dev is not installed")
    elf = {name: int(number) for name, number in re.findall(r"#define (EM_\w+)\s+(\d+)", _ELF.read_text())}
    flags = 0x8000_0000 | 0x4000_0000  # __AUDIT_ARCH_64BIT and __AUDIT_ARCH_LE
    assert "0x80000000" in _AUDIT.read_text()
    assert {Arch.X86_64: elf["EM_X86_64"] | flags, Arch.AARCH64: elf["EM_AARCH64"] | flags} == dict(AUDIT_ARCH)


def test_the_architecture_is_the_machines() -> None:
    arch = this_arch()
    assert (None if arch is None else arch.value) == (
        os.uname().machine if os.uname().machine in {"x86_64", "aarch64"} else None
    )
