"""Runs a classic BPF program as the kernel's seccomp does: an interpreter of its own, from the kernel's documentation.

It knows the instructions that seccomp filters of ours are made of, and refuses every other one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06


@dataclass(frozen=True)
class Call:
    """One system call as a filter sees it: struct seccomp_data."""

    number: int
    arch: int
    arguments: tuple[int, ...]

    def packed(self) -> bytes:
        """Lays it out as the kernel does on a little-endian machine."""
        words = (*self.arguments, *(0,) * 6)[:6]
        return struct.pack("<iIQ6Q", _signed(self.number), self.arch, 0, *words)


def run(program: bytes, call: Call) -> int:
    """Gives what the program returns; raises AssertionError on what the kernel would not load."""
    instructions = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    assert 0 < len(instructions) <= 4096
    data, accumulator, at = call.packed(), 0, 0
    while True:
        assert at < len(instructions), "it runs off its end"
        code, yes, no, operand = instructions[at]
        at += 1
        if code == _RETURN:
            return int(operand)
        if code == _LOAD:
            assert operand % 4 == 0
            (accumulator,) = struct.unpack_from("<I", data, operand)
        elif code == _AND:
            accumulator &= operand
        elif code == _EQUAL:
            at += yes if accumulator == operand else no
        else:
            assert code == _AT_LEAST, f"an instruction of another kind: {code:#x}"
            at += yes if accumulator >= operand else no


def _signed(number: int) -> int:
    return number - (1 << 32) if number >= 1 << 31 else number
