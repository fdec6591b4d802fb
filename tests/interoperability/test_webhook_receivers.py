"""Receivers that others published take the simulator for Zoom, unmodified."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from interoperability.receiver_process import ReceiverProcess, running
from paraph.simulator.running import SimulatedZoom
from paraph.simulator.webhooks.event_catalogue import catalogue

pytestmark = pytest.mark.slow

# Zoom's own kit; and a NestJS module of another maker, which verifies over the raw body.
RECEIVERS = ("rivet.mjs", "dereekb.cjs")
NAMES = sorted(name for name in catalogue() if name.startswith(("meeting.", "recording.")))
# The kinds for which the second module has a handler.
SHARED = ("meeting.created", "meeting.started", "meeting.ended")


@pytest.fixture
def zoom() -> Iterator[SimulatedZoom]:
    """A simulated Zoom."""
    with SimulatedZoom() as simulated:
        yield simulated


@pytest.fixture(params=RECEIVERS)
def receiver(
    receivers: Path, zoom: SimulatedZoom, request: pytest.FixtureRequest
) -> Iterator[ReceiverProcess]:
    """A receiver that knows the simulator's webhook secret; the simulator knows its URL."""
    environment = {"ZOOM_SECRET_TOKEN": zoom.app.webhook_secret, "EVENTS": ",".join(NAMES)}
    with running(receivers, request.param, environment) as process:
        zoom.app.event_url = process.url
        yield process


def test_the_challenge_is_answered(zoom: SimulatedZoom, receiver: ReceiverProcess) -> None:
    """The receiver verifies the challenge's signature and answers with the right HMAC."""
    assert (True, "the endpoint answered the challenge") == zoom.validate_url()


def test_events_reach_its_handlers(zoom: SimulatedZoom, receiver: ReceiverProcess) -> None:
    """Every event is accepted, and handed on as it was sent."""
    for name in SHARED:
        delivery = zoom.send_event(name)
        assert [200] == [one["status"] for one in zoom.wait_for_delivery(delivery)["attempts"]]
        sent = zoom.simulator.sender.find(delivery)
        assert sent is not None
        assert json.loads(sent.body)["payload"] == receiver.event()["payload"]


def test_a_retry_is_accepted(zoom: SimulatedZoom, receiver: ReceiverProcess) -> None:
    """Five minutes later the same signed bytes are still taken for Zoom's."""
    url, zoom.app.event_url = zoom.app.event_url, "http://127.0.0.1:1/"
    delivery = zoom.send_event("meeting.ended")
    zoom.wait_for_delivery(delivery)
    sent = zoom.simulator.sender.find(delivery)
    assert sent is not None
    sent.url = url
    zoom.advance(300)
    tried = zoom.wait_for_delivery(delivery, attempts=2)
    assert [0, 200] == [one["status"] for one in tried["attempts"]]
    assert "meeting.ended" == receiver.event()["event"]


def test_a_wrong_secret_reaches_no_handler(zoom: SimulatedZoom, receiver: ReceiverProcess) -> None:
    """A forged event is not handed on: the next thing its handler hears is a true one."""
    with zoom.fault("webhook_secret_wrong", times=1):
        zoom.wait_for_delivery(zoom.send_event("meeting.started"))
    zoom.wait_for_delivery(zoom.send_event("meeting.ended"))
    assert "meeting.ended" == receiver.event()["event"]


def test_an_unsigned_challenge_fails(zoom: SimulatedZoom, receiver: ReceiverProcess) -> None:
    """Both receivers verify before they answer."""
    with zoom.fault("challenge_unsigned"):
        assert not zoom.validate_url()[0]


@pytest.mark.parametrize("receiver", ["rivet.mjs"], indirect=True)
@pytest.mark.parametrize("name", NAMES)
def test_the_kit_of_zoom_takes_every_body(
    zoom: SimulatedZoom, receiver: ReceiverProcess, name: str
) -> None:
    """It signs what it prints again, so each body must be as JavaScript prints it."""
    delivery = zoom.send_event(name)
    assert [200] == [one["status"] for one in zoom.wait_for_delivery(delivery)["attempts"]]
    assert name == receiver.event()["event"]


@pytest.mark.parametrize("receiver", ["rivet.mjs"], indirect=True)
def test_mixed_escapes_are_refused_by_a_receiver_that_prints_again(
    zoom: SimulatedZoom, receiver: ReceiverProcess
) -> None:
    """The known weakness of the samples shows: rightly signed bytes are refused."""
    delivery = zoom.send_event("meeting.chat_message_sent", variant="mixed_escapes")
    tried = zoom.wait_for_delivery(delivery)
    assert [200] != [one["status"] for one in tried["attempts"]]
