"""A Zoom for tests: the `zoom` fixture is a simulator on a free port.

Importing this loads no database driver and no server; the fixture does when it is asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from paraph.simulator.engine import Simulator
    from paraph.simulator.world import App, World


class SimulatedZoom:
    """A running simulator, as a test sees it.

    Attributes:
        url: its origin, like "http://127.0.0.1:43210".
        simulator: its inside: `clock`, `journal`, `faults`, `ledger`, `world`.
    """

    def __init__(self, world: World | None = None) -> None:
        from paraph.simulator.app import Binding, Server, create_simulator
        from paraph.simulator.world import default_world

        self.url = ""
        self.simulator: Simulator = create_simulator(world or default_world())
        self._started = threading.Event()
        self._server = Server(self.simulator, Binding(port=0), listening=self._listening)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    @property
    def app(self) -> App:
        """The first app of the world."""
        return self.simulator.world.apps[0]

    def journal(self, path: str = "") -> list[dict[str, Any]]:
        """What reached this Zoom, all of it or one path."""
        entries = list(self.simulator.journal.entries)
        return [entry for entry in entries if not path or entry["path"] == path]

    def start(self) -> None:
        """Serve in a thread; return when connections are accepted."""
        self._thread.start()
        if not self._started.wait(10):
            raise RuntimeError("the simulator did not start within 10 seconds")

    def stop(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        self._thread.join(10)

    def _listening(self, url: str) -> None:
        self.url = url
        self._started.set()


@pytest.fixture
def zoom() -> Iterator[SimulatedZoom]:
    """A simulated Zoom on a free port, with the default world."""
    simulated = SimulatedZoom()
    simulated.start()
    yield simulated
    simulated.stop()
