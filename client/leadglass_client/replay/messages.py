"""Reads the requests and replies of recorded calls as the messages that they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from leadglass.v1 import access_pb2, agent_pb2, audit_pb2, inspect_pb2
from leadglass_agent.recordings.format import RecordingError

if TYPE_CHECKING:
    from leadglass_client.replay.recording import RecordedCall

_SERVICES: Final = {
    service.full_name: service
    for file in (inspect_pb2.DESCRIPTOR, access_pb2.DESCRIPTOR, agent_pb2.DESCRIPTOR, audit_pb2.DESCRIPTOR)
    for service in file.services_by_name.values()
}


def request_of(call: RecordedCall) -> Message | None:
    """Reads the request; None if this version does not know the method, or it was no request of it."""
    return _read(call.called.method, call.called.request, is_reply=False)


def replies_of(call: RecordedCall) -> tuple[Message, ...]:
    """Reads the replies that were recorded; raises RecordingError if one is not of the method's kind."""
    replies = tuple(_read(call.called.method, one.message, is_reply=True) for one in call.replied if not one.withheld)
    if any(reply is None for reply in replies):
        what = f"call {call.number} holds a reply that is no message of its method"
        raise RecordingError(what)
    return tuple(reply for reply in replies if reply is not None)


def short_method(name: str) -> str:
    """Gives the name of a method without its service."""
    return name.rsplit("/", 1)[-1]


def _read(method: str, data: bytes, *, is_reply: bool) -> Message | None:
    _, _, path = method.partition("/")
    service, _, name = path.partition("/")
    descriptor = _SERVICES.get(service)
    found = None if descriptor is None else descriptor.methods_by_name.get(name)
    if found is None:
        return None
    kind = GetMessageClass(found.output_type if is_reply else found.input_type)
    try:
        return kind.FromString(data)
    except DecodeError:
        return None
