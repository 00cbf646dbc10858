"""Telemetry goes where the configuration says, over checked TLS, and a peer can neither redirect nor hold it."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.start import StartRefused
from leadglass_agent.telemetry.endpoint import Endpoint, EndpointError, parse_endpoint
from leadglass_agent.telemetry.faults import NotTaken, SendFault
from leadglass_agent.telemetry.sending import Sender, Signal
from leadglass_client.authority import create_authority, issue_server
from otlp_receiver import Received, otlp_receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAME = "localhost"


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("https://collector.example:4318", Endpoint("collector.example", 4318, "", is_tls=True)),
        ("https://collector.example", Endpoint("collector.example", 443, "", is_tls=True)),
        ("https://collector.example/otlp/eu/", Endpoint("collector.example", 443, "/otlp/eu", is_tls=True)),
        ("http://127.0.0.1:4318", Endpoint("127.0.0.1", 4318, "", is_tls=False)),
        ("http://127.9.9.9", Endpoint("127.9.9.9", 80, "", is_tls=False)),
        ("http://[::1]:4318", Endpoint("::1", 4318, "", is_tls=False)),
        ("http://localhost:4318", Endpoint("localhost", 4318, "", is_tls=False)),
        (f"https://{'a' * 63}.example", Endpoint(f"{'a' * 63}.example", 443, "", is_tls=True)),
    ],
)
def test_an_endpoint_is_https_or_this_machine(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "collector.example:4318",
        "http://collector.example:4318",
        "http://10.0.0.1:4318",
        "http://0.0.0.0:4318",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "https://user:word@collector.example",
        "https://collector.example:0",
        "https://collector.example:65536",
        "https://collector.example?x=1",
        "https://collector.example/#part",
        "https://collector.example/a b",
        "https://collector.example\r\nX: y",
        "https://a..b",
        "https://.a",
        "https://-a.example",
        f"https://{'a' * 64}.example",
        "https://[::::]",
        "https://",
        "ftp://collector.example",
    ],
)
def test_anything_else_is_no_endpoint(text: str) -> None:
    with pytest.raises(EndpointError):
        parse_endpoint(text)


@given(st.text(max_size=40), st.sampled_from(["", "http://", "https://"]))
def test_whatever_stands_there_plain_http_is_never_for_another_machine(text: str, scheme: str) -> None:
    try:
        endpoint = parse_endpoint(scheme + text)
    except EndpointError:
        return
    assert endpoint.is_tls or endpoint.host in {"localhost", "::1"} or endpoint.host.startswith("127.")


def _sender(received: Received, headers: Path | None = None) -> Sender:
    return Sender(f"http://127.0.0.1:{received.port}/otlp", "", "" if headers is None else str(headers))


def _fault(sender: Sender) -> SendFault:
    with pytest.raises(NotTaken) as caught:
        sender.send(Signal.LOGS, b"x")
    return caught.value.fault


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (429, SendFault.BUSY),
        (503, SendFault.BUSY),
        (401, SendFault.UNAUTHENTICATED),
        (403, SendFault.UNAUTHENTICATED),
        (400, SendFault.REFUSED),
        (301, SendFault.REFUSED),
        (204, SendFault.REFUSED),
        (500, SendFault.BROKEN),
        (502, SendFault.BROKEN),
    ],
)
def test_only_the_status_200_means_that_a_request_was_taken(status: int, fault: SendFault) -> None:
    with otlp_receiver() as received:
        sender = _sender(received)
        received.answer(status=status)
        assert _fault(sender) is fault
        received.answer()
        sender.send(Signal.TRACES, b"more")
        assert [path for path, _ in received.bodies] == ["/otlp/v1/traces"]
        sender.close()


def test_a_connection_that_the_peer_closed_meanwhile_is_made_again_at_once() -> None:
    with otlp_receiver() as received:
        sender = _sender(received)
        sender.send(Signal.LOGS, b"first")
    with otlp_receiver(received, received.port):
        sender.send(Signal.LOGS, b"second")
    assert [body for _, body in received.bodies] == [b"first", b"second"]
    assert _fault(sender) is SendFault.UNREACHABLE


def test_headers_come_from_their_file_as_it_is_now(tmp_path: Path) -> None:
    headers = tmp_path / "headers"
    headers.write_text("Authorization: Bearer one\n\nX-Tenant:  eu west \n")
    with otlp_receiver() as received:
        sender = _sender(received, headers)
        sender.send(Signal.LOGS, b"")
        headers.write_text("Authorization: Bearer two\n")
        sender.send(Signal.LOGS, b"")
        headers.unlink()
        assert _fault(sender) is SendFault.HEADERS_UNREAD
        sender.close()
    assert [made["Authorization"] for made in received.headers] == ["Bearer one", "Bearer two"]
    assert received.headers[0]["X-Tenant"] == "eu west"


@pytest.mark.parametrize(
    "text",
    ["no colon\n", "Content-Length: 5\n", "Host: x\n", "A: \n", ": b\n", "A b: c\n", "A: \u00e4\n", "A: b\n" * 17],
)
def test_a_file_of_headers_that_cannot_be_used_refuses_the_start_and_is_not_quoted(tmp_path: Path, text: str) -> None:
    headers = tmp_path / "headers"
    headers.write_text(text + "Authorization: Bearer hidden\n")
    with pytest.raises(StartRefused) as caught:
        Sender("http://127.0.0.1:1", "", str(headers))
    assert "hidden" not in str(caught.value)
    assert str(headers) in str(caught.value)


def test_a_peer_must_prove_its_name_to_the_given_authorities(tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        create_authority(tmp_path / name, "test.leadglass")
    issue_server(tmp_path / "ours", _NAME, tmp_path / "server")
    issue_server(tmp_path / "ours", "another.example", tmp_path / "named")
    for folder, authority, is_taken in (
        ("server", "ours", True),
        ("server", "theirs", False),
        ("named", "ours", False),
    ):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tmp_path / folder / "tls.crt", tmp_path / folder / "tls.key")
        with otlp_receiver(tls=context) as received:
            sender = Sender(f"https://localhost:{received.port}", str(tmp_path / authority / "ca.crt"), "")
            if is_taken:
                sender.send(Signal.LOGS, b"x")
            else:
                assert _fault(sender) is SendFault.TLS
            assert len(received.bodies) == int(is_taken)
            sender.close()


def test_authorities_that_are_none_refuse_the_start(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("nothing")
    with pytest.raises(StartRefused):
        Sender("https://localhost:1", str(tmp_path / "ca.crt"), "")
    with pytest.raises(StartRefused):
        Sender("https://localhost:1", str(tmp_path / "missing"), "")


@contextmanager
def _peer(answer: bytes, *, drips: bool) -> Iterator[int]:
    """Listens, and answers each connection with these bytes, or with one of them each second for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65_536)
                    connection.sendall(answer)
                    while drips and not ended.wait(1):
                        connection.sendall(b"x")
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"])
def test_a_yes_that_breaks_off_is_none(answer: bytes) -> None:
    with _peer(answer, drips=False) as port:
        # A peer that hangs up before it has read the whole request resets the connection: then nothing came at all.
        assert _fault(Sender(f"http://127.0.0.1:{port}", "", "")) in {SendFault.BROKEN, SendFault.UNREACHABLE}


def test_a_chunk_of_negative_size_is_no_yes() -> None:
    with _peer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc", drips=False) as port:
        assert _fault(Sender(f"http://127.0.0.1:{port}", "", "")) in {SendFault.BROKEN, SendFault.UNREACHABLE}


@given(st.text("ab-.:[]", max_size=70))
def test_whatever_host_is_accepted_can_be_asked_for(host: str) -> None:
    try:
        endpoint = parse_endpoint(f"https://{host}")
    except EndpointError:
        return
    endpoint.host.encode("idna")  # what the resolver does with a name, before it asks anybody


@pytest.mark.parametrize("answer", [b"", b"\x00\xff", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500, b"SSH-2.0-x\r\n"])
def test_a_peer_that_speaks_no_http_is_unreachable(answer: bytes) -> None:
    with _peer(answer, drips=False) as port:
        assert _fault(Sender(f"http://127.0.0.1:{port}", "", "")) is SendFault.UNREACHABLE


@pytest.mark.slow
@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nX-", b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"])
def test_a_peer_that_drips_its_answer_does_not_hold_the_sender_for_ever(answer: bytes) -> None:
    with _peer(answer, drips=True) as port:
        assert _fault(Sender(f"http://127.0.0.1:{port}", "", "")) in {SendFault.UNREACHABLE, SendFault.BROKEN}


def test_nothing_of_what_a_peer_says_is_kept() -> None:
    with _peer(b"HTTP/1.1 400 the secret word is blue\r\n\r\nblue", drips=False) as port:
        with pytest.raises(NotTaken) as caught:
            Sender(f"http://127.0.0.1:{port}", "", "").send(Signal.LOGS, b"x")
        assert "blue" not in repr(caught.value)
        assert caught.value.__cause__ is None
