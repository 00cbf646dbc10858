"""The sink gets every durable record, in order and as it is on disk, whatever happens to the sink or the agent."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from leadglass_agent import clock
from leadglass_agent.audit.chain import GENESIS, Fault, Head, follows, read_line
from leadglass_agent.audit.log import AuditLog
from leadglass_agent.audit.record import Event, EventKind
from leadglass_agent.audit.shipping import SinkTerms, WhenDown
from leadglass_agent.errors import AuditUnavailable, Severity
from leadglass_agent.processes.ship_cursor import cursor_path, read_cursor, write_cursor
from leadglass_agent.processes.shipping import Shipping
from leadglass_agent.telemetry.faults import NotTaken
from leadglass_agent.telemetry.otlp_records import records_sender
from leadglass_agent.telemetry.sending import Sender
from otlp_receiver import Received, attributes, otlp_receiver

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_SPOOL = SinkTerms(WhenDown.SPOOL, 1 << 30)
_SECONDS = 60.0


@contextmanager
def _log(folder: Path, segment_bytes: int = 1 << 26) -> Iterator[AuditLog]:
    log = AuditLog.open(folder / "audit.jsonl", clock.now, segment_bytes=segment_bytes)
    try:
        yield log
    finally:
        log.close()


@contextmanager
def _shipping(folder: Path, log: AuditLog, received: Received, terms: SinkTerms = _SPOOL) -> Iterator[Shipping]:
    sender = Sender(f"http://127.0.0.1:{received.port}", "", "")
    send = records_sender(sender, {"service.name": "leadglass-agent"}, "1")
    shipping = Shipping(log, send, folder / "audit.jsonl", terms, clock.now)
    shipping.start()
    try:
        yield shipping
    finally:
        shipping.close()
        sender.close()


def _write(log: AuditLog, count: int) -> None:
    for number in range(count):
        log.append((Event(kind=EventKind.INTENT, call_id=f"call-{number}", reason_text="why \u00e4 ' \" \\ \n"),))


def _until_shipped(shipping: Shipping) -> None:
    deadline = time.monotonic() + _SECONDS
    while shipping.unshipped:
        assert time.monotonic() < deadline, f"{shipping.unshipped} records are not shipped"
        time.sleep(0.01)


def _until_refused(shipping: Shipping) -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        try:
            shipping.check()
        except AuditUnavailable:
            return
        time.sleep(0.01)
    pytest.fail("calls are not refused")


def _is_one_chain(lines: list[bytes]) -> bool:
    head = GENESIS
    for line in lines:
        record = read_line(line)
        if isinstance(record, Fault) or follows(head, record) is not None:
            return False
        head = record.head
    return True


def test_each_record_arrives_once_in_order_and_to_the_byte(tmp_path: Path) -> None:
    with otlp_receiver() as received, _log(tmp_path) as log, _shipping(tmp_path, log, received) as shipping:
        _write(log, 400)
        _until_shipped(shipping)
        assert received.lines() == list(log.read(1))
        assert _is_one_chain(received.lines())
        assert shipping.shipped_seq == log.head.seq
        assert read_cursor(cursor_path(tmp_path / "audit.jsonl")) == log.head


def test_a_record_tells_its_kind_number_time_and_urgency_outside_of_its_body(tmp_path: Path) -> None:
    with otlp_receiver() as received, _log(tmp_path) as log, _shipping(tmp_path, log, received) as shipping:
        _write(log, 1)
        log.append((Event(kind=EventKind.HALTED, severity=Severity.CRITICAL),))
        _until_shipped(shipping)
        plain, critical = received.logs()[:2]
        assert plain.event_name == "leadglass.audit.intent"
        assert attributes(plain.attributes) == {"leadglass.audit.kind": "INTENT", "leadglass.audit.seq": "1"}
        assert (plain.severity_text, critical.severity_text) == ("INFO", "CRITICAL")
        assert (plain.severity_number, critical.severity_number) == (9, 18)
        stamp = received.records()[0]["time"]
        seconds, rest = divmod(plain.time_unix_nano, 1_000_000_000)
        assert time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest // 1000:06d}Z" == stamp


@pytest.mark.parametrize("fault", ["closed", "status", "partly"])
def test_nothing_is_lost_while_the_sink_is_down_and_the_agent_restarts(tmp_path: Path, fault: str) -> None:
    received = Received()
    with otlp_receiver(received), _log(tmp_path) as log:
        with _shipping(tmp_path, log, received) as shipping:
            _write(log, 20)
            _until_shipped(shipping)
            received.answer(status=503 if fault == "status" else 200, refused_records=1 if fault == "partly" else 0)
            if fault != "closed":
                _write(log, 300)
                received.wait_for_attempts(2)
        before = len(received.lines())
    if fault == "closed":
        with _log(tmp_path) as log, _shipping(tmp_path, log, received) as shipping:
            _write(log, 300)
            assert shipping.unshipped
            before = len(received.lines())
    received.answer()
    with (
        otlp_receiver(received, received.port),
        _log(tmp_path) as log,
        _shipping(tmp_path, log, received) as shipping,
    ):
        _write(log, 5)
        _until_shipped(shipping)
        assert len(received.lines()) > before
        assert received.lines() == list(log.read(1))


def test_what_the_sink_took_without_the_agent_hearing_of_it_is_sent_again(tmp_path: Path) -> None:
    with otlp_receiver() as received, _log(tmp_path) as log:
        with _shipping(tmp_path, log, received) as shipping:
            _write(log, 4)
            _until_shipped(shipping)
        place = read_line(next(log.read(2)))
        assert not isinstance(place, Fault)
        write_cursor(cursor_path(tmp_path / "audit.jsonl"), place.head)
        with _shipping(tmp_path, log, received) as shipping:
            _until_shipped(shipping)
        assert [record["seq"] for record in received.records()] == [1, 2, 3, 4, 3, 4]


def test_records_go_out_over_the_files_of_a_log(tmp_path: Path) -> None:
    with otlp_receiver() as received, _log(tmp_path, segment_bytes=20_000) as log:
        with _shipping(tmp_path, log, received) as shipping:
            for _ in range(6):
                _write(log, 40)
                log.rotate_if_due()
            _until_shipped(shipping)
        assert len(list(tmp_path.glob("audit.jsonl.0*"))) >= 2
        assert received.lines() == list(log.read(1))


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", '{"seq":1}', '{"seq":2,"hash":"' + "a" * 64 + '"}', '{"seq":99,"hash":"' + "a" * 64 + '"}'],
)
def test_a_cursor_that_does_not_fit_the_log_sends_everything_again(tmp_path: Path, text: str) -> None:
    with otlp_receiver() as received, _log(tmp_path) as log:
        _write(log, 3)
        cursor_path(tmp_path / "audit.jsonl").write_text(text)
        with _shipping(tmp_path, log, received) as shipping:
            _until_shipped(shipping)
        assert [record["seq"] for record in received.records()] == [1, 2, 3]


def test_a_line_that_somebody_changed_on_disk_is_not_shipped_as_a_record(tmp_path: Path) -> None:
    with otlp_receiver() as received, _log(tmp_path) as log:
        _write(log, 3)
        path = tmp_path / "audit.jsonl"
        path.write_bytes(path.read_bytes().replace(b"call-1", b"call-7"))
        with _shipping(tmp_path, log, received, SinkTerms(WhenDown.REFUSE, 1)) as shipping:
            deadline = time.monotonic() + _SECONDS
            while not (events := shipping.take_events()):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert dict(events[0].facts)["cause"] == "LOG_UNREADABLE"
            with pytest.raises(AuditUnavailable):
                shipping.check()
        assert received.lines() == []


def test_a_full_spool_refuses_calls_until_the_sink_has_taken_enough(tmp_path: Path) -> None:
    received = Received()
    with otlp_receiver(received):
        pass  # now the port is known, and nobody listens
    with _log(tmp_path) as log, _shipping(tmp_path, log, received, SinkTerms(WhenDown.SPOOL, 20_000)) as shipping:
        shipping.check()
        _write(log, 100)
        _until_refused(shipping)
        with otlp_receiver(received, received.port):
            _until_shipped(shipping)
            shipping.check()
            assert len(received.lines()) == 100


def test_a_sink_that_answers_nonsense_is_down_and_gets_everything_once_it_is_well(tmp_path: Path) -> None:
    with otlp_receiver() as received, _log(tmp_path) as log:
        received.answer(reply=b"\xff\xff\xff")
        _write(log, 3)
        with _shipping(tmp_path, log, received) as shipping:
            deadline = time.monotonic() + _SECONDS
            while not (events := shipping.take_events()):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert (events[0].kind, dict(events[0].facts)["cause"]) == (EventKind.SINK_DOWN, "BROKEN")
            received.answer()
            _until_shipped(shipping)
        assert set(received.lines()) == set(log.read(1))


def test_a_yes_that_is_no_message_is_none() -> None:
    with otlp_receiver() as received:
        received.answer(reply=b"\xff\xff\xff")
        sender = Sender(f"http://127.0.0.1:{received.port}", "", "")
        with pytest.raises(NotTaken):
            records_sender(sender, {}, "1")([])
        sender.close()


def test_what_nobody_foresaw_fails_the_attempt_and_not_the_thread(tmp_path: Path) -> None:
    sent: list[bytes] = []
    faults = [KeyError("odd"), RecursionError(), MemoryError()]

    def send(lines: Sequence[bytes]) -> None:
        if faults:
            raise faults.pop()
        sent.extend(lines)

    with _log(tmp_path) as log:
        shipping = Shipping(log, send, tmp_path / "audit.jsonl", _SPOOL, clock.now)
        shipping.start()
        _write(log, 3)
        _until_shipped(shipping)
        shipping.close()
        assert sent == list(log.read(1))


@pytest.mark.parametrize("is_left", [False, True])
def test_a_spool_is_full_also_while_the_first_attempt_hangs(tmp_path: Path, *, is_left: bool) -> None:
    may_end, sent = threading.Event(), list[bytes]()

    def send(lines: Sequence[bytes]) -> None:
        may_end.wait(_SECONDS)
        sent.extend(lines)

    with _log(tmp_path) as log:
        if is_left:
            _write(log, 100)
        shipping = Shipping(log, send, tmp_path / "audit.jsonl", SinkTerms(WhenDown.SPOOL, 20_000), clock.now)
        shipping.start()
        if not is_left:
            shipping.check()
            _write(log, 100)
        with pytest.raises(AuditUnavailable):
            shipping.check()
        may_end.set()
        _until_shipped(shipping)
        shipping.check()
        shipping.close()
        assert sent == list(log.read(1))


def test_a_cursor_is_replaced_as_a_whole_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "cursor"
    assert read_cursor(path) == GENESIS
    for seq in (1, 12_345_678):
        write_cursor(path, Head(seq, "ab" * 32))
        assert read_cursor(path) == Head(seq, "ab" * 32)
    assert [entry.name for entry in tmp_path.iterdir()] == ["cursor"]
    assert path.stat().st_mode & 0o077 == 0
