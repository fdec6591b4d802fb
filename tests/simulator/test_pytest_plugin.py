from __future__ import annotations

import subprocess
import sys

import httpx
import pytest

from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.state.world import App, World, default_world
from simulator.receiver import receiving

# What a team that uses nothing but the fixture must not have to load, or even to install.
_HEAVY = "sqlalchemy alembic aiosqlite sqlite3 asyncpg psycopg apsw nats fastapi pydantic"
_SERVER = "httpx starlette uvicorn jinja2"


def imported(statement: str, candidates: str) -> str:
    """Which of these modules are loaded after a statement, in a process of its own."""
    report = (
        f"import sys; {statement}; print(*(n for n in {candidates!r}.split() if n in sys.modules))"
    )
    return subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_importing_the_plugin_loads_no_driver_and_no_server() -> None:
    """Pytest imports the plugin in every run, so that import costs next to nothing."""
    statement = "import paraph.simulator.pytest_plugin"
    assert "" == imported(statement, f"{_HEAVY} {_SERVER} cryptography")


def test_a_running_simulator_loads_no_driver() -> None:
    """Whoever takes the simulator alone never loads a part of the service."""
    statement = (
        "from paraph.simulator.running import SimulatedZoom as Z; z = Z(); z.start(); z.stop()"
    )
    assert "" == imported(
        statement, f"{_HEAVY} paraph.storage paraph.service paraph.oauth paraph.zoom"
    )


def test_the_fixture_is_a_running_zoom(zoom: SimulatedZoom) -> None:
    """`zoom` answers on a free port of loopback."""
    assert zoom.url.startswith("http://127.0.0.1:")
    assert 200 == httpx.get(f"{zoom.url}/", trust_env=False).status_code
    assert (
        zoom.app.client_id
        in httpx.get(f"{zoom.url}/marketplace/{zoom.app.client_id}", trust_env=False).text
    )


class TestAnotherWorld:
    """A project gives its own world by a fixture of that name."""

    @pytest.fixture
    def zoom_world(self) -> World:
        """One app of its own."""
        world = default_world()
        world.apps = [App(client_id="mine", client_secret="a-secret-of-mine")]
        return world

    def test_it_is_used(self, zoom: SimulatedZoom) -> None:
        """The fixture's world is the one that runs."""
        assert "mine" == zoom.app.client_id


def test_every_call_works_from_the_test(zoom: SimulatedZoom) -> None:
    """Consent, clock, journal, grants, events, faults and deauthorization are a call each."""
    zoom.consent("approve")
    query = {"client_id": zoom.app.client_id, "redirect_uri": zoom.app.redirect_uris[0]}
    response = httpx.get(f"{zoom.url}/oauth/authorize", params=query, trust_env=False)
    form = {
        "grant_type": "authorization_code",
        "code": httpx.URL(response.headers["location"]).params["code"],
        "redirect_uri": zoom.app.redirect_uris[0],
    }
    credentials = (zoom.app.client_id, zoom.app.client_secret)
    token = f"{zoom.url}/oauth/token"
    with zoom.fault("token_unavailable"):
        spoilt = httpx.post(token, data=form, auth=credentials, trust_env=False)
    assert 503 == spoilt.status_code
    assert 200 == httpx.post(token, data=form, auth=credentials, trust_env=False).status_code
    assert [zoom.user.id] == [one["user_id"] for one in zoom.grants()]
    assert [503, 200] == [one["status"] for one in zoom.journal("/oauth/token")]
    zoom.advance(300)
    assert 300 == zoom.simulator.clock.advanced
    with receiving() as receiver:
        receiver.secret = zoom.app.webhook_secret
        zoom.app.event_url = zoom.app.deauthorization_url = receiver.url
        assert zoom.validate_url()[0]
        event = zoom.wait_for_delivery(zoom.send_event("meeting.started", {"object": {}}))
        assert 200 == event["attempts"][0]["status"]
        removal = zoom.deauthorize()
        assert removal is not None
        zoom.wait_for_delivery(removal)
    assert [] == zoom.grants()
    assert {"meeting.started", "app_deauthorized"} <= {one["event"] for one in zoom.deliveries()}
    zoom.reset()
    assert [] == zoom.journal() == zoom.deliveries()


def test_a_retry_comes_when_the_clock_is_advanced(zoom: SimulatedZoom) -> None:
    """A delivery that failed is tried again five minutes later, without waiting for them."""
    with receiving() as receiver:
        receiver.status = 503
        zoom.app.event_url = receiver.url
        sent = zoom.send_event("meeting.started", {})
        zoom.wait_for_delivery(sent)
        receiver.status = 200
        zoom.advance(301)
        attempts = zoom.wait_for_delivery(sent, attempts=2)["attempts"]
    assert [503, 200] == [one["status"] for one in attempts]


@pytest.mark.anyio
async def test_a_simulator_within_an_event_loop() -> None:
    """`async with` starts one without blocking the loop."""
    async with SimulatedZoom() as zoom, httpx.AsyncClient(trust_env=False) as caller:
        assert 200 == (await caller.get(f"{zoom.url}/_simulator/clock")).status_code


def test_what_never_comes_is_a_timeout(zoom: SimulatedZoom) -> None:
    """Waiting for an attempt that is not made ends."""
    with pytest.raises(TimeoutError):
        zoom.wait_for_delivery("no such delivery", seconds=0.05)


def test_a_simulator_that_is_not_running_says_so() -> None:
    """A call that needs the server names the remedy."""
    with pytest.raises(RuntimeError, match="use `with`"):
        SimulatedZoom().validate_url()


def test_settling_waits_for_everything_that_came_due(zoom: SimulatedZoom) -> None:
    """After `advance` and `settle` all retries have been made, however many there are."""
    with receiving() as receiver:
        receiver.status = 503
        zoom.app.event_url = receiver.url
        for _ in range(20):
            zoom.send_event("meeting.started")
        zoom.settle()
        zoom.advance(300)
        zoom.settle()
    assert {2} == {len(one["attempts"]) for one in zoom.deliveries()}


def test_contexts_and_removals_come_in_variants(zoom: SimulatedZoom) -> None:
    """A header of an app context, and an app_deauthorized that differs from the usual one."""
    valid, guest = zoom.app_context(place="meeting"), zoom.app_context(variant="guest")
    assert len(valid) > len(guest) > 100
    with receiving() as receiver:
        zoom.app.deauthorization_url = receiver.url
        removal = zoom.deauthorize(variant="retention_null")
        assert removal is not None
        zoom.wait_for_delivery(removal)
        assert b'"user_data_retention":null' in receiver.bodies[0]
