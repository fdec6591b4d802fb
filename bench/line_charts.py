"""Small line charts on one sheet, as SVG that is readable on light and on dark pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

COLUMNS = 2
WIDTH, HEIGHT = 420, 150
LEFT, TOP, RIGHT, BOTTOM = 54, 40, 16, 26
TITLE_HEIGHT = 40
TEXT = 'role="img" font-family="system-ui, sans-serif" font-size="12"'
COLOURS = ("#1f77b4", "#c2410c")


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart.

    Attributes:
        name: what it shows, with the unit.
        x: the positions of all lines, from the smallest to the largest; minutes.
        lines: the values by the name of the line.
    """

    name: str
    x: Sequence[float]
    lines: Mapping[str, Sequence[float]]


def draw(title: str, charts: Sequence[Chart]) -> str:
    """Return the sheet as SVG."""
    rows = -(-len(charts) // COLUMNS)
    width, height = COLUMNS * WIDTH, TITLE_HEIGHT + rows * HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {TEXT}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="26" font-size="15" fill="#111827">{escape(title)}</text>',
    ]
    for place, chart in enumerate(charts):
        row, column = divmod(place, COLUMNS)
        parts.append(f'<g transform="translate({column * WIDTH} {TITLE_HEIGHT + row * HEIGHT})">')
        parts += _drawn(chart)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def _round_up(value: float) -> float:
    """Return the next number that is round, and whose half is."""
    unit = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(unit * one for one in (1, 2, 4, 6, 8, 10) if unit * one >= value)


def _drawn(chart: Chart) -> list[str]:
    top = _round_up(max((max(values) for values in chart.lines.values()), default=0.0))
    end = chart.x[-1] or 1.0
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    parts = [f'<text x="{LEFT}" y="14" fill="#111827">{escape(chart.name)}</text>']
    for share in (0.0, 0.5, 1.0):
        y = TOP + high * (1 - share)
        parts.append(f'<path d="M{LEFT} {y:g}h{wide}" stroke="#d1d5db"/>')
        label = f"{top * share:,.0f}" if top > 1 else f"{top * share:g}"
        parts.append(
            f'<text x="{LEFT - 6}" y="{y + 4:g}" text-anchor="end" fill="#4b5563">{label}</text>'
        )
    parts += [
        f'<text x="{LEFT + wide * share:g}" y="{HEIGHT - 8}" text-anchor="{anchor}" '
        f'fill="#4b5563">{end * share:.3g} min</text>'
        for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end"))
    ]
    for place, (name, values) in enumerate(chart.lines.items()):
        colour = COLOURS[place]
        points = " ".join(
            f"{LEFT + x / end * wide:.1f},{TOP + high * (1 - value / top):.1f}"
            for x, value in zip(chart.x, values, strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
        if len(chart.lines) > 1:
            x = LEFT + 90 * place
            parts.append(f'<text x="{x}" y="{TOP - 10}" fill="{colour}">{escape(name)}</text>')
    return parts
