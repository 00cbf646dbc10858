"""Shows what the agent says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass.v1.agent_pb2 import AgentProcess, AgentProcessRole, GetSelfResponse, SandboxLevel
from leadglass_client.output.records import field_names, record, short_name
from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.units import moment, size
from leadglass_client.output.visible import printable, short_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass.v1.agent_pb2 import ForbiddenAttempt

_COLUMNS = (
    Column("PID", right=True),
    Column("UID", right=True),
    Column("GID", right=True),
    Column("CAPABILITIES", right=True),
    Column("SANDBOX"),
    Column("GLASS"),
    Column("REFUSED", right=True),
    Column("NO_NEW_PRIVS", wide=True),
    Column("DUMPABLE", wide=True),
    Column("FILTERED", right=True, wide=True),
    Column("LANDLOCK", right=True, wide=True),
    Column("MEM", right=True),
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
        ("sandbox", _sandbox(report.processes)),
        ("one-way glass", _glass(report.processes)),
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


def _sandbox(processes: Sequence[AgentProcess]) -> Cell:
    """Says how far the kernel confines the agent as a whole: as far as its weakest process."""
    broken = [process for process in processes if _went_through(process)]
    if broken:
        names = ", ".join(attempt.attempt.lower() for attempt in _went_through(broken[0]))
        return Cell(f"broken: the {_role(broken[0])} was let through ({printable(names)})", Look.BAD)
    if not processes:
        return Cell("-")
    least = min(process.sandbox_level for process in processes)
    if least == SandboxLevel.SANDBOX_LEVEL_FULL:
        return Cell("full", Look.GOOD)
    weak = ", ".join(sorted({_role(process) for process in processes if process.sandbox_level == least}))
    return Cell(f"{_level(least)} ({weak})", Look.ODD)


def _glass(processes: Sequence[AgentProcess]) -> Cell:
    if processes and all(process.one_way_glass for process in processes):
        return Cell("yes", Look.GOOD)
    return Cell("no: programs of the agent's own user could look into it", Look.ODD)


def _row(process: AgentProcess) -> tuple[Cell, ...]:
    capabilities = process.effective_capabilities
    asked = [attempt for attempt in process.attempts if attempt.forbidden]
    refused = f"{len(asked) - len(_went_through(process))}/{len(asked)}" if asked else "-"
    is_full = process.sandbox_level == SandboxLevel.SANDBOX_LEVEL_FULL
    return (
        Cell(str(process.pid)),
        Cell(str(process.uid), Look.PLAIN if process.uid else Look.BAD),
        Cell(str(process.gid)),
        Cell(f"{capabilities:#x}" if capabilities else "none", Look.BAD if capabilities else Look.PLAIN),
        Cell(_level(process.sandbox_level), Look.PLAIN if is_full else Look.ODD),
        Cell("yes") if process.one_way_glass else Cell("no", Look.ODD),
        Cell(refused, Look.BAD if _went_through(process) else Look.PLAIN),
        Cell("yes") if process.no_new_privs else Cell("no", Look.ODD),
        Cell("yes", Look.ODD) if process.dumpable else Cell("no"),
        Cell(f"{process.threads_filtered}/{process.threads}"),
        Cell(str(process.landlock_abi) if process.landlock_abi else "-"),
        Cell(size(process.resident_memory_bytes)),
        Cell(_role(process)),
    )


def _went_through(process: AgentProcess) -> list[ForbiddenAttempt]:
    return [attempt for attempt in process.attempts if attempt.forbidden and not attempt.refused]


def _level(level: int) -> str:
    return short_name(SandboxLevel.DESCRIPTOR, level).lower()


def _role(process: AgentProcess) -> str:
    return short_name(AgentProcessRole.DESCRIPTOR, process.role).lower().replace("_", " ")
