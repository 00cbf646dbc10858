"""Shows metadata of files, asked for by path or listed from a directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass.v1.inspect_pb2 import FileMetadata
from leadglass_client.errors import ExitCode, Failure
from leadglass_client.output.records import field_names, record
from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.units import moment, size
from leadglass_client.output.visible import printable
from leadglass_client.views.file_mode import file_mode
from leadglass_client.views.unavailable import explain, reason_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass.v1.inspect_pb2 import ListDirectoryResponse

_COLUMNS = (
    Column("MODE"),
    Column("LINKS", right=True, wide=True),
    Column("UID", right=True),
    Column("GID", right=True),
    Column("SIZE", right=True),
    Column("ALLOCATED", right=True, wide=True),
    Column("CHANGED", wide=True),
    Column("MODIFIED"),
    Column("NAME"),
)


def stat_sheet(files: Sequence[FileMetadata]) -> Sheet:
    """Makes the sheet of files asked for by path."""
    records = tuple(record(file) for file in files)
    return Sheet(
        document={"files": list(records)},
        records=records,
        fields=field_names(FileMetadata.DESCRIPTOR),
        identifiers=tuple(printable(file.name.text) for file in files),
        columns=_COLUMNS,
        rows=tuple(_row(file) for file in files),
    )


def directory_sheet(pages: Sequence[ListDirectoryResponse], *, more: bool) -> Sheet:
    """Makes the sheet of a directory; the identifiers are full paths, ready for `leadglass stat`."""
    entries = [entry for page in pages for entry in page.entries]
    records = tuple(record(entry) for entry in entries)
    path = printable(pages[0].path.text)
    reason = next((page.unavailable for page in pages if page.unavailable), 0)
    return Sheet(
        document={
            "path": path,
            "entries": list(records),
            "unavailable": reason_name(reason) if reason else None,
            "truncated": more or any(page.truncated for page in pages),
        },
        records=records,
        fields=field_names(FileMetadata.DESCRIPTOR),
        identifiers=tuple(f"{path.rstrip('/')}/{printable(entry.name.text)}" for entry in entries),
        columns=() if reason else _COLUMNS,
        rows=tuple(_row(entry) for entry in entries),
    )


def missing_failure(files: Sequence[FileMetadata]) -> Failure | None:
    """Makes the failure of a stat of which some or all files have no metadata; None if all have."""
    missing = [file for file in files if file.unavailable]
    if not missing:
        return None
    explanations = [explain(file.unavailable) for file in missing]
    first = explanations[0]
    if len(missing) < len(files):
        code = ExitCode.PARTIAL
    else:
        codes = {explanation.code for explanation in explanations}
        code = first.code if len(codes) == 1 else ExitCode.NOT_FOUND
    what = f"{len(missing)} of {len(files)} files cannot be shown"
    if len(files) == 1:
        what = f"{printable(missing[0].name.text)}: {first.words} ({reason_name(missing[0].unavailable)})"
    return Failure(code, what, first.next_step)


def _row(file: FileMetadata) -> tuple[Cell, ...]:
    name = printable(file.name.text) + ("…" if file.name.truncated else "")
    if file.unavailable:
        words = f"{name}  ({explain(file.unavailable).words}: {reason_name(file.unavailable)})"
        return (*(Cell("-", Look.FAINT) for _ in _COLUMNS[:-1]), Cell(words, Look.ODD))
    if file.HasField("link_target"):
        name += f" -> {printable(file.link_target.text)}" + ("…" if file.link_target.truncated else "")
    return (
        Cell(file_mode(file)),
        Cell(str(file.hard_links)),
        Cell(str(file.owner_uid)),
        Cell(str(file.owner_gid)),
        Cell(size(file.size_bytes)),
        Cell(size(file.allocated_bytes)),
        Cell(moment(file.change_time)),
        Cell(moment(file.modify_time)),
        Cell(name),
    )
