"""Compares two entries of the timeline, part by part; secrets stay masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from paraph.simulator.engine import Simulator
from paraph.simulator.steering.mask import Pair
from paraph.simulator.steering.timeline import Part, Row, find_row

_MOST_LINES = 2000


@dataclass(frozen=True, slots=True)
class Line:
    """A line of both entries; "" where an entry has no such line."""

    left: str
    right: str
    differs: bool


@dataclass(frozen=True, slots=True)
class ComparedPart:
    """The lines of a part under its heading."""

    heading: str
    lines: Sequence[Line]

    @property
    def differing(self) -> int:
        """Return the number of lines that differ."""
        return sum(line.differs for line in self.lines)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two rows and their parts."""

    left: Row
    right: Row
    parts: Sequence[ComparedPart]


def compare(simulator: Simulator, left: str, right: str) -> Comparison | None:
    """Compare two entries; None if one of them is no longer kept.

    Values in clear decide whether two secrets differ; only masked ones are in the result.

    Args:
        simulator: the simulated Zoom.
        left: the key of the first row.
        right: the key of the second row.
    """
    clear = [find_row(simulator, key) for key in (left, right)]
    masked = [find_row(simulator, key, revealed=False) for key in (left, right)]
    if clear[0] is None or clear[1] is None or masked[0] is None or masked[1] is None:
        return None
    headings = [part.heading for row in clear if row is not None for part in row.parts]
    parts = [
        ComparedPart(
            heading,
            _compared(
                [_lines_of(row, heading) for row in (clear[0], clear[1])],
                [_lines_of(row, heading) for row in (masked[0], masked[1])],
            ),
        )
        for heading in dict.fromkeys(headings)
    ]
    return Comparison(masked[0], masked[1], parts)


def _lines_of(row: Row, heading: str) -> list[str]:
    part = next((one for one in row.parts if one.heading == heading), Part(heading))
    return [*map(_pair, part.pairs), *part.text.splitlines()][:_MOST_LINES]


def _pair(pair: Pair) -> str:
    return f"{pair.name}: {pair.value}"


def _compared(clear: Sequence[list[str]], masked: Sequence[list[str]]) -> list[Line]:
    """Align the lines in clear, and return the masked ones in their place."""
    shown = [
        # Masking keeps the number of lines; if it ever does not, nothing in clear is shown.
        hidden if len(hidden) == len(full) else ["(hidden)"] * len(full)
        for full, hidden in zip(clear, masked, strict=True)
    ]
    lines = []
    matcher = SequenceMatcher(a=clear[0], b=clear[1], autojunk=False)
    for kind, begin, end, other_begin, other_end in matcher.get_opcodes():
        size = max(end - begin, other_end - other_begin)
        left, right = shown[0][begin:end], shown[1][other_begin:other_end]
        left += [""] * (size - len(left))
        right += [""] * (size - len(right))
        lines += [Line(one, two, kind != "equal") for one, two in zip(left, right, strict=True)]
    return lines
