"""Certificates are replaced under hundreds of handshakes at once, and the process lives (grpc/grpc#36693)."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

_SUPPORT = Path(__file__).parents[1] / "support"
_PARALLEL = 200


def _client_hello() -> bytes:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2"])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="agent")
    with suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


class _Flood:
    """Starts handshakes from many threads, and leaves each in its middle."""

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self._hello = _client_hello()
        self._done = threading.Event()
        self.handshakes = [0] * _PARALLEL
        self._threads = [threading.Thread(target=self._run, args=(at,)) for at in range(_PARALLEL)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _run(self, at: int) -> None:
        while not self._done.is_set():
            try:
                with socket.create_connection(self._address, 5) as connection:
                    connection.sendall(self._hello)
                    self.handshakes[at] += bool(connection.recv(100))
            except OSError:
                time.sleep(0.01)


@pytest.mark.parametrize("seconds", [6, pytest.param(60, marks=pytest.mark.slow)])
def test_rotations_under_200_parallel_handshakes_end_nothing(seconds: int) -> None:
    server = subprocess.Popen(
        [sys.executable, str(_SUPPORT / "rotating_port.py"), str(seconds)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, "GRPC_VERBOSITY": "NONE"},
    )
    assert server.stdout is not None
    with server, server.stdout as out:
        flood = _Flood(json.loads(out.readline())["port"])
        try:
            ending = out.readline()
        finally:
            flood.stop()
        status = server.wait(60)
    # The race that this is about ends the process by a signal (minus its number), or corrupts its heap.
    assert status == 0
    assert json.loads(ending)["rotations"] >= 3
    assert sum(flood.handshakes) > _PARALLEL
