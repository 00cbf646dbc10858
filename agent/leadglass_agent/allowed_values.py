"""Names the values that a type takes at one place of a document, where they are a closed choice."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Final, Literal, get_args, get_origin, get_type_hints

import msgspec

# A line for a person: a longer choice, such as that of permissions, is in the documentation.
_MOST: Final = 8


def allowed_values(kind: object, path: tuple[str | int, ...]) -> tuple[str, ...]:
    """Gives the words of the choice at `path` of a document of type `kind`; none where there is no short choice."""
    kinds: tuple[object, ...] = (kind,)
    for step in path:
        kinds = tuple(inner for outer in kinds for inner in _inner(outer, step))
    words = tuple(word for option in kinds for word in _words(option))
    return words if len(words) <= _MOST else ()


def _options(kind: object) -> tuple[object, ...]:
    """Takes unions and annotations apart."""
    if get_origin(kind) is Annotated:
        return _options(get_args(kind)[0])
    if isinstance(kind, type) or get_origin(kind) in {Literal, tuple, list, dict, frozenset}:
        return (kind,)
    return tuple(option for one in get_args(kind) for option in _options(one))


def _inner(kind: object, step: str | int) -> tuple[object, ...]:
    found: list[object] = []
    for option in _options(kind):
        if isinstance(step, int) or get_origin(option) is dict:
            found += [one for one in get_args(option) if one is not ...][-1:]
        elif isinstance(option, type) and issubclass(option, msgspec.Struct):
            fields = dict(zip(option.__struct_encode_fields__, option.__struct_fields__, strict=True))
            if step in fields:
                found.append(get_type_hints(option, include_extras=True)[fields[step]])
    return tuple(found)


def _words(kind: object) -> tuple[str, ...]:
    words: list[str] = []
    for option in _options(kind):
        if get_origin(option) is Literal:
            words += map(str, get_args(option))
        elif isinstance(option, type) and issubclass(option, Enum):
            words += (str(member.value) for member in option)
    return tuple(words)
