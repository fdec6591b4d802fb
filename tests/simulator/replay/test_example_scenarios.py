"""The scenarios of `examples/scenarios`, replayed against the service."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette

from paraph import Zoom
from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.replay import replay
from paraph.simulator.scenarios.scenario_file import load_scenario

FOLDER = Path(__file__).parents[3] / "examples" / "scenarios"
FILES = sorted(FOLDER.glob("*.toml"))
QUICK = "login-csrf"


def failures_of(zoom: SimulatedZoom, path: Path) -> list[str]:
    """Serve the service, and replay a scenario against it."""
    product = Zoom(**zoom.settings(linking="none"))
    app_url = zoom.serve(product.around(Starlette(lifespan=product.lifespan)))
    scenario = load_scenario(path, zoom.world).scenario
    scenario.start_url = f"{app_url}/install"
    played = list(replay(zoom, scenario))
    assert played[-1].failures or len(scenario.steps) == len(played)
    return [f"step {one.number}: {text}" for one in played for text in one.failures]


def test_there_are_at_least_ten() -> None:
    """Each has a title, the incident that it replays, and can be used with the default world."""
    loaded = [load_scenario(path).scenario for path in FILES]
    assert len(loaded) >= 10
    assert all(one.title and one.about and one.start_url for one in loaded)


def test_a_stray_code_is_not_exchanged(simulated_zoom: SimulatedZoom) -> None:
    """The worst public incident, login CSRF, has no effect on the service."""
    assert [] == failures_of(simulated_zoom, FOLDER / f"{QUICK}.toml")


@pytest.mark.slow
@pytest.mark.parametrize("path", [one for one in FILES if one.stem != QUICK], ids=lambda p: p.stem)
def test_the_service_withstands_public_incidents(simulated_zoom: SimulatedZoom, path: Path) -> None:
    """Every step of every scenario has the expected result at the service."""
    assert [] == failures_of(simulated_zoom, path)
