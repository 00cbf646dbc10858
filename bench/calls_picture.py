"""Draws what the benchmark of calls found: latency of each RPC beside the echo, process trees, limits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from call_rows import ECHO, IN_MEMORY
from result_file import Unit, rounded
from svg import Drawing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from result_file import Result

_WIDTH, _MARGIN, _LEFT = 1120, 32, 250
_RIGHT: Final = _WIDTH - 60
_GREY, _RULE, _FADED = "#666", "#d9d9d9", "#f3f5f7"
# Colours that colour-blind people tell apart (Okabe and Ito).
_DISK, _MEMORY, _ECHO, _PS, _PSUTIL = "#0072B2", "#56B4E9", "#999999", "#D55E00", "#E69F00"
_PEERS: Final = {IN_MEMORY: _MEMORY, ECHO: _ECHO, "ps": _PS, "psutil": _PSUTIL}
_LOWEST, _HIGHEST = 0.1, 10_000.0
_ROW: Final = 30


def draw(results: Sequence[Result], machine: str) -> str:
    """Draws the rows as SVG."""
    drawing = Drawing(_WIDTH)
    drawing.text((_MARGIN, 44), "Leadglass calls over mutual TLS, milliseconds", size=22, bold=True)
    drawing.text((_MARGIN, 68), f"{machine}; everything measured in turns, in one run; logarithmic scale", color=_GREY)
    legend = {"audit log on disk": _DISK, **_PEERS}
    x = float(_MARGIN)
    for name, color in legend.items():
        drawing.dot((x + 6, 92), 6, color)
        drawing.text((x + 18, 96), name)
        x += 40 + 7.6 * len(name)
    foot = 120.0
    for concurrent, words in ((1, "one caller"), (8, "8 callers at once"), (64, "64 callers at once")):
        rows = [row for row in results if row.name.startswith("calls/") and row.name.endswith(f"/{concurrent}/p50")]
        foot = _chart(drawing, f"Median of a call, {words}", [(row.name.split("/")[1], row) for row in rows], foot)
    trees = [row for row in results if row.name.startswith("processes/")]
    named = [(f"{row.name.split('/')[1]} processes", row) for row in trees]
    foot = _chart(drawing, "All processes of the machine, with so many more", named, foot)
    _limits(drawing, [row for row in results if row.limit is not None], foot)
    return drawing.source(_MARGIN)


def _chart(drawing: Drawing, title: str, rows: Sequence[tuple[str, Result]], top: float) -> float:
    if not rows:
        return top
    drawing.text((_MARGIN, top + 14), title, size=16, bold=True)
    head, foot = top + 26, top + 26 + _ROW * len(rows)
    for power in range(math.ceil(math.log10(_LOWEST)), math.floor(math.log10(_HIGHEST)) + 1):
        x = _x(10.0**power)
        drawing.line((x, head), (x, foot), _RULE)
        drawing.text((x, foot + 16), f"{10.0**power:,g}", color=_GREY, anchor="middle")
    drawing.text((_RIGHT, foot + 16), "ms", color=_GREY, anchor="end")
    for number, (name, row) in enumerate(rows):
        middle = head + _ROW * (number + 0.5)
        drawing.text((_MARGIN, middle + 5), name)
        drawing.line((_LEFT, head + _ROW * (number + 1)), (_RIGHT, head + _ROW * (number + 1)), _RULE)
        drawing.dot((_x(row.value), middle), 8, _DISK)
        for peer, value in row.peers.items():
            drawing.dot((_x(value), middle), 5, _PEERS[peer])
        drawing.text((_RIGHT + 8, middle + 5), f"{rounded(row.value):,.4g}", size=12, bold=True)
    return foot + 44


def _limits(drawing: Drawing, rows: Sequence[Result], top: float) -> None:
    drawing.text((_MARGIN, top + 14), "Numbers that have a limit", size=16, bold=True)
    for number, row in enumerate(rows):
        y = top + 42 + 22 * number
        if number % 2 == 0:
            drawing.box((_MARGIN - 8, y - 15), (_WIDTH - 2 * _MARGIN + 16, 22), _FADED)
        bound = "at least" if row.unit.more_is_better else "at most"
        unit = "" if row.unit is Unit.STREAMS else f" {row.unit}"
        drawing.text((_MARGIN, y), row.name.replace("/", " · "))
        drawing.text((560, y), f"{rounded(row.value):,g}{unit}", anchor="end", bold=True)
        drawing.text((760, y), f"{bound} {rounded(row.limit or 0.0):,g}{unit}", color=_GREY, anchor="end")
        drawing.text((800, y), "✓ holds" if row.holds else "✗ not reached", color="#00734f" if row.holds else "#b03a00")


def _x(value: float) -> float:
    share = (math.log10(min(max(value, _LOWEST), _HIGHEST)) - math.log10(_LOWEST)) / math.log10(_HIGHEST / _LOWEST)
    return _LEFT + share * (_RIGHT - _LEFT)
