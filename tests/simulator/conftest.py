"""A simulator on a socket for each module of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from paraph.simulator.pytest_plugin import SimulatedZoom
from simulator.plain_client import PlainClient
from simulator.receiver import Receiver, receiving


@pytest.fixture(scope="module")
def shared_zoom() -> Iterator[SimulatedZoom]:
    """One running simulator; a test that changes it asks for `simulated` instead."""
    with SimulatedZoom() as zoom:
        yield zoom


@pytest.fixture
def simulated(shared_zoom: SimulatedZoom) -> SimulatedZoom:
    """The module's simulator, as fresh as at its start."""
    shared_zoom.reset()
    return shared_zoom


@pytest.fixture
def receiver(simulated: SimulatedZoom) -> Iterator[Receiver]:
    """The event URL of the app."""
    with receiving() as one:
        simulated.app.event_url = simulated.app.deauthorization_url = one.url
        one.secret = simulated.app.webhook_secret
        yield one


@pytest.fixture
def control(simulated: SimulatedZoom) -> Iterator[httpx.Client]:
    """A caller of the control API."""
    with httpx.Client(base_url=f"{simulated.url}/_simulator", trust_env=False) as client:
        yield client


@pytest.fixture
def plain(simulated: SimulatedZoom) -> Iterator[PlainClient]:
    """A plain client of a simulator where consent is automatic."""
    simulated.consent("approve")
    client = PlainClient(simulated)
    yield client
    client.close()
