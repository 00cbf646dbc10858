"""Shows processes: the tree or a flat list, with arguments as the agent masked them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from leadglass.v1.common_pb2 import UnavailableReason
from leadglass.v1.inspect_pb2 import Process, ProcessState
from leadglass_client.output.records import duration_seconds, field_names, record, short_name, timestamp_text
from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.units import moment, size, span
from leadglass_client.output.visible import printable
from leadglass_client.views.tree import tree_order
from leadglass_client.views.unavailable import explain, reason_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from leadglass.v1.inspect_pb2 import ListProcessesResponse

_COLUMNS = (
    Column("PID", right=True),
    Column("STARTTICKS", right=True, wide=True),
    Column("PPID", right=True, wide=True),
    Column("UID", right=True),
    Column("GID", right=True, wide=True),
    Column("STATE"),
    Column("THR", right=True, wide=True),
    Column("MEM", right=True),
    Column("VIRTUAL", right=True, wide=True),
    Column("CPU", right=True),
    Column("AGE", right=True),
    Column("STARTED", wide=True),
    Column("NAME", wide=True),
    Column("EXECUTABLE", wide=True),
    Column("COMMAND"),
)
_STATES = {
    "UNSPECIFIED": ("?", Look.ODD),
    "RUNNING": ("run", Look.GOOD),
    "SLEEPING": ("sleep", Look.PLAIN),
    "DISK_SLEEP": ("disk", Look.ODD),
    "STOPPED": ("stop", Look.ODD),
    "TRACED": ("trace", Look.ODD),
    "ZOMBIE": ("zombie", Look.BAD),
    "DEAD": ("dead", Look.BAD),
    "IDLE": ("idle", Look.FAINT),
}
_MAX_COMMAND = 20_000  # characters of one line of the table; JSON has them all


def process_sheet(pages: Sequence[ListProcessesResponse], *, more: bool, flat: bool) -> Sheet:
    """Makes the sheet of all pages; ages are relative to the agent's own clock at the first page."""
    processes = [process for page in pages for process in page.processes]
    first = pages[0]
    now = first.read_time.seconds
    records = tuple(record(process) for process in processes)
    ordered = (("", process) for process in processes) if flat else tree_order(processes)
    return Sheet(
        document={
            "processes": list(records),
            "read_time": timestamp_text(first.read_time),
            "incomplete_reason": _incomplete(pages),
            "truncated": more,
        },
        records=records,
        fields=field_names(Process.DESCRIPTOR),
        identifiers=tuple(f"{process.ref.pid}@{process.ref.start_ticks}" for process in processes),
        columns=_COLUMNS,
        rows=tuple(_row(branch, process, now) for branch, process in ordered),
    )


def process_notes(pages: Sequence[ListProcessesResponse]) -> tuple[str, ...]:
    """Says what the table leaves out: arguments that could not be read, and processes that /proc hides."""
    kept = Counter(
        process.arguments_unavailable
        for page in pages
        for process in page.processes
        if process.arguments_unavailable
        not in {
            UnavailableReason.UNAVAILABLE_REASON_UNSPECIFIED,
            UnavailableReason.UNAVAILABLE_REASON_NO_USER_MEMORY,
        }
    )
    notes = [
        f"arguments of {count} {'process is' if count == 1 else 'processes are'} not shown: "
        f"{explain(reason).words} ({reason_name(reason)})"
        for reason, count in sorted(kept.items())
    ]
    for reason in sorted({page.incomplete_reason for page in pages if page.incomplete_reason}):
        words = explain(reason)
        notes.append(f"the list may lack processes: {words.words} ({reason_name(reason)}); {words.next_step}")
    return tuple(notes)


def _incomplete(pages: Sequence[ListProcessesResponse]) -> str | None:
    return next((reason_name(page.incomplete_reason) for page in pages if page.incomplete_reason), None)


def _row(branch: str, process: Process, now: int) -> tuple[Cell, ...]:
    name = printable(process.name.text)
    state, look = _STATES.get(short_name(ProcessState.DESCRIPTOR, process.state), ("?", Look.ODD))
    return (
        Cell(str(process.ref.pid)),
        Cell(str(process.ref.start_ticks), Look.FAINT),
        Cell(str(process.parent_pid)),
        Cell(str(process.owner_uid)),
        Cell(str(process.owner_gid)),
        Cell(state, look),
        Cell(str(process.threads)),
        Cell(size(process.resident_memory_bytes)),
        Cell(size(process.virtual_memory_bytes)),
        Cell(span(duration_seconds(process.cpu_time))),
        Cell(span(now - process.start_time.seconds)),
        Cell(moment(process.start_time)),
        Cell(name),
        _executable(process),
        Cell(branch + _command(process, name), Look.PLAIN if process.arguments else Look.FAINT),
    )


def _executable(process: Process) -> Cell:
    if process.HasField("executable"):
        return Cell(printable(process.executable.text) + ("…" if process.executable.truncated else ""))
    return Cell(reason_name(process.executable_unavailable) if process.executable_unavailable else "-", Look.FAINT)


def _command(process: Process, name: str) -> str:
    if not process.arguments:
        return f"[{name}]"
    line = " ".join(_words(process)) + (" …" if process.arguments_truncated else "")
    return line if len(line) <= _MAX_COMMAND else line[:_MAX_COMMAND] + "…"


def _words(process: Process) -> Iterable[str]:
    for argument in process.arguments:
        text = printable(argument.text) + ("…" if argument.truncated else "")
        # Quoted as a shell would, only where the boundary would be lost; marks of masking stay as they are.
        quoted = "'" + text.replace("'", "'\\''") + "'"
        yield text if text and not set(text) & set(" '\"") else quoted
