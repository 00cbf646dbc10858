"""Makes the instruments of the table and counts with them; whatever is counted is a value of an enum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.metrics import CallbackOptions, Observation

from leadglass_agent.audit.record import Event, EventKind, Ruling
from leadglass_agent.processes.handshakes import HandshakeFault
from leadglass_agent.telemetry import instruments
from leadglass_agent.telemetry.instruments import (
    OTHER,
    CertificateRole,
    Instrument,
    Label,
    Page,
    RecordingChange,
    ReloadOutcome,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.metrics import Counter, Histogram, Meter

    from leadglass_agent.access.guard import HaltCause
    from leadglass_agent.errors import Reason
    from leadglass_agent.processes.live import Part
    from leadglass_agent.sandbox.posture import Role, SandboxLevel

_CHANGES = {
    EventKind.RECORDING_HELD: RecordingChange.HELD,
    EventKind.RECORDING_RELEASED: RecordingChange.RELEASED,
    EventKind.RECORDING_SHREDDED: RecordingChange.SHREDDED,
    EventKind.RECORDING_DELETED: RecordingChange.DELETED,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand at one moment: what the gauges show until the next one is told."""

    sessions_open: int
    audit_waiting: int
    audit_unshipped: int
    reviews_owed: int
    certificate_seconds: tuple[tuple[CertificateRole, float], ...]


class Metrics:
    """The instruments of one agent. Counting may happen on any thread; the gauges show what was last told."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._standing: Standing | None = None
        self._levels: tuple[Observation, ...] = ()
        self.call_duration = _histogram(meter, instruments.CALL_DURATION)
        self._commit = _histogram(meter, instruments.AUDIT_COMMIT)
        self._decisions = _counter(meter, instruments.DECISIONS)
        self._redactions = _counter(meter, instruments.REDACTIONS)
        self._withheld = _counter(meter, instruments.WITHHELD)
        self._ended = _counter(meter, instruments.SESSIONS_ENDED)
        self._records = _counter(meter, instruments.AUDIT_RECORDS)
        self._reveals = _counter(meter, instruments.REVEALS)
        self._halts = _counter(meter, instruments.HALTS)
        self._reloads = _counter(meter, instruments.RELOADS)
        self._handshakes = _counter(meter, instruments.HANDSHAKES_FAILED)
        self._interference = _counter(meter, instruments.INTERFERENCE)
        self._foreign = _counter(meter, instruments.PROCESSES_FOREIGN)
        self._recordings = _counter(meter, instruments.RECORDINGS)
        self._pages = _counter(meter, instruments.PAGES)
        self._gauge(instruments.SESSIONS_OPEN, lambda standing: [Observation(standing.sessions_open)])
        self._gauge(instruments.AUDIT_WAITING, lambda standing: [Observation(standing.audit_waiting)])
        self._gauge(instruments.AUDIT_UNSHIPPED, lambda standing: [Observation(standing.audit_unshipped)])
        self._gauge(instruments.REVIEWS_OWED, lambda standing: [Observation(standing.reviews_owed)])
        self._gauge(
            instruments.CERTIFICATE_EXPIRY,
            lambda standing: [Observation(left, {"role": role.value}) for role, left in standing.certificate_seconds],
        )
        self._gauge(instruments.KERNEL_LEVEL, lambda _: self._levels)

    def tell(self, standing: Standing) -> None:
        """Takes how things stand now."""
        self._standing = standing

    def tell_levels(self, levels: Mapping[Role, SandboxLevel]) -> None:
        """Takes how far the kernel confines each process; it stays so until the agent ends."""
        self._levels = tuple(
            Observation(1, {"process": role.value, "level": level.value}) for role, level in levels.items()
        )

    def count_decision(self, view: str | None, effect: Ruling, reason: Reason | None = None) -> None:
        """Counts a call by the permission that it needed; one that came to no method of ours needed none."""
        labels = {"view": view or OTHER, "effect": effect.value}
        self._decisions.add(1, labels if reason is None else labels | {"reason": reason.value})

    def count_record(self, event: Event) -> None:
        """Counts a record that is durable, and what it tells of what it is about."""
        self._records.add(1, {"kind": event.kind.value})
        match event.kind:
            case EventKind.SESSION_ENDED:
                self._ended.add(1, {"state": _fact(event, "state", instruments.SESSIONS_ENDED.labels[0])})
            case EventKind.HANDSHAKES_FAILED:
                for fault, failed in event.facts:
                    if fault in HandshakeFault.__members__ and isinstance(failed, int):
                        self._handshakes.add(failed, {"cause": fault})
            case EventKind.INTERFERENCE:
                self._interference.add(1, {"cause": _fact(event, "cause", instruments.INTERFERENCE.labels[0])})
            case EventKind.FOREIGN_PROCESS:
                processes = dict(event.facts).get("processes")
                finding = _fact(event, "finding", instruments.PROCESSES_FOREIGN.labels[0])
                self._foreign.add(processes if isinstance(processes, int) else 1, {"finding": finding})
            case EventKind.REVEALED:
                self._reveals.add(1)
            case EventKind.OUTCOME if event.recording is not None:
                self._recordings.add(1, {"change": RecordingChange.RECORDED.value})
            case kind if kind in _CHANGES:
                self._recordings.add(1, {"change": _CHANGES[kind].value})
            case _:
                pass

    def count_commit(self, _records: int, seconds: float) -> None:
        """Counts the time that a batch of records took to become durable."""
        self._commit.record(seconds)

    def count_halt(self, cause: HaltCause) -> None:
        """Counts a halt."""
        self._halts.add(1, {"cause": cause.value})

    def count_reload(self, part: Part, *, failed: bool) -> None:
        """Counts a change of what the agent was given in files."""
        outcome = ReloadOutcome.FAILED if failed else ReloadOutcome.TAKEN
        self._reloads.add(1, {"part": part.value, "outcome": outcome.value})

    def count_withheld(self) -> None:
        """Counts a reply that the barrier withheld."""
        self._withheld.add(1)

    def count_redactions(self, redactions: Mapping[str, int]) -> None:
        """Counts what was masked by rule; the caller has checked that each is a rule of the engine."""
        for rule, count in redactions.items():
            self._redactions.add(count, {"rule": rule})

    def count_handshake(self, fault: HandshakeFault) -> None:
        """Counts a connection to the page of metrics that ended before anybody was known to be there."""
        self._handshakes.add(1, {"cause": fault.value})

    def count_page(self, page: Page) -> None:
        """Counts a request for the page of metrics."""
        self._pages.add(1, {"outcome": page.value})

    def _gauge(self, instrument: Instrument, read: Callable[[Standing], Iterable[Observation]]) -> None:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            standing = self._standing
            return () if standing is None else read(standing)

        self._meter.create_observable_gauge(instrument.name, [observe], instrument.unit, instrument.description)


def _counter(meter: Meter, instrument: Instrument) -> Counter:
    """Makes a counter; one whose labels are few starts at 0 with each, so that the first event is seen as a rise."""
    counter = meter.create_counter(instrument.name, instrument.unit, instrument.description)
    match instrument.labels:
        case ():
            counter.add(0)
        case (label,):
            for value in label.values:
                counter.add(0, {label.name: value})
        case (first, second):
            for value in first.values:
                for other in second.values:
                    counter.add(0, {first.name: value, second.name: other})
        case (view, effect, _) if instrument is instruments.DECISIONS:
            for value in view.values:
                counter.add(0, {view.name: value, effect.name: Ruling.ALLOW.value})
    return counter


def _histogram(meter: Meter, instrument: Instrument) -> Histogram:
    return meter.create_histogram(
        instrument.name,
        instrument.unit,
        instrument.description,
        explicit_bucket_boundaries_advisory=instrument.buckets,
    )


def _fact(event: Event, name: str, label: Label) -> str:
    """Reads a fact that is one of a label's values."""
    value = dict(event.facts).get(name)
    return value if isinstance(value, str) and value in label.values else OTHER
