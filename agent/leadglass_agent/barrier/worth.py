"""Decides which values are worth a fingerprint: those under a secret's name, and those that look like one.

Too few and a secret leaves; too many and a reply is withheld because a program is called like a variable's value.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from leadglass_agent.barrier.canonical import folded
from leadglass_agent.barrier.forms import SHORTEST
from leadglass_agent.barrier.names import Standing

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


_DISTINCT: Final = 5
_ONE_CLASS_BYTES: Final = 12  # a shorter one in letters of one case, or in digits alone, is a word or a number
_PATH: Final = re.compile(rb"(?:~|\.{1,2})?/[\w.@+/ -]*|[A-Za-z]:\\[^\n]*")
_PLAIN_URL: Final = re.compile(rb"[a-z][a-z0-9+.-]{0,15}://[^\s@?#]*")
_PLACEHOLDER: Final = re.compile(rb"\$\{.*\}|\$\(.*\)|\{\{.*\}\}|<[\w .-]+>|%\(.*\)s|(?:arn:aws|vault:|op://|ref\+).*")
_HEAD: Final = 64
_PUBLIC_KEY: Final = re.compile(rb"^(?:\S{4,40} )?AAAA(?:[BC]3NzaC1|E2VjZHNhL)")  # RFC 4253: the type comes first
_TIME: Final = re.compile(rb"\d{4}-\d\d-\d\d[T ]?[\d:.,Z+-]*")
_UUID: Final = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_RUN: Final = re.compile(rb"[A-Za-z0-9]+")
_TOKEN_RUN: Final = 16
_TURNS: Final = 4  # changes between letters and digits: an identifier with a number at its end has one
_KINDS: Final = bytes(byte - byte % 32 if chr(byte).isalpha() else 0 for byte in range(256))
_LONG_RUN, _MANY_TURNS = 20, 6
_MARKS: Final = frozenset(b"!@#$%^&*?~+")
_PASSWORD_BYTES: Final = 40


def is_worth(value: bytes, standing: Standing, program_names: AbstractSet[bytes] = frozenset()) -> bool:
    """Says whether a value is kept; one that is also a program's name would withhold every process list."""
    short = folded(value)
    if len(value) < SHORTEST or len(short) < SHORTEST or len(set(short)) < _DISTINCT or short in program_names:
        return False
    if _PUBLIC_KEY.search(value[:_HEAD]):
        return False
    match standing:
        case Standing.PLAIN:
            return _is_generated(value)
        case Standing.SECRET:
            return _is_no_word(value) and not _is_place(value) and _PLACEHOLDER.fullmatch(value) is None
        case Standing.UNKNOWN:
            return not _is_place(value) and _is_like_credential(value)


def _is_no_word(value: bytes) -> bool:
    letters_of_one_case = value.isalpha() and (value.islower() or value.isupper() or value[1:].islower())
    return len(value) >= _ONE_CLASS_BYTES or not (letters_of_one_case or value.isdigit())


def _is_place(value: bytes) -> bool:
    return any(pattern.fullmatch(value) for pattern in (_PATH, _PLAIN_URL, _TIME))


def _is_like_credential(value: bytes) -> bool:
    """Says whether a value has the variety of a generated token, or the mixture that password rules ask for."""
    if _UUID.fullmatch(value):
        return False
    if any(_turns(run) >= _TURNS for run in _RUN.findall(value) if len(run) >= _TOKEN_RUN):
        return True
    if len(value) > _PASSWORD_BYTES or any(byte in b" /,=" for byte in value):
        return False
    has_cases = not (value.islower() or value.isupper())
    return has_cases and any(byte in b"0123456789" for byte in value) and not _MARKS.isdisjoint(value)


def _is_generated(value: bytes) -> bool:
    """Says whether a value is surely made at random: letters of both cases among digits, in one long run."""
    return any(
        len(run) >= _LONG_RUN and not (run.islower() or run.isupper()) and _turns(run) >= _MANY_TURNS
        for run in _RUN.findall(value)
    )


def _turns(run: bytes) -> int:
    """Counts the changes between digits, small and capital letters."""
    return sum(before != after for before, after in pairwise(run.translate(_KINDS)))
