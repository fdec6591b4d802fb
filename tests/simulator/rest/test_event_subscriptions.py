from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from paraph.simulator.pytest_plugin import SimulatedZoom
from simulator.plain_client import JANE, RAVI, PlainClient
from simulator.receiver import Receiver, receiving

PATH = "/v2/marketplace/app/event_subscription"
SCOPES = [
    f"marketplace:{verb}:event_subscription" for verb in ("read", "write", "update", "delete")
]


@pytest.fixture
def receiver(simulated: SimulatedZoom) -> Iterator[Receiver]:
    """A receiver that answers the challenges of the first app."""
    with receiving() as one:
        one.secret = simulated.app.webhook_secret
        yield one


class Subscriber:
    """The app, with a token of its own."""

    def __init__(self, plain: PlainClient) -> None:
        self.plain = plain
        plain.zoom.app.scopes = [*plain.zoom.app.scopes, *SCOPES]
        self.token = plain.token(grant_type="client_credentials").json()["access_token"]

    def call(self, method: str, path: str = "", **more: Any) -> httpx.Response:
        """A call of the resource."""
        return self.plain.api(PATH + path, self.token, method, **more)

    def subscribe(self, url: str, events: list[str], **more: Any) -> str:
        """A new subscription's id."""
        response = self.call("POST", json={"event_webhook_url": url, "events": events, **more})
        assert 201 == response.status_code, response.text
        identifier: str = response.json()["event_subscription_id"]
        return identifier


@pytest.fixture
def subscriber(plain: PlainClient) -> Subscriber:
    """An app with the scopes for subscriptions."""
    return Subscriber(plain)


def heard(receiver: Receiver) -> list[str]:
    """The events that reached a receiver, challenges aside."""
    names = [json.loads(body)["event"] for body in receiver.bodies]
    return [name for name in names if name != "endpoint.url_validation"]


def publish(zoom: SimulatedZoom, control: httpx.Client, event: str, **more: Any) -> list[str]:
    """Send an event and wait for its deliveries; their ids."""
    order = {"client_id": zoom.app.client_id, "event": event, **more}
    ids: list[str] = control.post("/events", json=order).json()["delivery_ids"]
    for one in ids:
        zoom.wait_for_delivery(one)
    return ids


def test_a_subscription_hears_its_events_and_no_other(
    simulated: SimulatedZoom, control: httpx.Client, subscriber: Subscriber, receiver: Receiver
) -> None:
    """Beside the URL of the form, which hears everything."""
    simulated.app.event_url = ""
    subscriber.subscribe(receiver.url, ["meeting.started"])
    assert 1 == len(publish(simulated, control, "meeting.started"))
    assert [] == publish(simulated, control, "meeting.ended")
    assert ["meeting.started"] == heard(receiver)


def test_one_url_hears_an_event_once(
    simulated: SimulatedZoom, control: httpx.Client, subscriber: Subscriber, receiver: Receiver
) -> None:
    """The form and two subscriptions at one URL are one delivery."""
    simulated.app.event_url = receiver.url
    for _ in range(2):
        subscriber.subscribe(receiver.url, ["meeting.started"])
    assert 1 == len(publish(simulated, control, "meeting.started"))


def test_a_subscription_for_users_hears_of_them_alone(
    simulated: SimulatedZoom, control: httpx.Client, subscriber: Subscriber, receiver: Receiver
) -> None:
    """Scope "user" with user_ids: only events that name one of them."""
    simulated.app.event_url = ""
    subscriber.subscribe(
        receiver.url, ["meeting.started"], subscription_scope="user", user_ids=[RAVI]
    )
    for user in (JANE, RAVI):
        payload = {"object": {"host_id": user, "deep": [{"x": 1}]}}
        publish(simulated, control, "meeting.started", payload=payload)
    hosts = [
        json.loads(body)["payload"].get("object", {}).get("host_id") for body in receiver.bodies
    ]
    assert [RAVI] == hosts[1:]


def test_the_url_is_challenged_before_it_is_saved(
    subscriber: Subscriber, receiver: Receiver
) -> None:
    """Whoever does not answer is not subscribed, nor moved there."""
    kept = subscriber.subscribe(receiver.url, ["meeting.started"])
    receiver.secret = "another"
    body = {"event_webhook_url": receiver.url, "events": ["meeting.started"]}
    refused = subscriber.call("POST", json=body)
    moved = subscriber.call("PATCH", f"/{kept}", json={"event_webhook_url": f"{receiver.url}/new"})
    assert [400, 400] == [refused.status_code, moved.status_code]
    assert "encryptedToken is not the HMAC" in refused.json()["message"]
    (listed,) = subscriber.call("GET").json()["event_subscriptions"]
    assert receiver.url == listed["event_webhook_url"]


def test_a_subscription_is_listed_changed_and_deleted(
    simulated: SimulatedZoom, control: httpx.Client, subscriber: Subscriber, receiver: Receiver
) -> None:
    """Its whole life, with the fields as they were given."""
    simulated.app.event_url = ""
    one = subscriber.subscribe(receiver.url, ["meeting.started"], event_subscription_name="tides")
    (listed,) = subscriber.call("GET").json()["event_subscriptions"]
    assert (one, "tides", ["meeting.started"], "account") == (
        listed["event_subscription_id"],
        listed["event_subscription_name"],
        listed["events"],
        listed["subscription_scope"],
    )
    assert 204 == subscriber.call("PATCH", f"/{one}", json={"events": ["user.updated"]}).status_code
    assert [] == publish(simulated, control, "meeting.started")
    assert 1 == len(publish(simulated, control, "user.updated"))
    assert 204 == subscriber.call("DELETE", f"/{one}").status_code
    assert 404 == subscriber.call("DELETE", f"/{one}").status_code
    assert [] == publish(simulated, control, "user.updated")


def test_delete_without_an_id_removes_those_of_the_users(
    subscriber: Subscriber, receiver: Receiver
) -> None:
    """One that has other users left stays with these; without user_ids all go."""
    for users in ([JANE], [JANE, RAVI]):
        subscriber.subscribe(receiver.url, ["a.b"], subscription_scope="user", user_ids=users)
    assert 204 == subscriber.call("DELETE", f"?user_ids={JANE}").status_code
    (left,) = subscriber.call("GET").json()["event_subscriptions"]
    assert [RAVI] == left["user_ids"]
    subscriber.call("DELETE")
    assert [] == subscriber.call("GET").json()["event_subscriptions"]


def test_an_app_has_at_most_twenty(subscriber: Subscriber, receiver: Receiver) -> None:
    """The twenty-first is refused."""
    for _ in range(20):
        subscriber.subscribe(receiver.url, ["meeting.started"])
    body = {"event_webhook_url": receiver.url, "events": ["meeting.started"]}
    assert 400 == subscriber.call("POST", json=body).status_code
    assert 20 == len(subscriber.call("GET").json()["event_subscriptions"])


def test_the_scopes_of_subscriptions_need_not_be_selected(plain: PlainClient) -> None:
    """A token of the app's own has them, whatever the app's list of scopes names."""
    own = plain.token(grant_type="client_credentials").json()
    assert SCOPES == own["scope"].split()
    assert 200 == plain.api(PATH, own["access_token"]).status_code


def test_a_users_token_is_refused(simulated: SimulatedZoom, plain: PlainClient) -> None:
    """Only a token of the app's own may subscribe, whatever scopes a user has granted."""
    narrow = plain.install()["access_token"]
    assert 4711 == plain.api(PATH, narrow).json()["code"]
    simulated.app.scopes = [*simulated.app.scopes, *SCOPES]
    of_user = plain.install()["access_token"]
    assert 4700 == plain.api(PATH, of_user).json()["code"]
    assert 401 == plain.api(PATH, "no token").status_code


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"events": []},
        {"events": "meeting.started"},
        {"events": [7]},
        {"events": ["x" * 200]},
        {"events": ["a"] * 501},
        {"events": ["meeting.started"], "event_webhook_url": 7},
        {"events": ["meeting.started"], "event_webhook_url": "http://127.0.0.1:1/" + "x" * 3000},
        {"events": ["meeting.started"], "event_webhook_url": "ftp://x/"},
        {"events": ["meeting.started"], "subscription_scope": "world"},
        {"events": ["meeting.started"], "user_ids": {}},
    ],
)
def test_a_wrong_field_is_refused(
    subscriber: Subscriber, receiver: Receiver, body: dict[str, Any]
) -> None:
    """Whatever stands in a body, the answer is 400 with a code, and nothing is subscribed."""
    usual = {} if not body else {"event_webhook_url": receiver.url}
    response = subscriber.call("POST", json={**usual, **body})
    assert (400, 300) == (response.status_code, response.json()["code"])
    if body.get("events") == []:
        assert [{"field": "events", "message": "Invalid field."}] == response.json()["errors"]
    assert [] == subscriber.call("GET").json()["event_subscriptions"]


def test_another_apps_subscription_does_not_exist(
    simulated: SimulatedZoom, subscriber: Subscriber, receiver: Receiver
) -> None:
    """Neither changed nor deleted, and no word of whose it is."""
    one = subscriber.subscribe(receiver.url, ["meeting.started"])
    simulated.simulator.subscriptions.by_id[one].client_id = "another"
    assert 404 == subscriber.call("PATCH", f"/{one}", json={}).status_code
    assert 404 == subscriber.call("DELETE", f"/{one}").status_code
    assert [] == subscriber.call("GET").json()["event_subscriptions"]


def test_a_subscription_is_revalidated_and_disabled_like_the_form(
    simulated: SimulatedZoom, control: httpx.Client, subscriber: Subscriber, receiver: Receiver
) -> None:
    """Six failures in a row, seen by the control API with the mails; by hand it works again."""
    simulated.app.event_url = ""
    subscriber.subscribe(receiver.url, ["meeting.started"])
    receiver.status = 500
    for _ in range(6):
        order = {"advance": 72 * 3600, "settle": True}
        assert 200 == control.post("/clock", json=order).status_code
    (row,) = control.get("/subscriptions").json()["subscriptions"]
    assert (receiver.url, 6, True) == (row["url"], row["failures"], row["disabled"])
    assert [2, 4] == [one["failures"] for one in control.get("/mails").json()["mails"]]
    assert [] == publish(simulated, control, "meeting.started")
