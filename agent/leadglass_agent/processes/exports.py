"""Opens and closes whatever leaves the agent beside its answers: telemetry, checkpoints, metrics, copies of records."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509

from leadglass_agent.audit.shipping import SinkTerms, WhenDown
from leadglass_agent.processes.dialling import Peer
from leadglass_agent.processes.shipping import Shipping
from leadglass_agent.processes.witness import Witness
from leadglass_agent.standard_output import StandardOutput
from leadglass_agent.telemetry.extras import need_extra
from leadglass_agent.telemetry.instruments import CertificateRole
from leadglass_agent.telemetry.metrics import Standing
from leadglass_agent.telemetry.providers import Telemetry
from leadglass_agent.telemetry.resource import resource_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from leadglass_agent.access.approvals import PodFacts
    from leadglass_agent.api.audit_writer import AuditWriter
    from leadglass_agent.audit.record import Event
    from leadglass_agent.clock import Instant
    from leadglass_agent.config import Config, Sink
    from leadglass_agent.processes.dialling import Dialler
    from leadglass_agent.processes.live import Live
    from leadglass_agent.processes.shipping import ShippedLog
    from leadglass_agent.sandbox.posture import Posture
    from leadglass_agent.telemetry.prometheus import MetricsPage

_MEBIBYTE: Final = 1024 * 1024
_SECOND_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Exports:
    """What was opened; `shipping` and `page` are there if the configuration asks for them."""

    output: StandardOutput
    telemetry: Telemetry
    witness: Witness
    shipping: Shipping | None
    page: MetricsPage | None

    @property
    def page_address(self) -> str:
        """Where the page of metrics is served; empty if it is not."""
        return "" if self.page is None else self.page.address

    def start(self, postures: tuple[Posture, ...]) -> None:
        """Starts what has threads of its own, and tells how far the kernel confines each process."""
        self.telemetry.metrics.tell_levels({posture.role: posture.sandbox_level for posture in postures})
        if self.shipping is not None:
            self.shipping.start()
        if self.page is not None:
            self.page.start()

    def check(self) -> None:
        """Raises AuditUnavailable while the audit sink is down and the configuration forbids to go on without it."""
        if self.shipping is not None:
            self.shipping.check()

    @property
    def sink_seq(self) -> Callable[[], int] | None:
        """Gives what tells the last record that the sink has; None without a sink."""
        shipping = self.shipping
        return None if shipping is None else lambda: shipping.shipped_seq

    def take_events(self) -> tuple[Event, ...]:
        """Takes what is to be recorded of the audit sink."""
        return () if self.shipping is None else self.shipping.take_events()

    def tell(self, live: Live, now: Instant, *, sessions_open: int, audit_waiting: int, reviews_owed: int) -> None:
        """Tells the gauges how things stand."""
        credentials, now_unix = live.credentials, now.unix_ns / _SECOND_NS
        self.telemetry.metrics.tell(
            Standing(
                sessions_open=sessions_open,
                audit_waiting=audit_waiting,
                audit_unshipped=0 if self.shipping is None else self.shipping.unshipped,
                reviews_owed=reviews_owed,
                certificate_seconds=(
                    (CertificateRole.AGENT, credentials.not_after_unix - now_unix),
                    (CertificateRole.CALLER_AUTHORITY, _first_end(credentials.caller_authorities) - now_unix),
                ),
            )
        )

    def close(self) -> None:
        """Sends what is left, each within seconds; the log must be complete."""
        if self.shipping is not None:
            self.shipping.close()
        self.telemetry.close()
        self.output.close()


def open_exports(
    config: Config,
    version: str,
    pod: PodFacts,
    live: Live,
    audit: AuditWriter,
    clock: Callable[[], Instant],
    dialler: Dialler,
) -> Exports:
    """Opens what the configuration asks for, and has the log tell it what it writes; raises StartRefused."""
    exports = _opened(config, version, pod, live, audit.view.log, clock, dialler)
    metrics = exports.telemetry.metrics
    audit.on_checkpoint = exports.witness.show
    audit.on_commit, audit.on_record = metrics.count_commit, metrics.count_record
    return exports


def _opened(
    config: Config,
    version: str,
    pod: PodFacts,
    live: Live,
    log: ShippedLog,
    clock: Callable[[], Instant],
    dialler: Dialler,
) -> Exports:
    output = StandardOutput()
    resource = resource_of(version, pod)
    shipping = None
    if config.audit.sink is not None:
        dial_sink = partial(dialler.dial, Peer.SINK)
        shipping = _shipping(config.audit.sink, Path(config.audit.path), log, resource, version, clock, dial_sink)
    dial = partial(dialler.dial, Peer.TELEMETRY)
    if not config.telemetry.prometheus_listen:
        telemetry = Telemetry(config.telemetry, resource, version, output, dial=dial)
        return Exports(output, telemetry, Witness(output), shipping, None)
    need_extra("opentelemetry.exporter.prometheus", "prometheus", "telemetry.prometheusListen")
    # Behind the check, and only for those who want it: 3 MB.
    from leadglass_agent.telemetry.prometheus import Asked, MetricsPage, MetricsText  # noqa: PLC0415

    text = MetricsText()
    telemetry = Telemetry(config.telemetry, resource, version, output, (text.reader,), dial)
    asked = Asked(live, config.trust_domain, clock)
    page = MetricsPage(config.telemetry.prometheus_listen, text, asked, telemetry.metrics)
    return Exports(output, telemetry, Witness(output), shipping, page)


@lru_cache(maxsize=1)
def _first_end(authorities_pem: bytes) -> float:
    authorities = x509.load_pem_x509_certificates(authorities_pem)
    return min(authority.not_valid_after_utc.timestamp() for authority in authorities)


def _shipping(
    sink: Sink,
    audit_path: Path,
    log: ShippedLog,
    resource: Mapping[str, str],
    version: str,
    clock: Callable[[], Instant],
    dial: Callable[[], socket.socket],
) -> Shipping:
    need_extra("opentelemetry.proto", "otlp", "audit.sink")
    # Behind the check, and only for those who want it.
    from leadglass_agent.telemetry.otlp_records import records_sender  # noqa: PLC0415
    from leadglass_agent.telemetry.sending import Sender  # noqa: PLC0415

    sender = Sender(sink.endpoint, sink.authorities, sink.headers_file, dial)
    terms = SinkTerms(WhenDown(sink.when_down), sink.spool_mebibytes * _MEBIBYTE)
    return Shipping(log, records_sender(sender, resource, version), audit_path, terms, clock)
