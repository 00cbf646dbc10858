"""Lines of grpc's log become counts by fault; nothing else of them is kept, whatever they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass_agent.processes.handshakes import (
    FailedHandshakes,
    FailureReader,
    HandshakeFault,
    HandshakeLedger,
    fault_of,
)

SECOND = 1_000_000_000
_OPENSSL = (
    "UNKNOWN: Ssl handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL: error:1000009c:SSL routines:OPENSSL_internal:"
)


def _library(reason: str, detail: str = "Invalid certificate verification context") -> str:
    return f"{_OPENSSL}{reason}: {detail}: OK"


def _begun(address: str, kind: str) -> str:
    head = f"I1122 12:12:06.237150    3160 handshaker.cc:80] handshake_manager {address}: "
    return f"{head}adding handshaker {kind} [0x7f02d000f3d0] at index 0\n"


def _ended(address: str, error: str) -> str:
    head = f"I1122 12:12:06.237181    3160 channel_trace.h:396] handshake manager {address}: Failed with error: "
    return f"{head}{error}\n=== Source Location Trace: ===\nsrc/core/util/status_helper.cc:68\n\n"


def _read(*lines: str) -> list[HandshakeFault]:
    return list(FailureReader().read("".join(lines).encode()))


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (_library("PEER_DID_NOT_RETURN_A_CERTIFICATE"), "NO_CERTIFICATE"),
        (_library("CERTIFICATE_VERIFY_FAILED", "unable to get local issuer certificate"), "UNTRUSTED"),
        (_library("CERTIFICATE_VERIFY_FAILED", "self signed certificate"), "UNTRUSTED"),
        (_library("CERTIFICATE_VERIFY_FAILED", "certificate has expired"), "EXPIRED"),
        (_library("CERTIFICATE_VERIFY_FAILED", "certificate is not yet valid"), "EXPIRED"),
        (_library("UNSUPPORTED_PROTOCOL"), "PROTOCOL_VERSION"),
        (_library("TLSV1_ALERT_PROTOCOL_VERSION"), "PROTOCOL_VERSION"),
        (_library("HTTP_REQUEST"), "NOT_TLS"),
        (_library("WRONG_VERSION_NUMBER"), "NOT_TLS"),
        (_library("TLSV1_ALERT_UNKNOWN_CA"), "ALERT"),
        (_library("SSLV3_ALERT_HANDSHAKE_FAILURE"), "ALERT"),
        (_library("A_REASON_OF_TOMORROW"), "OTHER"),
        ("UNAVAILABLE: Handshake read failed (Endpoint closing)", "TIMEOUT"),
        ("UNAVAILABLE: Handshake read failed (Socket closed)", "HUNG_UP"),
        ("UNKNOWN: Cannot check peer: missing selected ALPN property.", "OTHER"),
        ("", "OTHER"),
    ],
)
def test_each_way_to_fail_has_its_fault(error: str, fault: str) -> None:
    assert fault_of(error.encode()) is HandshakeFault(fault)
    assert _read(_begun("0xa", "endpoint_info"), _ended("0xa", error)) == [HandshakeFault(fault)]


def test_a_handshake_that_the_agent_began_is_none_of_them() -> None:
    hung_up = "UNAVAILABLE: Handshake read failed (Socket closed)"
    out, came_in = _begun("0xb", "tcp_connect"), _begun("0xb", "endpoint_info")
    assert _read(out, _ended("0xb", hung_up)) == []
    # The same address later belongs to a connection that came in, and so does one of which no beginning was seen.
    assert _read(out, came_in, _ended("0xb", hung_up)) == [HandshakeFault.HUNG_UP]
    assert _read(out, _ended("0xb", hung_up), _ended("0xb", hung_up)) == [HandshakeFault.HUNG_UP]


def test_handshakes_that_the_agent_began_are_remembered_within_a_bound() -> None:
    begun = [_begun(hex(number), "http_connect_client") for number in range(1_000)]
    assert _read(*begun, _ended(hex(999), "UNKNOWN: x")) == []
    assert _read(*begun, _ended(hex(0), "UNKNOWN: x")) == [HandshakeFault.OTHER]


@given(st.binary(max_size=300))
def test_no_text_at_all_makes_the_reader_fail(text: bytes) -> None:
    assert isinstance(fault_of(text), HandshakeFault)
    assert all(isinstance(fault, HandshakeFault) for fault in FailureReader().read(text))


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\n"), max_size=200))
def test_other_lines_are_no_failures(text: str) -> None:
    assert _read(f"I1122 12:12:06.237150    3160 server.cc:1] {text}\n") == []


def test_the_first_failure_is_due_at_once_and_the_next_a_minute_later() -> None:
    ledger = HandshakeLedger()
    assert ledger.due(5 * SECOND) is None
    ledger.count(HandshakeFault.NOT_TLS, 7 * SECOND)
    assert ledger.due(8 * SECOND) == FailedHandshakes(((HandshakeFault.NOT_TLS, 1),), 7 * SECOND)
    for second in range(9, 68):
        ledger.count(HandshakeFault.UNTRUSTED, second * SECOND)
        assert ledger.due(second * SECOND) is None
    assert ledger.due(68 * SECOND) == FailedHandshakes(((HandshakeFault.UNTRUSTED, 59),), 9 * SECOND)
    assert ledger.due(69 * SECOND) is None


def test_what_is_left_is_taken_at_the_end() -> None:
    ledger = HandshakeLedger()
    ledger.count(HandshakeFault.ALERT, 3)
    assert ledger.close() == FailedHandshakes(((HandshakeFault.ALERT, 1),), 3)
    assert ledger.close() is None


def test_connections_that_begin_are_counted_once_they_are_a_flood() -> None:
    ledger = HandshakeLedger()
    for _ in range(1_000):
        ledger.count(HandshakeFault.FREQUENT, SECOND)
    assert ledger.due(SECOND) is None
    for second in range(2, 10):
        for _ in range(30):
            ledger.count(HandshakeFault.FREQUENT, second * SECOND)
    assert ledger.due(10 * SECOND) == FailedHandshakes(((HandshakeFault.FREQUENT, 80),), 2 * SECOND)


def test_what_a_rotation_does_itself_is_left_out_once_and_not_for_long() -> None:
    ledger = HandshakeLedger()
    ledger.foresee(SECOND)
    for fault in (HandshakeFault.NO_CERTIFICATE, HandshakeFault.NO_CERTIFICATE, HandshakeFault.ALERT):
        ledger.count(fault, 2 * SECOND)
    ledger.count(HandshakeFault.TIMEOUT, 12 * SECOND)
    assert ledger.close() == FailedHandshakes(
        ((HandshakeFault.ALERT, 1), (HandshakeFault.NO_CERTIFICATE, 1), (HandshakeFault.TIMEOUT, 1)), 2 * SECOND
    )


_FAILED = [fault for fault in HandshakeFault if fault is not HandshakeFault.FREQUENT]


@given(st.lists(st.tuples(st.sampled_from(_FAILED), st.integers(0, 300)), max_size=200))
def test_every_failure_is_in_exactly_one_record(failures: list[tuple[HandshakeFault, int]]) -> None:
    ledger = HandshakeLedger()
    taken: list[FailedHandshakes] = []
    for fault, second in sorted(failures, key=lambda failure: failure[1]):
        ledger.count(fault, second * SECOND)
        if due := ledger.due(second * SECOND):
            taken.append(due)
    if left := ledger.close():
        taken.append(left)
    assert sum(count for record in taken for _, count in record.faults) == len(failures)
    assert len(taken) <= 300 // 60 + 2
