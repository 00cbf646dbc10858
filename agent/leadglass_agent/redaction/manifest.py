"""Spans every value below data and stringData of a Kubernetes Secret, whatever it decodes to."""

from __future__ import annotations

import re
from typing import Final, final

from leadglass_agent.redaction.findings import RuleId
from leadglass_agent.redaction.lines import Walks
from leadglass_agent.redaction.spans import Span
from leadglass_agent.redaction.values import find_value

_RULE: Final = RuleId("kubernetes-secret")
_RANK: Final = 45
# An API server takes Secrets of 1 MiB; so much on either side of the kind is read here, and names find the rest.
_REACH: Final = 16_384
_MAX_VALUES: Final = 256
_SEPARATOR: Final = re.compile(rb"^---", re.MULTILINE)
_FIELD: Final = re.compile(
    rb"(?:^|(?<=[{,]))([ \t]*)(?:- )?([\"']?)(?:data|stringData)\2[ \t]*:[ \t]*(\{?)", re.MULTILINE
)
_KEY: Final = re.compile(rb"([ \t]*)([\"']?)[A-Za-z0-9_.-]{1,253}\2[ \t]*:")
_JSON_KEY: Final = re.compile(rb"[\s,]*\"[A-Za-z0-9_.-]{1,253}\"[ \t]*:")
_VERSION: Final = b"apiVersion"


@final
class Manifests:
    """How far the manifests of one text were read, so that no line is read for two kinds."""

    __slots__ = ("_read_to",)

    def __init__(self) -> None:
        self._read_to = 0

    def confirm(self, data: bytes, end: int, out: list[Span]) -> None:
        """Spans the values of the object whose `kind: Secret` ends at `end`."""
        start, stop = self._object(data, end)
        self._read_to = max(self._read_to, stop)
        walks = Walks()
        position = start
        while position < stop:
            field = _FIELD.search(data, position, stop)
            if field is None:
                return
            position = field.end()
            if field[3]:
                position = _json_values(data, position, stop, walks, out)
            else:
                position = _lines(data, position, stop, len(field[1]), walks, out)

    def _object(self, data: bytes, end: int) -> tuple[int, int]:
        floor = max(self._read_to, end - _REACH, 0)
        limit = min(len(data), end + _REACH)
        start = max(floor, data.rfind(b"\n---", floor, end))
        version = data.rfind(_VERSION, start, end)
        following = _SEPARATOR.search(data, end, limit)
        stop = limit if following is None else following.start()
        if version >= 0:
            # Lists sort the fields of each object: the next version begins the next object.
            start = version
            following_version = data.find(_VERSION, end, stop)
            stop = following_version if following_version >= 0 else stop
        return start, stop


def _json_values(data: bytes, position: int, stop: int, walks: Walks, out: list[Span]) -> int:
    for _ in range(_MAX_VALUES):
        key = _JSON_KEY.match(data, position, stop)
        if key is None:
            return position
        position = _value(data, key.end(), key.end(), walks, out)
    return position


def _lines(data: bytes, position: int, stop: int, indent: int, walks: Walks, out: list[Span]) -> int:
    for _ in range(_MAX_VALUES):
        line = data.find(b"\n", position, stop)
        if line < 0:
            return stop
        key = _KEY.match(data, line + 1, stop)
        if key is None or len(key[1]) <= indent:
            return line + 1
        position = _value(data, key.end(), line + 1 + len(key[1]), walks, out)
    return position


def _value(data: bytes, position: int, name_start: int, walks: Walks, out: list[Span]) -> int:
    start, end, _quoted = find_value(data, position, name_start, 0x3A, 0, walks)
    if start < 0:
        return position
    out.append(Span(start, end, _RANK, _RULE))
    return end + 1 if data[end : end + 1] in (b'"', b"'") else end
