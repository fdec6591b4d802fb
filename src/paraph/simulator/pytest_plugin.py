"""The pytest plugin: its fixture `simulated_zoom`, or `zoom`, is a simulated Zoom on a free port.

One server runs for the whole session, and each test gets it freshly reset.

pytest loads this module wherever paraph is installed. So importing it loads neither a server nor a
database library; the fixture loads the server when it is first used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from paraph.extras import needs
from paraph.simulator.running import SimulatedZoom

if TYPE_CHECKING:
    from paraph.simulator.state.world import World

__all__ = ["SimulatedZoom", "simulated_zoom", "zoom", "zoom_world"]


@pytest.fixture
def zoom_world() -> World | None:
    """The world of `simulated_zoom`: define a fixture of this name to use another one."""
    return None


@pytest.fixture(scope="session")
def _zoom_servers() -> Iterator[list[SimulatedZoom]]:
    servers: list[SimulatedZoom] = []
    yield servers
    for one in servers:
        one.stop()


@pytest.fixture
def simulated_zoom(
    zoom_world: World | None, _zoom_servers: list[SimulatedZoom]
) -> Iterator[SimulatedZoom]:
    """A simulated Zoom on a free port; the app that it serves is stopped after the test."""
    with needs("simulator", "the fixture `simulated_zoom`"):
        from paraph.simulator.state.world import default_world

    if not _zoom_servers or not _zoom_servers[-1].is_running:
        # The first test, or the previous one stopped its Zoom.
        _zoom_servers.append(SimulatedZoom())
        _zoom_servers[-1].start()
    simulated = _zoom_servers[-1]
    simulated.reset(zoom_world or default_world())
    yield simulated
    simulated.release()
    if simulated.is_running:
        # Nothing of this test may affect the next one, such as a delivery that is still retried.
        simulated.reset()


@pytest.fixture
def zoom(simulated_zoom: SimulatedZoom) -> SimulatedZoom:
    """The fixture `simulated_zoom` under a short name."""
    return simulated_zoom
