"""The simulated behaviours of Zoom, each with a mark for the certainty that Zoom behaves so.

A row stands next to the code that it describes, as a decorator or as a line of its own:

    @behaviour("authorization code", "works once", "documented", source="error 4734")

The table in the documentation is written from these rows.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import paraph.simulator

Mark = Literal["documented", "seen", "inferred", "unknown"]
Marked = TypeVar("Marked")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """A behaviour of the simulator that is Zoom's, or may be.

    Attributes:
        area: its subject, as a heading: "token endpoint".
        text: the behaviour, in one line.
        mark: "documented" by Zoom; "seen" in code, a capture or a report; "inferred" from
            either; "unknown": no evidence, so the case that is harder for an app was chosen.
        source: the place where it is documented or was seen; empty without a source.
    """

    area: str
    text: str
    mark: Mark
    source: str = ""


_ROWS: list[Behaviour] = []


def behaviour(area: str, text: str, mark: Mark, *, source: str = "") -> Callable[[Marked], Marked]:
    """Add a row; also a decorator of the function or class that implements the behaviour.

    Args:
        area: the heading under which it is listed.
        text: the behaviour, in one line.
        mark: the certainty that Zoom behaves so.
        source: the place where it is documented or was seen.
    """
    _ROWS.append(Behaviour(area, text, mark, source))

    def unchanged(marked: Marked) -> Marked:
        return marked

    return unchanged


def all_behaviours() -> list[Behaviour]:
    """Return every row of the simulator, sorted by area and text; loads all of its modules."""
    for module in pkgutil.walk_packages(paraph.simulator.__path__, "paraph.simulator."):
        # Rows are added when their modules load. The plugin is left out: it adds no row and needs
        # pytest.
        if module.name != "paraph.simulator.pytest_plugin":
            importlib.import_module(module.name)
    return sorted(_ROWS, key=lambda row: (row.area, row.text))
