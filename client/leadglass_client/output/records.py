"""Turns messages of the API into JSON values: field names as in the proto, times as RFC 3339, enums by short name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from leadglass.v1.common_pb2 import UnavailableReason, VisibleText
from leadglass_client.output.visible import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google._upb import _message as upb  # the stubs of protobuf give messages descriptors of this kind as well
    from google.protobuf import descriptor as pure

    _Descriptor: TypeAlias = pure.Descriptor | upb.Descriptor
    _EnumDescriptor: TypeAlias = pure.EnumDescriptor | upb.EnumDescriptor
    _FieldDescriptor: TypeAlias = pure.FieldDescriptor | upb.FieldDescriptor

JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"
Record: TypeAlias = "dict[str, JsonValue]"

CUT = "truncated_fields"
_TEXT = VisibleText.DESCRIPTOR.full_name
_DURATION = Duration.DESCRIPTOR.full_name
_TIMESTAMP = Timestamp.DESCRIPTOR.full_name
_NO_REASON = UnavailableReason.DESCRIPTOR.full_name


def record(message: Message) -> Record:
    """Converts one message; text of the target becomes a string, and `truncated_fields` names the texts cut."""
    result: Record = {}
    cut: list[JsonValue] = []
    for field in message.DESCRIPTOR.fields:
        value: object = getattr(message, field.name)
        if field.is_repeated:
            items = list(value) if isinstance(value, Sequence) else []
            result[field.name] = [_value(field, item) for item in items]
            cut.extend(f"{field.name}[{index}]" for index, item in enumerate(items) if _is_cut(item))
        else:
            absent = field.message_type is not None and not message.HasField(field.name)
            result[_key(field)] = None if absent else _value(field, value)
            if _is_cut(value):
                cut.append(field.name)
    if _has_text(message.DESCRIPTOR):
        result[CUT] = cut
    return result


def field_names(descriptor: _Descriptor, prefix: str = "") -> tuple[str, ...]:
    """Lists the flat column names of a message, with a dot between a message and its fields."""
    names = tuple(_field_names(descriptor, prefix))
    return (*names, prefix + CUT) if _has_text(descriptor) else names


def short_name(descriptor: _EnumDescriptor, number: int) -> str:
    """Gives the name of an enum value without the prefix of its type; the number itself if this version knows none."""
    value = descriptor.values_by_number.get(number)
    if value is None:
        return str(number)
    prefix = "".join(f"_{char}" if char.isupper() else char for char in descriptor.name).lstrip("_").upper() + "_"
    return value.name.removeprefix(prefix)


def timestamp_text(moment: Timestamp) -> str:
    """Writes a time as RFC 3339 in UTC; a time outside of the years 1 to 9999 as seconds since 1970."""
    try:
        return moment.ToJsonString()
    except ValueError:
        return f"{moment.seconds}"


def duration_seconds(duration: Duration) -> float:
    """Gives a duration in seconds."""
    return duration.seconds + duration.nanos / 1_000_000_000


def _field_names(descriptor: _Descriptor, prefix: str) -> Iterator[str]:
    for field in descriptor.fields:
        nested = field.message_type
        known = nested is not None and nested.full_name in {_TEXT, _DURATION, _TIMESTAMP}
        if nested is None or known or field.is_repeated:
            yield prefix + _key(field)
        else:
            yield from field_names(nested, f"{prefix}{field.name}.")


def _key(field: _FieldDescriptor) -> str:
    is_duration = field.message_type is not None and field.message_type.full_name == _DURATION
    return f"{field.name}_seconds" if is_duration else field.name


def _value(field: _FieldDescriptor, value: object) -> JsonValue:
    if field.enum_type is not None and isinstance(value, int):
        unset = value == 0 and field.enum_type.full_name == _NO_REASON
        return None if unset else short_name(field.enum_type, value)
    result: JsonValue = None
    match value:
        case VisibleText():
            result = printable(value.text)
        case Timestamp():
            result = timestamp_text(value)
        case Duration():
            result = duration_seconds(value)
        case Message():
            result = record(value)
        case str():
            result = printable(value)
        case bool() | int() | float():
            result = value
        case _:
            pass
    return result


def _is_cut(value: object) -> bool:
    return isinstance(value, VisibleText) and value.truncated


def _has_text(descriptor: _Descriptor) -> bool:
    return any(field.message_type is not None and field.message_type.full_name == _TEXT for field in descriptor.fields)
