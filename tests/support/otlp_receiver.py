"""Receives OTLP over HTTP as a collector does, and reads it with the official messages; it can be down, or say no."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
    from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Received:
    """What came in, and how the next requests are answered."""

    port: int = 0
    status: int = 200
    refused_records: int = 0
    reply: bytes | None = None
    bodies: list[tuple[str, bytes]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    attempts: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Keeps a request if it is to be answered with yes; gives status and body of the answer."""
        with self.changed:
            self.attempts += 1
            if self.reply is not None:
                self.changed.notify_all()
                return self.status, self.reply
            answer = ExportLogsServiceResponse()
            if self.refused_records:
                answer = ExportLogsServiceResponse(
                    partial_success=ExportLogsPartialSuccess(rejected_log_records=self.refused_records)
                )
            elif self.status == 200:
                self.bodies.append((path, body))
                self.headers.append(headers)
            self.changed.notify_all()
            return self.status, answer.SerializeToString()

    def answer(self, *, status: int = 200, refused_records: int = 0, reply: bytes | None = None) -> None:
        """Changes how requests are answered from now on; none is kept that `reply` answers."""
        with self.changed:
            self.status, self.refused_records, self.reply = status, refused_records, reply

    def wait_for_attempts(self, more: int) -> None:
        """Waits until that many more requests have come, taken or not."""
        with self.changed:
            wanted = self.attempts + more
            assert self.changed.wait_for(lambda: self.attempts >= wanted, 60)

    def wait_for_seq(self, last: int) -> None:
        """Waits until a record of this number has been taken."""
        with self.changed:
            assert self.changed.wait_for(lambda: last in {int(line["seq"]) for line in self.records()}, 60)

    @property
    def everything(self) -> bytes:
        """All bytes of all requests that were taken."""
        return b"".join(body for _, body in self.bodies)

    def logs(self) -> list[LogRecord]:
        """All log records, in the order in which they came."""
        requests = [ExportLogsServiceRequest.FromString(body) for path, body in self.bodies if path == "/v1/logs"]
        scopes = [scope for request in requests for logs in request.resource_logs for scope in logs.scope_logs]
        return [record for scope in scopes for record in scope.log_records]

    def lines(self) -> list[bytes]:
        """The bodies of the log records."""
        return [record.body.string_value.encode() for record in self.logs()]

    def records(self) -> list[dict[str, Any]]:
        """The audit records, parsed."""
        return [json.loads(line) for line in self.lines()]

    def metrics(self) -> list[Metric]:
        """All metrics of all collections."""
        requests = [ExportMetricsServiceRequest.FromString(body) for path, body in self.bodies if path == "/v1/metrics"]
        scopes = [scope for request in requests for made in request.resource_metrics for scope in made.scope_metrics]
        return [metric for scope in scopes for metric in scope.metrics]

    def spans(self) -> list[Span]:
        """All spans."""
        requests = [ExportTraceServiceRequest.FromString(body) for path, body in self.bodies if path == "/v1/traces"]
        scopes = [scope for request in requests for made in request.resource_spans for scope in made.scope_spans]
        return [span for scope in scopes for span in scope.spans]


def attributes(pairs: object) -> dict[str, str]:
    """Gives attributes as a dictionary of texts."""
    found: list[KeyValue] = list(pairs)  # type: ignore[call-overload] # a repeated field, whose stub names no protocol
    return {pair.key: pair.value.string_value or str(pair.value.int_value) for pair in found}


@contextmanager
def otlp_receiver(
    received: Received | None = None, port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[Received]:
    """Listens on a loopback port, any one or the one of before, and gives what it receives."""
    kept = received or Received()
    connections: set[socket.socket] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def setup(self) -> None:
            super().setup()
            connections.add(self.connection)

        def finish(self) -> None:
            connections.discard(self.connection)
            super().finish()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = kept.take(self.path, dict(self.headers.items()), body)
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        for connection in tuple(connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()
