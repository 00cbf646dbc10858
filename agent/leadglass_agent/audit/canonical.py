"""Writes and strictly reads canonical JSON: ASCII, sorted keys, no spaces, no floats, one text for one value."""

from __future__ import annotations

import json
from typing import Final, Never, TypeAlias

Json: TypeAlias = "str | int | list[Json] | dict[str, Json]"

_ENCODER: Final = json.JSONEncoder(ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"))


class NotJson(Exception):
    """The bytes are not JSON of the kind that this module writes."""


class NotCanonical(Exception):
    """The bytes are JSON, in another form than this module writes."""


def canonical(value: dict[str, Json]) -> bytes:
    """Returns the one canonical text of the object."""
    return _ENCODER.encode(value).encode("ascii")


def parse(text: bytes) -> dict[str, Json]:
    """Returns the object whose canonical text this is; raises NotJson or NotCanonical for every other input.

    Comparing with the text of the parse finds duplicate keys, spaces, other orders and other spellings at once.
    """
    try:
        value: Json = _DECODER.decode(text.decode("ascii"))
        again = _ENCODER.encode(value).encode("ascii")
    except (ValueError, RecursionError) as error:
        raise NotJson from error
    if not isinstance(value, dict):
        raise NotJson
    if again != text or (b"\\ud" in text and _has_lone_surrogate(value)):
        raise NotCanonical
    return value


def _has_lone_surrogate(value: dict[str, Json]) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _refuse(text: str) -> Never:
    raise ValueError(text)


_DECODER: Final = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse)
