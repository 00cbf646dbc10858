"""Puts recorded calls together as a person made them: the pages of one list are one answer on the screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from leadglass.v1.inspect_pb2 import (
    ListDirectoryRequest,
    ListEnvironmentRequest,
    ListProcessesRequest,
    StatFilesRequest,
)
from leadglass_client.replay.messages import replies_of, request_of

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from leadglass_client.replay.recording import RecordedCall, Recording

# What the client asks for at once when it has more: the bounds of the API.
_NAMES_A_CALL: Final = 200
_PATHS_A_CALL: Final = 100


@dataclass(frozen=True, slots=True)
class Screen:
    """What one command asked for, by one call or by one for each page, and what it was answered."""

    calls: tuple[RecordedCall, ...]
    request: Message | None
    replies: tuple[Message, ...]

    @property
    def refusal(self) -> str:
        """The reason of the refusal that ended it, if one did: then nothing was printed."""
        return self.calls[-1].refusal


def screens_of(recording: Recording) -> tuple[Screen, ...]:
    """Gives all calls in their order; raises RecordingError on a reply that is no message of its method."""
    screens: list[Screen] = []
    for call in recording.calls:
        screen = screen_of(call)
        if screens and _goes_on(screens[-1], screen):
            before = screens.pop()
            screen = Screen((*before.calls, call), before.request, (*before.replies, *screen.replies))
        screens.append(screen)
    return tuple(screens)


def screen_of(call: RecordedCall) -> Screen:
    """Gives one call alone."""
    return Screen((call,), request_of(call), replies_of(call))


def _goes_on(before: Screen, after: Screen) -> bool:
    first, last, request = before.request, request_of(before.calls[-1]), after.request
    if before.refusal or not before.replies:
        return False
    match last, request:
        case (
            (ListProcessesRequest(), ListProcessesRequest())
            | (ListDirectoryRequest(), ListDirectoryRequest())
            | (ListEnvironmentRequest(names=[]), ListEnvironmentRequest(names=[]))
        ):
            token = getattr(before.replies[-1], "next_page_token", "")
            return bool(token) and getattr(request, "page_token", "") == token and _alike(first, request)
        case StatFilesRequest() as one, StatFilesRequest() as other:
            is_full = len(one.paths) == _PATHS_A_CALL
            return is_full and one.process == other.process and one.follow_symlinks == other.follow_symlinks
        case ListEnvironmentRequest() as one, ListEnvironmentRequest() as other:
            return len(one.names) == _NAMES_A_CALL and bool(other.names) and one.process == other.process
        case _:
            return False


def _alike(one: Message | None, other: Message | None) -> bool:
    """Says whether two requests differ in nothing but their page."""
    if one is None or other is None:
        return False
    texts = []
    for request in (one, other):
        copy = type(request)()
        copy.CopyFrom(request)
        for field in ("page_size", "page_token"):
            copy.ClearField(field)
        texts.append(copy.SerializeToString(deterministic=True))
    return texts[0] == texts[1]
