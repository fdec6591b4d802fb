"""A Zoom for tests: the `zoom` fixture is a simulator on a free port.

pytest loads this module wherever paraph is installed, so importing it loads neither a server nor
a database driver; the fixture loads the server when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from paraph.simulator.running import SimulatedZoom

if TYPE_CHECKING:
    from paraph.simulator.world import World

__all__ = ["SimulatedZoom", "zoom", "zoom_world"]


@pytest.fixture
def zoom_world() -> World | None:
    """Who and what exists in `zoom`: define a fixture of this name to have another world."""
    return None


@pytest.fixture
def zoom(zoom_world: World | None) -> Iterator[SimulatedZoom]:
    """A simulated Zoom on a free port."""
    with SimulatedZoom(zoom_world) as simulated:
        yield simulated
