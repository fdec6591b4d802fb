from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from paraph.simulator.pytest_plugin import SimulatedZoom
from simulator.plain_client import JANE
from simulator.receiver import receiving


def test_every_event_is_listed(control: httpx.Client) -> None:
    """With its family and its mark."""
    events = control.get("/events").json()["events"]
    assert len(events) >= 40
    assert {"event": "meeting.started", "family": "meeting", "mark": "documented"} in events


def test_an_event_without_a_payload_is_realistic(
    simulated: SimulatedZoom, control: httpx.Client
) -> None:
    """Its body tells of the world's people."""
    with receiving() as receiver:
        simulated.app.event_url = receiver.url
        order = {"client_id": simulated.app.client_id, "event": "meeting.participant_joined"}
        sent = control.post("/events", json=order).json()
        simulated.wait_for_delivery(sent["delivery_id"])
        payload = json.loads(receiver.bodies[0])["payload"]
    assert [sent["delivery_id"]] == sent["delivery_ids"]
    assert simulated.world.users[1].email == payload["object"]["participant"]["email"]


def test_the_clock_settles_before_it_responds(
    simulated: SimulatedZoom, control: httpx.Client
) -> None:
    """With `settle` the retries that came due have been made when the call returns."""
    with receiving() as receiver:
        receiver.status = 500
        simulated.app.event_url = receiver.url
        sent = simulated.send_event("meeting.ended")
        simulated.wait_for_delivery(sent)
        for minutes, attempts in ((5, 2), (20, 3), (60, 4), (600, 4)):
            control.post("/clock", json={"advance": minutes * 60, "settle": True})
            (delivery,) = control.get("/deliveries").json()["deliveries"]
            assert attempts == len(delivery["attempts"])


def test_an_event_url_is_saved_if_it_passes(
    simulated: SimulatedZoom, control: httpx.Client
) -> None:
    """The form keeps the old URL until the new one passes the challenge."""
    before = simulated.app.event_url
    with receiving() as receiver:
        order = {"client_id": simulated.app.client_id, "url": receiver.url}
        refused = control.post("/event-url", json=order).json()
        assert (False, before) == (refused["saved"], simulated.app.event_url)
        receiver.secret = simulated.app.webhook_secret
        assert control.post("/event-url", json=order).json()["saved"]
        assert receiver.url == simulated.app.event_url


def test_a_removal_takes_a_variant(simulated: SimulatedZoom, control: httpx.Client) -> None:
    """And refuses one that there is not."""
    with receiving() as receiver:
        simulated.app.deauthorization_url = receiver.url
        order = {
            "client_id": simulated.app.client_id,
            "user_id": JANE,
            "variant": "retention_true+other_client",
        }
        simulated.wait_for_delivery(control.post("/deauthorize", json=order).json()["delivery_id"])
        payload = json.loads(receiver.bodies[0])["payload"]
    assert payload["user_data_retention"] is True
    assert payload["client_id"] != simulated.app.client_id
    assert 400 == control.post("/deauthorize", json={**order, "variant": "x"}).status_code


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("/event-url", {"client_id": "nobody", "url": "http://127.0.0.1:1/"}),
        ("/app-context", {"client_id": "nobody", "user_id": JANE}),
        ("/open-home", {"client_id": "SimulatedZoomClientId1", "user_id": "nobody"}),
        ("/in-client-authorize", {"client_id": "nobody", "user_id": JANE}),
    ],
)
def test_whom_there_is_not_is_not_found(
    control: httpx.Client, path: str, order: dict[str, Any]
) -> None:
    """404 with a line that says what is missing."""
    response = control.post(path, json=order)
    assert 404 == response.status_code
    assert response.json()["error"].startswith("there is no")


@pytest.mark.parametrize(
    "path", ["/event-url", "/app-context", "/open-home", "/in-client-authorize"]
)
@pytest.mark.parametrize("order", [{}, [], {"client_id": 7}, {"client_id": "x", "nothing": 1}])
def test_a_wrong_order_is_refused(control: httpx.Client, path: str, order: Any) -> None:
    """400 that names the field."""
    response = control.post(path, json=order)
    assert 400 == response.status_code
    assert "error" in response.json()
