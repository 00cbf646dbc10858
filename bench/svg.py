"""Writes pictures as SVG: lines, dots, rectangles and text, in the fonts that the viewer has."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape, quoteattr

_FONT: Final = "system-ui, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif"


class Drawing:
    """A picture that grows downwards; positions are pixels from its upper left corner."""

    def __init__(self, width: float) -> None:
        self.width = width
        self.height = 0.0
        self._parts: list[str] = []

    def line(self, start: tuple[float, float], end: tuple[float, float], color: str, *, dashes: str = "") -> None:
        """Draws a thin line."""
        dashed = f" stroke-dasharray={quoteattr(dashes)}" if dashes else ""
        places = f'x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"'
        self._add(f'<line {places} stroke="{color}" stroke-width="1"{dashed}/>', max(start[1], end[1]))

    def path(self, points: list[tuple[float, float]], color: str) -> None:
        """Draws a thick line through the points."""
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        style = f'fill="none" stroke="{color}" stroke-width="2.5" stroke-linejoin="round"'
        self._add(f'<polyline points="{places}" {style}/>', max(y for _, y in points))

    def dot(self, center: tuple[float, float], radius: float, color: str) -> None:
        """Draws a dot with a white rim, so that two that overlap stay two."""
        place = f'cx="{center[0]:.1f}" cy="{center[1]:.1f}" r="{radius:.1f}"'
        self._add(f'<circle {place} fill="{color}" stroke="#fff" stroke-width="1.5"/>', center[1] + radius)

    def box(self, corner: tuple[float, float], size: tuple[float, float], color: str) -> None:
        """Fills a rectangle."""
        place = f'x="{corner[0]:.1f}" y="{corner[1]:.1f}" width="{size[0]:.1f}" height="{size[1]:.1f}"'
        self._add(f'<rect {place} rx="3" fill="{color}"/>', corner[1] + size[1])

    def text(
        self, place: tuple[float, float], words: str, *, size: float = 13, color: str = "#222", anchor: str = "start",
        bold: bool = False,
    ) -> None:  # fmt: skip
        """Writes one line of text; the place is at its foot."""
        style = f'font-size="{size:g}" fill="{color}" text-anchor="{anchor}"' + (' font-weight="600"' if bold else "")
        self._add(f'<text x="{place[0]:.1f}" y="{place[1]:.1f}" {style}>{escape(words)}</text>', place[1])

    def source(self, margin: float) -> str:
        """Gives the file."""
        height = self.height + margin
        frame = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {height:.0f}"'
        opening = f'<svg {frame} width="{self.width:g}" height="{height:.0f}" font-family={quoteattr(_FONT)}>'
        ground = f'<rect width="{self.width:g}" height="{height:.0f}" fill="#fff"/>'
        return "\n".join((opening, ground, *self._parts, "</svg>\n"))

    def _add(self, part: str, foot: float) -> None:
        self._parts.append(part)
        self.height = max(self.height, foot)
