"""Shows contexts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leadglass_client.output.sheet import Cell, Column, Look, Sheet
from leadglass_client.output.visible import printable
from leadglass_client.settings.contexts import contexts_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass_client.output.records import Record
    from leadglass_client.settings.contexts import Context

_FIELDS = ("name", "current", "address", "server_name", "ca", "certificate", "key")


def contexts_sheet(contexts: Sequence[Context], current: str) -> Sheet:
    """Makes the sheet of all contexts."""
    records = tuple(_record(context, current) for context in contexts)
    wide = (False, False, False, False, True, True, True)
    titles = ("", "NAME", "ADDRESS", "SERVER NAME", "CA", "CERTIFICATE", "KEY")
    return Sheet(
        document={"current": current, "contexts": list(records)},
        records=records,
        fields=_FIELDS,
        identifiers=tuple(printable(context.name) for context in contexts),
        columns=tuple(Column(title, wide=is_wide) for title, is_wide in zip(titles, wide, strict=True)),
        rows=tuple(
            (
                Cell("*" if context.name == current else " ", Look.GOOD),
                *(Cell(printable(text) or "-") for text in _texts(context)),
            )
            for context in contexts
        ),
    )


def context_sheet(context: Context, current: str) -> Sheet:
    """Makes the sheet of one context."""
    whole = _record(context, current)
    names = ("name", "address", "server name", "ca", "certificate", "key")
    heading = (
        *((name, Cell(printable(text) or "-")) for name, text in zip(names, _texts(context), strict=True)),
        ("kept in", Cell(printable(str(contexts_path())), Look.FAINT)),
    )
    return Sheet(whole, (whole,), _FIELDS, (printable(context.name),), heading)


def _texts(context: Context) -> tuple[str, ...]:
    return (context.name, context.address, context.server_name, context.authority, context.certificate, context.key)


def _record(context: Context, current: str) -> Record:
    name, address, server_name, authority, certificate, key = (printable(text) for text in _texts(context))
    return {
        "name": name,
        "current": context.name == current,
        "address": address,
        "server_name": server_name,
        "ca": authority,
        "certificate": certificate,
        "key": key,
    }
