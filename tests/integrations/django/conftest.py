"""The example project in this process, with a simulated Zoom for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from django_site import EXAMPLE, PREFIX, PUBLIC_URL, SECRET_KEY, Site, paraph_values
from paraph.simulator.pytest_plugin import SimulatedZoom
from service_kit import give_back, simulated_zoom


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The example project, set up once in this process, with its tables."""
    django = pytest.importorskip("django")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIDEMARK_DATA", str(tmp_path_factory.mktemp("django")))
        patch.setenv("SECRET_KEY", SECRET_KEY)
        patch.setenv("DJANGO_SETTINGS_MODULE", "tidemark.settings")
        patch.syspath_prepend(EXAMPLE)
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        yield


@pytest.fixture
def simulated() -> Iterator[SimulatedZoom]:
    """A simulated Zoom that knows the project's URLs."""
    zoom = simulated_zoom(f"{PUBLIC_URL}{PREFIX}")
    yield zoom
    give_back(zoom)


@pytest.fixture
def values(simulated: SimulatedZoom, tmp_path: Path) -> dict[str, Any]:
    """`PARAPH` for the simulated Zoom."""
    return paraph_values(simulated, tmp_path)


@pytest.fixture
def site(project: None, simulated: SimulatedZoom, values: dict[str, Any]) -> Iterator[Site]:
    """The project with these settings; the service stops at the end."""
    with settings_changed(PARAPH=values):
        yield Site(simulated)


@pytest.fixture
def changed(project: None, values: dict[str, Any]) -> Callable[..., Any]:
    """A context in which settings of the project are changed."""

    def change(**changes: Any) -> Any:
        return settings_changed(**{"PARAPH": values, **changes})

    return change


def settings_changed(**changes: Any) -> Any:
    """Django's own context manager for changed settings; the service is made again."""
    from django.test import override_settings

    return override_settings(**changes)
