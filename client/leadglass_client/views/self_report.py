"""Shows what the agent says of itself."""

from __future__ import annotations

from leadglass.v1.agent_pb2 import AgentProcess, AgentProcessRole, GetSelfResponse, SandboxLevel
from leadglass_client.output.records import field_names, record, short_name
from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.units import moment, size
from leadglass_client.output.visible import printable, short_digest

_COLUMNS = (
    Column("PID", right=True),
    Column("UID", right=True),
    Column("GID", right=True),
    Column("CAPABILITIES", right=True),
    Column("NO_NEW_PRIVS"),
    Column("DUMPABLE"),
    Column("SECCOMP", right=True),
    Column("THR", right=True, wide=True),
    Column("MEM", right=True),
    Column("SANDBOX", wide=True),
    Column("ROLE"),
)


def self_sheet(report: GetSelfResponse) -> Sheet:
    """Makes the sheet of a report; what weakens the agent stands out."""
    whole = record(report)
    audit = (
        Cell("writable", Look.GOOD) if report.audit_writable else Cell("cannot be written: nothing is shown", Look.BAD)
    )
    heading = (
        ("agent", Cell(printable(report.agent_id) or "-")),
        ("version", Cell(printable(report.version))),
        ("started", Cell(moment(report.start_time))),
        ("certificate ends", Cell(moment(report.certificate_expire_time))),
        ("policy", Cell(f"{printable(report.policy_name)} {short_digest(report.policy_digest)}")),
        ("audit log", audit),
        ("redaction rules", Cell(str(report.redaction_rules))),
        ("open sessions", Cell(str(report.open_sessions))),
    )
    return Sheet(
        document=whole,
        records=(whole,),
        fields=field_names(GetSelfResponse.DESCRIPTOR),
        identifiers=(printable(report.agent_id) or printable(report.version),),
        heading=heading,
        columns=_COLUMNS,
        rows=tuple(_row(process) for process in report.processes),
    )


def _row(process: AgentProcess) -> tuple[Cell, ...]:
    capabilities = process.effective_capabilities
    return (
        Cell(str(process.pid)),
        Cell(str(process.uid), Look.PLAIN if process.uid else Look.BAD),
        Cell(str(process.gid)),
        Cell(f"{capabilities:#x}" if capabilities else "none", Look.BAD if capabilities else Look.PLAIN),
        Cell("yes") if process.no_new_privs else Cell("no", Look.ODD),
        Cell("yes", Look.ODD) if process.dumpable else Cell("no"),
        Cell(str(process.seccomp_filters)),
        Cell(str(process.threads)),
        Cell(size(process.resident_memory_bytes)),
        Cell(short_name(SandboxLevel.DESCRIPTOR, process.sandbox_level).lower()),
        Cell(short_name(AgentProcessRole.DESCRIPTOR, process.role).lower()),
    )
