"""The table of everything that is measured: name, kind, unit, description, and the closed set of each label's values.

Names: OpenTelemetry semantic conventions, "RPC metrics" (release candidate) for rpc.*; units are UCUM, in braces what
is counted. `docs/telemetry.md` and `deploy/grafana/leadglass.json` are held to this table by a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from leadglass_agent.access.guard import HaltCause
from leadglass_agent.access.session import SessionState
from leadglass_agent.audit.record import EventKind, Ruling
from leadglass_agent.errors import Reason
from leadglass_agent.policy.model import Permission
from leadglass_agent.processes.handshakes import HandshakeFault
from leadglass_agent.processes.live import Part
from leadglass_agent.processes.notices import InterferenceCause
from leadglass_agent.sandbox.posture import Role, SandboxLevel
from leadglass_agent.views.lineage import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

OTHER: Final = "_OTHER"  # the conventions' name for a value outside a closed set


class Kind(StrEnum):
    """How a measurement adds up."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"


class ReloadOutcome(StrEnum):
    """Whether new content of a file could be used."""

    TAKEN = "taken"
    FAILED = "failed"


class CertificateRole(StrEnum):
    """Whose certificate ends: the agent's own, or the first of the callers' authorities to do so."""

    AGENT = "AGENT"
    CALLER_AUTHORITY = "CALLER_AUTHORITY"


class RecordingChange(StrEnum):
    """What became of recordings; RECORDED counts calls."""

    RECORDED = "RECORDED"
    HELD = "HELD"
    RELEASED = "RELEASED"
    SHREDDED = "SHREDDED"
    DELETED = "DELETED"


class Page(StrEnum):
    """What became of a request for the page of metrics; CROWDED had no place."""

    GIVEN = "GIVEN"
    REFUSED = "REFUSED"
    CROWDED = "CROWDED"


@dataclass(frozen=True, slots=True)
class Label:
    """A label with all of its values, or none if they are known at the start alone; `table` names a long list."""

    name: str
    values: tuple[str, ...] = ()
    table: str = ""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One line of the table; `buckets` are a histogram's upper bounds in its unit."""

    name: str
    kind: Kind
    unit: str
    description: str
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def prometheus_name(self) -> str:
        """The name on the page of metrics (OpenTelemetry specification, "Prometheus and OpenMetrics compatibility")."""
        unit = "_seconds" if self.unit == "s" else ""
        return self.name.replace(".", "_") + unit + ("_total" if self.kind is Kind.COUNTER else "")


def _label(name: str, values: Iterable[StrEnum], *more: str, table: str = "") -> Label:
    return Label(name, (*(value.value for value in values), *more), table)


CALL_DURATION: Final = Instrument(
    "rpc.server.call.duration",
    Kind.HISTOGRAM,
    "s",
    "Duration of calls, from the request to the reply",
    (
        Label("rpc.system.name", ("grpc",)),
        Label("rpc.method", table="methods"),
        Label("rpc.response.status_code", table="gRPC status codes"),
        Label("error.type", table="gRPC status codes"),
    ),
    # Bucket boundaries that the convention advises.
    (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
DECISIONS: Final = Instrument(
    "leadglass.decisions",
    Kind.COUNTER,
    "{decision}",
    "Calls by what they needed and how they ended; an answer has no reason",
    (
        _label("view", Permission, OTHER, table="permissions"),
        _label("effect", Ruling),
        _label("reason", Reason, table="reasons of refusals"),
    ),
)
REDACTIONS: Final = Instrument(
    "leadglass.redactions",
    Kind.COUNTER,
    "{mask}",
    "Secrets that were masked in replies, by the rule that found them",
    (Label("rule", table="rules of the redactor"),),
)
WITHHELD: Final = Instrument(
    "leadglass.barrier.withheld",
    Kind.COUNTER,
    "{reply}",
    "Replies that held a value which the pod keeps as a secret, and did not leave",
)
SESSIONS_OPEN: Final = Instrument("leadglass.sessions.open", Kind.GAUGE, "{session}", "Sessions that are open")
SESSIONS_ENDED: Final = Instrument(
    "leadglass.sessions.ended",
    Kind.COUNTER,
    "{session}",
    "Sessions that ended, by what ended them",
    (_label("state", (state for state in SessionState if state is not SessionState.OPEN)),),
)
AUDIT_RECORDS: Final = Instrument(
    "leadglass.audit.records",
    Kind.COUNTER,
    "{record}",
    "Records that became durable, without those that the log writes about itself",
    (_label("kind", EventKind, table="kinds of records"),),
)
AUDIT_COMMIT: Final = Instrument(
    "leadglass.audit.commit.duration",
    Kind.HISTOGRAM,
    "s",
    "Time in which a batch of records became durable",
    # A good disk takes 0.2 ms and 0.7 ms at the 99th percentile; the agent gives up after 2 s.
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0),
)
AUDIT_WAITING: Final = Instrument(
    "leadglass.audit.waiting", Kind.GAUGE, "{record}", "Records that wait for the disk, and calls with them"
)
AUDIT_UNSHIPPED: Final = Instrument(
    "leadglass.audit.unshipped", Kind.GAUGE, "{record}", "Records that the audit sink does not have yet; 0 without one"
)
CERTIFICATE_EXPIRY: Final = Instrument(
    "leadglass.certificate.expiry",
    Kind.GAUGE,
    "s",
    "Time until a certificate ends; negative once it has",
    (_label("role", CertificateRole),),
)
REVEALS: Final = Instrument(
    "leadglass.breakglass.reveals", Kind.COUNTER, "{reveal}", "Values that were revealed by break-glass"
)
REVIEWS_OWED: Final = Instrument(
    "leadglass.reviews.owed", Kind.GAUGE, "{review}", "Reviews of reveals and halts that nobody has closed"
)
HALTS: Final = Instrument(
    "leadglass.halts",
    Kind.COUNTER,
    "{halt}",
    "Identities that the guard halted, by the rule that did",
    (_label("cause", HaltCause),),
)
RELOADS: Final = Instrument(
    "leadglass.reloads",
    Kind.COUNTER,
    "{reload}",
    "Changes of certificates, policy and lists that were put in force, or could not be used",
    (_label("part", Part), _label("outcome", ReloadOutcome)),
)
HANDSHAKES_FAILED: Final = Instrument(
    "leadglass.handshakes.failed",
    Kind.COUNTER,
    "{handshake}",
    "Connections that ended before anybody was known to be there, by why",
    (_label("cause", HandshakeFault),),
)
KERNEL_LEVEL: Final = Instrument(
    "leadglass.kernel.level",
    Kind.GAUGE,
    "{process}",
    "1 for each of the agent's processes and the level to which the kernel confines it",
    (_label("process", Role), _label("level", SandboxLevel)),
)
INTERFERENCE: Final = Instrument(
    "leadglass.interference",
    Kind.COUNTER,
    "{act}",
    "What was done to the agent's processes, for which it then ended, by what it was",
    (_label("cause", InterferenceCause),),
)
PROCESSES_FOREIGN: Final = Instrument(
    "leadglass.processes.foreign",
    Kind.COUNTER,
    "{process}",
    "Processes that no container's first process started, by where they were found",
    (_label("finding", Finding),),
)
RECORDINGS: Final = Instrument(
    "leadglass.recordings",
    Kind.COUNTER,
    "{change}",
    "Calls that were recorded, and recordings that were held, released, shredded or deleted",
    (_label("change", RecordingChange),),
)
PAGES: Final = Instrument(
    "leadglass.metrics.pages",
    Kind.COUNTER,
    "{page}",
    "Requests for the page of metrics, by whether it was given",
    (_label("outcome", Page),),
)

INSTRUMENTS: Final = (
    CALL_DURATION,
    DECISIONS,
    REDACTIONS,
    WITHHELD,
    SESSIONS_OPEN,
    SESSIONS_ENDED,
    AUDIT_RECORDS,
    AUDIT_COMMIT,
    AUDIT_WAITING,
    AUDIT_UNSHIPPED,
    CERTIFICATE_EXPIRY,
    REVEALS,
    REVIEWS_OWED,
    HALTS,
    RELOADS,
    HANDSHAKES_FAILED,
    KERNEL_LEVEL,
    INTERFERENCE,
    PROCESSES_FOREIGN,
    RECORDINGS,
    PAGES,
)
