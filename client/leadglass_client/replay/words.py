"""Says in one line what a recorded call asked for and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from leadglass_client.output.records import record
from leadglass_client.output.visible import capped, printable
from leadglass_client.replay.messages import request_of, short_method

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadglass_client.output.records import JsonValue
    from leadglass_client.replay.recording import RecordedCall

_MAX_ARGUMENTS: Final = 200
_MAX_VALUE: Final = 80
# Which page, and a key that is of no use any more: nobody asked for these.
_LEFT_OUT: Final = frozenset({"page_size", "page_token", "recipient_key"})


def method_words(call: RecordedCall) -> str:
    """Gives the method's name without its service."""
    return printable(short_method(call.called.method))


def argument_words(call: RecordedCall) -> str:
    """Writes the request's fields that are set, as name=value."""
    request = request_of(call)
    if request is None:
        return f"{len(call.called.request)} bytes that are no request of this version"
    return capped(" ".join(_fields("", record(request))), _MAX_ARGUMENTS)


def result_words(call: RecordedCall) -> str:
    """Says how the call ended."""
    ended = call.ended
    if ended is None:
        return f"no end is recorded, {len(call.replied)} replies until then"
    if ended.refusal:
        return f"refused: {printable(ended.refusal)}"
    masked = f", {ended.masked} masked" if ended.masked else ""
    withheld = ", the value is not in the recording" if any(one.withheld for one in call.replied) else ""
    return f"{ended.rows} {'row' if ended.rows == 1 else 'rows'}{masked}{withheld}"


def _fields(prefix: str, value: JsonValue) -> Iterator[str]:
    match value:
        case dict():
            for name, one in value.items():
                if name not in _LEFT_OUT and one not in (None, "", 0, False, [], "UNSPECIFIED"):
                    # A process is written as it is typed.
                    yield from _process(one) if name == "process" else _fields(f"{prefix}{name}.", one)
        case list():
            yield f"{prefix.rstrip('.')}={','.join(_text(one) for one in value)}"
        case _:
            yield f"{prefix.rstrip('.')}={_text(value)}"


def _process(ref: JsonValue) -> Iterator[str]:
    if isinstance(ref, dict):
        ticks = ref.get("start_ticks")
        yield f"pid={ref.get('pid')}" + (f"@{ticks}" if ticks else "")


def _text(value: JsonValue) -> str:
    return capped(str(value), _MAX_VALUE)
