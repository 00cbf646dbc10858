"""Reads failed TLS handshakes out of grpc's own log, and sums them up for one record a minute.

grpc tells nobody else of a handshake that failed. With GRPC_VERBOSITY=INFO and GRPC_TRACE=handshaker its core logs
seven lines for each connection and none for a call; only the one that says how a handshake ended is looked at.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What the process must have in its environment when grpc is loaded.
GRPC_ENVIRONMENT: Final = {"GRPC_VERBOSITY": "INFO", "GRPC_TRACE": "handshaker"}

_SECOND_NS: Final = 1_000_000_000
_BETWEEN_RECORDS_NS: Final = 60 * _SECOND_NS
_FORESEEN_NS: Final = 10 * _SECOND_NS  # our own handshakes end after HANDSHAKE_SECONDS at the latest
# A thousand clients may come back at once, after a restart; then twenty a second are more than people make.
_BURST: Final = 1_000
_A_SECOND: Final = 20
_MAX_OUTGOING: Final = 256  # connections of our own to others; one that is forgotten is counted as if it came in


class HandshakeFault(StrEnum):
    """Why a handshake failed; for the audit log and metrics."""

    NO_CERTIFICATE = "NO_CERTIFICATE"
    UNTRUSTED = "UNTRUSTED"  # another authority, another purpose, or its own signature
    EXPIRED = "EXPIRED"  # or not yet valid
    PROTOCOL_VERSION = "PROTOCOL_VERSION"
    NOT_TLS = "NOT_TLS"
    ALERT = "ALERT"  # the other side gave up, most often because it does not trust the agent's certificate
    HUNG_UP = "HUNG_UP"  # the other side closed the connection without a word: probes of a port do
    TIMEOUT = "TIMEOUT"
    OTHER = "OTHER"
    FREQUENT = "FREQUENT"  # it came in a flood of connections, whatever became of it


# grpc 1.85, src/core/handshaker/handshaker.cc. The kind of the first handshaker tells which side the process is on.
_LINE: Final = re.compile(
    rb"^I\d{4} [0-9:.]{8,20} +\d{1,10} [a-z_]{1,40}\.(?:cc|h):\d{1,6}\] (?:"
    rb"handshake_manager (?P<begun>0x[0-9a-f]{1,16}): adding handshaker (?P<kind>[a-z_]{1,40}) \["
    rb"[^\]\n]{0,32}\] at index 0"
    rb"|handshake manager (?P<ended>0x[0-9a-f]{1,16}): Failed with error: (?P<error>[^\n]{0,400})"
    rb")",
    re.MULTILINE,
)
_SERVER_SIDE: Final = b"endpoint_info"
# BoringSSL's own words, which hold nothing that the peer has sent.
_LIBRARY: Final = re.compile(
    rb"\AUNKNOWN: Ssl handshake failed \(TSI_[A-Z_]{1,40}\): SSL_ERROR_SSL: error:[0-9a-f]{8}:SSL routines:"
    rb"OPENSSL_internal:(?P<reason>[A-Z0-9_]{1,64}): (?P<detail>[A-Za-z ]{0,80})"
)
_READ_FAILED: Final = re.compile(rb"\AUNAVAILABLE: Handshake read failed \((?P<why>[^)]{0,80})")
_ALERT: Final = re.compile(r"\A(?:SSLV3|TLSV1|TLSV13)_ALERT_")

_REASONS: Final = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": HandshakeFault.NO_CERTIFICATE,
    "UNSUPPORTED_PROTOCOL": HandshakeFault.PROTOCOL_VERSION,
    "TLSV1_ALERT_PROTOCOL_VERSION": HandshakeFault.PROTOCOL_VERSION,
    "HTTP_REQUEST": HandshakeFault.NOT_TLS,
    "HTTPS_PROXY_REQUEST": HandshakeFault.NOT_TLS,
    "WRONG_VERSION_NUMBER": HandshakeFault.NOT_TLS,
    "ENCRYPTED_LENGTH_TOO_LONG": HandshakeFault.NOT_TLS,
    # An alert of OpenSSL's clients: sent in the clear, where BoringSSL waits for what is encrypted.
    "BAD_PACKET_LENGTH": HandshakeFault.ALERT,
}
_TIMES: Final = (b"certificate has expired", b"certificate is not yet valid")


def fault_of(error: bytes) -> HandshakeFault:
    """Classifies the text of an error; none of it goes any further."""
    if read := _READ_FAILED.match(error):
        # grpc closes the endpoint itself when the handshake's time is over.
        return HandshakeFault.TIMEOUT if read["why"] == b"Endpoint closing" else HandshakeFault.HUNG_UP
    library = _LIBRARY.match(error)
    if library is None:
        return HandshakeFault.OTHER
    reason = library["reason"].decode("ascii")
    if reason == "CERTIFICATE_VERIFY_FAILED":
        return HandshakeFault.EXPIRED if library["detail"] in _TIMES else HandshakeFault.UNTRUSTED
    return _REASONS.get(reason, HandshakeFault.ALERT if _ALERT.match(reason) else HandshakeFault.OTHER)


class FailureReader:
    """Finds the ends of handshakes that others began in whole lines of grpc's log."""

    def __init__(self) -> None:
        self._outgoing: dict[bytes, None] = {}
        self._begun = 0

    def read(self, lines: bytes) -> Iterator[HandshakeFault]:
        """Gives a fault for each; a handshake that the agent itself began, as a client, is none of them."""
        for line in _LINE.finditer(lines):
            if line["kind"] == _SERVER_SIDE:
                self._begun += 1
                self._outgoing.pop(line["begun"], None)
            elif line["kind"]:
                self._remember(line["begun"])
            elif self._outgoing.pop(line["ended"], self) is self:
                yield fault_of(line["error"])

    def take_begun(self) -> int:
        """Gives how many handshakes others have begun since this was asked last."""
        begun, self._begun = self._begun, 0
        return begun

    def _remember(self, handshake: bytes) -> None:
        self._outgoing.pop(handshake, None)
        self._outgoing[handshake] = None
        if len(self._outgoing) > _MAX_OUTGOING:
            del self._outgoing[next(iter(self._outgoing))]


@dataclass(frozen=True, slots=True)
class FailedHandshakes:
    """Handshakes that failed since a moment on CLOCK_BOOTTIME, by fault."""

    faults: tuple[tuple[HandshakeFault, int], ...]
    since_boot_ns: int


class HandshakeLedger:
    """Counts faults from one thread and gives their sums to another: at once after a quiet minute, else each minute."""

    def __init__(self) -> None:
        self.settle: Callable[[], None] = _nothing  # waits until what was logged is counted; set by who counts
        self._lock: Final = threading.Lock()
        self._counts: Counter[HandshakeFault] = Counter()
        self._since_boot_ns = 0
        self._next_boot_ns = 0
        self._foreseen: dict[HandshakeFault, int] = {}
        self._allowance = _BURST * _SECOND_NS
        self._begun_boot_ns = 0

    def count(self, fault: HandshakeFault, boot_ns: int) -> None:
        """Counts one, unless it is the one that was foreseen, or one of a few that begin."""
        with self._lock:
            if self._foreseen.pop(fault, 0) > boot_ns or (
                fault is HandshakeFault.FREQUENT and self._is_one_of_few(boot_ns)
            ):
                return
            if not self._counts:
                self._since_boot_ns = boot_ns
            self._counts[fault] += 1

    def _is_one_of_few(self, boot_ns: int) -> bool:
        gained = (boot_ns - self._begun_boot_ns) * _A_SECOND
        self._begun_boot_ns = boot_ns
        self._allowance = min(_BURST * _SECOND_NS, self._allowance + gained)
        if self._allowance < _SECOND_NS:
            return False
        self._allowance -= _SECOND_NS
        return True

    def foresee(self, boot_ns: int) -> None:
        """Leaves out one of each fault that a rotation makes: it looks at our own port, and holds a handshake open."""
        with self._lock:
            until = boot_ns + _FORESEEN_NS
            self._foreseen = {HandshakeFault.NO_CERTIFICATE: until, HandshakeFault.TIMEOUT: until}

    def due(self, boot_ns: int) -> FailedHandshakes | None:
        """Takes the sums for a record, if there are any and the last record is a minute old."""
        if not self._counts or boot_ns < self._next_boot_ns:  # read without the lock: the next look sees it, too
            return None
        self._next_boot_ns = boot_ns + _BETWEEN_RECORDS_NS
        return self._take()

    def close(self) -> FailedHandshakes | None:
        """Takes all that is left, for the end of the agent."""
        self.settle()
        return self._take()

    def _take(self) -> FailedHandshakes | None:
        with self._lock:
            taken, self._counts = self._counts, Counter()
        if not taken:
            return None
        return FailedHandshakes(tuple(sorted(taken.items())), self._since_boot_ns)


def _nothing() -> None:
    pass
