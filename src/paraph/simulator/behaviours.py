"""What the simulator imitates, each with a mark that says how sure it is that Zoom does so.

A row stands beside the code that it speaks of, as a decorator or as a line of its own:

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
    """One thing that the simulator does as Zoom does, or as Zoom might.

    Attributes:
        area: what it belongs to, as a heading: "token endpoint".
        text: what happens, in one line.
        mark: "documented" by Zoom; "seen" in code, a capture or a report; "inferred" from
            either; "unknown": nobody has said, and the harder case for an app was chosen.
        source: where it is documented or was seen; empty where there is no source.
    """

    area: str
    text: str
    mark: Mark
    source: str = ""


_ROWS: list[Behaviour] = []


def behaviour(area: str, text: str, mark: Mark, *, source: str = "") -> Callable[[Marked], Marked]:
    """Add a row; usable as a decorator of the function or class that does it."""
    _ROWS.append(Behaviour(area, text, mark, source))

    def unchanged(marked: Marked) -> Marked:
        return marked

    return unchanged


def all_behaviours() -> list[Behaviour]:
    """Every row of the whole simulator, by area and text: whatever was loaded first, the same."""
    for module in pkgutil.walk_packages(paraph.simulator.__path__, "paraph.simulator."):
        # Rows are added when their modules load; the plugin has none, and needs pytest.
        if module.name != "paraph.simulator.pytest_plugin":
            importlib.import_module(module.name)
    return sorted(_ROWS, key=lambda row: (row.area, row.text))
