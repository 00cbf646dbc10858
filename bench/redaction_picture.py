"""Draws what the redaction benchmark found: speeds side by side, speed by size, and each number beside its limit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import contenders
from result_file import Unit, rounded
from svg import Drawing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from result_file import Result

_WIDTH, _MARGIN, _LEFT = 1120, 32, 210
_RIGHT: Final = _WIDTH - 60
_GREY, _RULE, _FADED = "#666", "#d9d9d9", "#f3f5f7"
# Colours that colour-blind people tell apart (Okabe and Ito).
_COLORS: Final = {
    contenders.BALANCED: "#0072B2",
    contenders.STRICT: "#56B4E9",
    contenders.BARE_SCAN: "#009E73",
    contenders.MEMCPY: "#999999",
    contenders.PLAIN_RE: "#F0E442",
    contenders.KINGFISHER: "#D55E00",
    contenders.BETTERLEAKS: "#CC79A7",
    contenders.DETECT_SECRETS: "#E69F00",
}
_LOWEST, _HIGHEST = 0.02, 100_000.0
_ROW: Final = 46
_CHART: Final = 210


def draw(results: Sequence[Result], machine: str) -> str:
    """Draws the rows as SVG."""
    drawing = Drawing(_WIDTH)
    drawing.text((_MARGIN, 44), "Leadglass redaction: megabytes a second on one core", size=22, bold=True)
    drawing.text((_MARGIN, 68), f"{machine}; everything measured in turns, in one run; logarithmic scale", color=_GREY)
    _legend(drawing, 96)
    foot = _speeds(drawing, results, 116)
    foot = _by_size(drawing, results, foot + 56)
    _limits(drawing, results, foot + 56)
    _recall(drawing, results, drawing.height + 34)
    return drawing.source(_MARGIN)


def _legend(drawing: Drawing, y: float) -> None:
    x = float(_MARGIN)
    for name, color in _COLORS.items():
        drawing.dot((x + 6, y - 4), 6, color)
        drawing.text((x + 18, y), name)
        x += 40 + 7.6 * len(name)


def _speeds(drawing: Drawing, results: Sequence[Result], top: float) -> float:
    rows = [result for result in results if result.unit is Unit.MEGABYTES_PER_SECOND and "/size/" not in result.name]
    kinds = list(dict.fromkeys(row.name.split("/")[1] for row in rows))
    foot = top + _ROW * len(kinds)
    for power in range(math.ceil(math.log10(_LOWEST)), math.floor(math.log10(_HIGHEST)) + 1):
        drawing.line((_x(10.0**power), top), (_x(10.0**power), foot), _RULE)
        drawing.text((_x(10.0**power), foot + 18), f"{10.0**power:,g}", color=_GREY, anchor="middle")
    drawing.text((_RIGHT, foot + 36), "MB/s", color=_GREY, anchor="end")
    for number, kind in enumerate(kinds):
        middle = top + _ROW * (number + 0.5)
        drawing.line((_LEFT, top + _ROW * (number + 1)), (_RIGHT, top + _ROW * (number + 1)), _RULE)
        drawing.text((_MARGIN, middle + 5), _title(kind), bold=True)
        _row(drawing, {row.name.split("/")[2]: row for row in rows if row.name.split("/")[1] == kind}, middle)
    return foot


def _row(drawing: Drawing, rows: Mapping[str, Result], middle: float) -> None:
    balanced = rows[contenders.BALANCED]
    speeds = {**balanced.peers, **{name: row.value for name, row in rows.items()}}
    if balanced.limit is not None:
        drawing.line(
            (_x(balanced.limit), middle - 21), (_x(balanced.limit), middle + 21), _COLORS["balanced"], dashes="3 2"
        )
        drawing.text(
            (_x(balanced.limit) - 4, middle - 11), f"≥ {balanced.limit:,g}", size=11, color=_GREY, anchor="end"
        )
    for name, color in _COLORS.items():
        if name in speeds:
            # Ours is the largest and lies below the others, so that it hides none of them.
            drawing.dot((_x(speeds[name]), middle), 9 if name == contenders.BALANCED else 5.5, color)
    drawing.text((_x(balanced.value), middle + 21), f"{balanced.value:,.3g}", size=11, anchor="middle", bold=True)


def _title(kind: str) -> str:
    words = kind.replace("-", " ").replace("json", "JSON").replace("yaml", "YAML")
    return words[0].upper() + words[1:]


def _x(speed: float) -> float:
    share = (math.log10(max(speed, _LOWEST)) - math.log10(_LOWEST)) / (math.log10(_HIGHEST) - math.log10(_LOWEST))
    return _LEFT + share * (_RIGHT - _LEFT)


def _by_size(drawing: Drawing, results: Sequence[Result], top: float) -> float:
    rows = [result for result in results if "/size/" in result.name]
    sizes = list(dict.fromkeys(row.name.split("/")[2] for row in rows))
    highest = max((row.value for row in rows), default=1.0) * 1.1
    drawing.text((_MARGIN, top), "Sparse JSON logs by size of the text, MB/s", size=16, bold=True)
    drawing.text((_RIGHT, top), "redact(whole text)", color=_COLORS["balanced"], anchor="end", bold=True)
    drawing.text(
        (_RIGHT - 150, top), "stream, chunks of 256 KiB", color=_COLORS["bare-hyperscan"], anchor="end", bold=True
    )
    foot = top + 16 + _CHART
    step = 10 ** math.floor(math.log10(highest))
    step = step / 2 if highest / step < 3 else step  # noqa: PLR2004 - at least three lines
    for number in range(math.floor(highest / step) + 1):
        y = foot - number * step / highest * _CHART
        drawing.line((_LEFT, y), (_RIGHT, y), _RULE)
        drawing.text((_LEFT - 10, y + 4), f"{number * step:,g}", color=_GREY, anchor="end")
    places = {size: _LEFT + (i + 0.5) * (_RIGHT - _LEFT) / len(sizes) for i, size in enumerate(sizes)}
    for way, color in (("stream", _COLORS["bare-hyperscan"]), ("whole", _COLORS["balanced"])):
        points = [
            (places[row.name.split("/")[2]], foot - row.value / highest * _CHART)
            for row in rows
            if row.name.endswith(way)
        ]
        drawing.path(points, color)
        for point in points:
            drawing.dot(point, 4, color)
    for size, x in places.items():
        drawing.text((x, foot + 18), size.replace("KiB", " KiB").replace("MiB", " MiB"), color=_GREY, anchor="middle")
    return foot


def _limits(drawing: Drawing, results: Sequence[Result], top: float) -> None:
    drawing.text((_MARGIN, top), "Numbers that have a limit", size=16, bold=True)
    for number, row in enumerate(result for result in results if result.limit is not None):
        y = top + 28 + 22 * number
        if number % 2 == 0:
            drawing.box((_MARGIN - 8, y - 15), (_WIDTH - 2 * _MARGIN + 16, 22), _FADED)
        bound = "at least" if row.unit.more_is_better else "at most"
        drawing.text((_MARGIN, y), row.name.removeprefix("redaction/").replace("/", " · "))
        drawing.text((640, y), f"{rounded(row.value):,.4g} {row.unit}", anchor="end", bold=True)
        drawing.text((820, y), f"{bound} {row.limit:,g} {row.unit}", color=_GREY, anchor="end")
        drawing.text((850, y), "✓ holds" if row.holds else "✗ not reached", color="#00734f" if row.holds else "#b03a00")


def _recall(drawing: Drawing, results: Sequence[Result], y: float) -> None:
    rows = {row.name.split("/")[2]: row for row in results if row.name.endswith("/recall")}
    if contenders.BALANCED in rows:
        shares = {name: row.value for name, row in rows.items()} | dict(rows[contenders.BALANCED].peers)
        words = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        drawing.text((_MARGIN, y), f"Secrets of the dense logs that are masked: {words}", color=_GREY)
