"""Shows lines of a text file: as they stand in it, as records, or as one document."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from leadglass.v1.common_pb2 import RedactionProfile
from leadglass.v1.inspect_pb2 import TextEnd, TextLine
from leadglass_client.output.lines import printable_line
from leadglass_client.output.records import field_names, record, short_name
from leadglass_client.output.sheet import Sheet
from leadglass_client.output.visible import printable
from leadglass_client.views.unavailable import reason_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leadglass.v1.inspect_pb2 import ReadTextResponse
    from leadglass_client.output.records import Record

_ESCAPED = re.compile(r"\\\\")
_GAP = "--"  # what grep prints between groups of lines


def plain_lines(message: ReadTextResponse, *, gaps: bool) -> list[str]:
    r"""Writes the lines as they stand in the file: a backslash is one again, so that JSON stays JSON.

    An escape such as \u001b then looks like the six characters that it is made of; the other forms tell them apart.
    """
    lines: list[str] = []
    for line in message.lines:
        if gaps and line.after_gap:
            lines.append(_GAP)
        text = printable_line(_ESCAPED.sub(r"\\", line.text.text))
        lines.append(text + "…" if line.text.truncated else text)
    return lines


def line_record(line: TextLine) -> Record:
    """Makes the record of a line; its text has its backslashes doubled, as the API has them."""
    return record(line) | {"text": printable_line(line.text.text)}


def text_sheet(messages: Sequence[ReadTextResponse]) -> Sheet:
    """Makes the sheet of a whole window."""
    records = tuple(line_record(line) for message in messages for line in message.lines)
    file = next((message.file for message in messages if message.HasField("file")), None)
    last = messages[-1] if messages else None
    counts: dict[str, int] = {}
    for message in messages:
        for count in message.redactions:
            counts[count.rule_id] = counts.get(count.rule_id, 0) + count.count
    return Sheet(
        document={
            "file": None if file is None else record(file),
            "redaction": None if last is None else short_name(RedactionProfile.DESCRIPTOR, last.redaction),
            "redactions": {printable(rule): count for rule, count in sorted(counts.items())},
            "lines": list(records),
            "end": None if last is None else short_name(TextEnd.DESCRIPTOR, last.end),
            "unavailable": reason_name(last.unavailable) if last is not None and last.unavailable else None,
        },
        records=records,
        fields=field_names(TextLine.DESCRIPTOR),
        identifiers=() if file is None else (printable(file.path.text),),
    )
