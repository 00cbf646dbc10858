"""Encodes audit records as OTLP logs; the body is the line as it is on disk, so that a receiver can verify it.

Times are those of the record. Severities are those of the OpenTelemetry log data model, whose appendix B maps syslog's.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from leadglass_agent.telemetry.faults import NotTaken, SendFault
from leadglass_agent.telemetry.sending import Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from leadglass_agent.telemetry.sending import Sender

SCOPE: Final = "leadglass.audit"
_SECOND_NS: Final = 1_000_000_000


def records_sender(sender: Sender, resource: Mapping[str, str], version: str) -> Callable[[Sequence[bytes]], None]:
    """Gives what sends lines of the log; it raises NotTaken unless the peer took each of them."""

    def send(lines: Sequence[bytes]) -> None:
        request = ExportLogsServiceRequest(
            resource_logs=[
                ResourceLogs(
                    resource=Resource(attributes=[_attribute(name, value) for name, value in resource.items()]),
                    scope_logs=[
                        ScopeLogs(
                            scope=InstrumentationScope(name=SCOPE, version=version),
                            log_records=[_record(line) for line in lines],
                        )
                    ],
                )
            ]
        )
        reply = sender.send(Signal.LOGS, request.SerializeToString())
        try:
            refused = ExportLogsServiceResponse.FromString(reply).partial_success.rejected_log_records
        except DecodeError:
            raise NotTaken(SendFault.BROKEN) from None
        if refused:
            raise NotTaken(SendFault.PARTLY_REFUSED)

    return send


def _record(line: bytes) -> LogRecord:
    fields: dict[str, object] = json.loads(line)
    kind, is_critical = str(fields["kind"]), fields.get("severity") is not None
    return LogRecord(
        time_unix_nano=_unix_ns(str(fields["time"])),
        severity_number=SeverityNumber.SEVERITY_NUMBER_ERROR2 if is_critical else SeverityNumber.SEVERITY_NUMBER_INFO,
        severity_text="CRITICAL" if is_critical else "INFO",
        event_name=f"{SCOPE}.{kind.lower()}",
        body=AnyValue(string_value=line.decode("ascii")),
        attributes=[
            _attribute("leadglass.audit.kind", kind),
            KeyValue(key="leadglass.audit.seq", value=AnyValue(int_value=int(str(fields["seq"])))),
        ],
    )


def _attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _unix_ns(time: str) -> int:
    """Reads a record's time, which has microseconds, without the rounding of a float."""
    moment = datetime.fromisoformat(time)
    return int(moment.replace(microsecond=0).timestamp()) * _SECOND_NS + moment.microsecond * 1_000
