"""Replaying a scenario: each step, its response, and the first failure."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.replay import Played, replay
from paraph.simulator.scenarios.steps import Scenario
from simulator.receiver import Receiver


def play(zoom: SimulatedZoom, *steps: dict[str, Any], start_url: str = "") -> list[Played]:
    """Replay steps that are written as in a file."""
    content = {"title": "x", "start_url": start_url, "steps": list(steps)}
    return list(replay(zoom, msgspec.convert(content, Scenario)))


def failures(played: list[Played]) -> list[str]:
    """The failures of the last step."""
    return list(played[-1].failures)


def test_webhooks_and_their_responses(simulated: SimulatedZoom, receiver: Receiver) -> None:
    """Events, repeats, challenges and removals wait for the response, and compare its status."""
    played = play(
        simulated,
        {"do": "validate"},
        {"do": "send", "event": "meeting.started", "expect": {"status": 200, "attempts": 1}},
        {"do": "repeat", "expect": {"status": [200, 204], "attempts": 1}},
        {
            "do": "send",
            "event": "meeting.ended",
            "faults": {"delivery_duplicated": {}},
            "expect": {"status": 200, "attempts": 2},
        },
        {"do": "deauthorize", "user": "jane@example.com", "expect": {"status": 200}},
        {"do": "check", "expect": {"deliveries": [{"event": "meeting.started", "count": 1}]}},
    )
    assert [[]] * 6 == [list(one.failures) for one in played]
    assert receiver.bodies[1] == receiver.bodies[2]
    assert 6 == len(receiver.bodies)


def test_a_failed_expectation_ends_the_replay(simulated: SimulatedZoom, receiver: Receiver) -> None:
    """The first step with another result than expected is the last one, and says both."""
    receiver.status = 404
    played = play(
        simulated,
        {"do": "send", "event": "meeting.started", "expect": {"status": 401, "grants": ["Jane"]}}
        | {"expect": {"status": 401}},
        {"do": "check"},
    )
    assert 1 == len(played)
    assert ["expected status 401, the app's response was 404"] == failures(played)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"do": "request", "url": "${zoom}/\0"}, "non-printable ASCII character"),
        ({"do": "request", "url": "http://[::1"}, "Invalid"),
        ({"do": "request", "url": "/install"}, "missing an 'http://' or 'https://' protocol"),
        ({"do": "request", "url": "${zoom}/", "headers": {"x-name": "é"}}, "can't encode"),
        ({"do": "start", "url": "http://[::1"}, "Invalid IPv6 URL"),
    ],
)
def test_a_request_that_cannot_be_sent_fails_its_step(
    step: dict[str, Any], said: str, simulated: SimulatedZoom
) -> None:
    """A wrong URL or header is a failure of the step, with its cause."""
    (failure,) = failures(play(simulated, step))
    assert failure.startswith("a URL or header of the step") and said in failure


def test_a_fault_of_an_event_ends_with_it(simulated: SimulatedZoom, receiver: Receiver) -> None:
    """`faults` of an event are off afterwards; a fault that was switched on lasts until the end."""
    assert [] == failures(
        play(
            simulated,
            {"do": "send", "event": "a.b", "faults": {"webhook_unsigned": {}}},
            {"do": "fault_on", "name": "webhook_time_in_seconds"},
            {"do": "send", "event": "a.b"},
            {"do": "fault_off", "name": "webhook_time_in_seconds"},
            {"do": "fault_on", "name": "token_unavailable", "settings": {"times": 1}},
        )
    )
    assert [False, True] == ["x-zm-signature" in one for one in receiver.headers]
    assert [] == [one["name"] for one in simulated.simulator.faults.listing() if one["on"]]


def test_waits_and_their_deadlines(simulated: SimulatedZoom, receiver: Receiver) -> None:
    """A wait ends when what it waits for is there, and fails at its deadline."""
    played = play(
        simulated,
        {"do": "send", "event": "a.b", "wait": False},
        {"do": "wait", "delivery": {"event": "a.b", "status": 200}},
        {"do": "request", "url": "${zoom}/v2/users/me", "expect": {"status": 401}},
        {"do": "wait", "request": {"path": "/v2/users/me", "method": "GET", "status": 401}},
        {"do": "wait", "url": receiver.url},
        {"do": "wait", "seconds": 0},
        {"do": "wait", "request": {"path": "/oauth/token"}, "within": 0.05},
    )
    assert 7 == len(played)
    assert ["at least one request to /oauth/token did not happen within 0.05 s"] == failures(played)


def test_the_clock_sends_what_is_due(simulated: SimulatedZoom, receiver: Receiver) -> None:
    """A refused delivery is retried when the clock has moved, and `clock` waits for the retry."""
    receiver.status = 503
    assert [] == failures(
        play(
            simulated,
            {"do": "send", "event": "a.b", "expect": {"status": 503}},
            {"do": "clock", "advance": 301},
            {"do": "check", "expect": {"deliveries": [{"event": "a.b", "attempts": 2}]}},
        )
    )


def test_a_scenario_without_the_app_says_what_to_start(simulated: SimulatedZoom) -> None:
    """An app that does not listen is a failure with its remedy."""
    (failure,) = failures(play(simulated, {"do": "start"}, start_url="http://127.0.0.1:9/"))
    assert f"the app was not reached: ConnectError. Start it, and point it at {simulated.url}." == (
        failure
    )


def test_an_unknown_value_is_named(simulated: SimulatedZoom) -> None:
    """A text that names a value that no step has kept is a failure."""
    played = play(simulated, {"do": "request", "url": "${attacker.code}"})
    assert ["no step has kept the value ${attacker.code}"] == failures(played)


class Shop:
    """An app with a start URL, and a redirect URI that shows the code."""

    def __init__(self, zoom: SimulatedZoom) -> None:
        self.registered = zoom.registration(redirect="/back")
        self.app = Starlette(routes=[Route("/go", self.go), Route("/back", self.back)])

    async def go(self, _request: Request) -> Response:
        """To Zoom."""
        known = self.registered
        query = f"client_id={known['client_id']}&redirect_uri={known['redirect_uri']}&state=s"
        return RedirectResponse(f"{known['authorize_url']}?{query}")

    async def back(self, request: Request) -> Response:
        """Show the parameters, and whether the browser is known."""
        found = [*request.query_params.items(), *request.cookies.items()]
        response = PlainTextResponse(" ".join(f"{name}={value}" for name, value in found))
        response.set_cookie("seen", "yes")
        return response


def test_people_in_browsers(simulated: SimulatedZoom) -> None:
    """Each name is a browser with its own cookies; a code that is kept from the app is a value."""
    url = simulated.serve(Shop(simulated).app)
    try:
        played = play(
            simulated,
            {"do": "start", "expect": {"url": "/oauth/authorize"}},
            {"do": "approve", "user": "ravi@example.com", "expect": {"text": "code="}},
            {"do": "start", "browser": "attacker"},
            {"do": "approve", "browser": "attacker", "follow": False, "keep": "stolen"},
            {
                "do": "request",
                "browser": "person",
                "url": "${app}/back?c=${stolen.code}&s=${stolen.state}",
                "expect": {"status": 200, "text": "s=s seen=yes", "absent": "code="},
            },
            {"do": "request", "url": "${app}/back", "expect": {"absent": "seen=yes"}},
            {"do": "start"},
            {"do": "deny", "expect": {"text": "error=access_denied"}},
            {"do": "check", "expect": {"grants": ["jane@example.com"]}},
            start_url=f"{url}/go",
        )
    finally:
        simulated.release()
    assert [[]] * 8 == [list(one.failures) for one in played[:-1]]
    jane = simulated.user.id
    assert [f"expected live grants of {jane}, there are those of no user"] == failures(played)


def test_tokens_end_and_grants_are_revoked(simulated: SimulatedZoom, receiver: Receiver) -> None:
    """`end_token` needs a live token; `revoke` ends the grant, and the app is told of it."""
    played = play(simulated, {"do": "end_token"})
    assert ["the user has no live access token of this app"] == failures(played)
    simulated.simulator.ledger.authorize(simulated.app, simulated.user, ("user:read:user",))
    token = next(iter(simulated.simulator.ledger.grants.values())).access_token
    bearer = {"authorization": f"Bearer {token}"}
    url = "${zoom}/v2/users/me"
    played = play(
        simulated,
        {"do": "request", "url": url, "headers": bearer, "expect": {"status": 200}},
        {"do": "end_token"},
        {
            "do": "request",
            "url": url,
            "headers": bearer,
            "expect": {"status": 401, "text": "Access token is expired."},
        },
        {
            "do": "revoke",
            "expect": {
                "grants": [],
                "deliveries": [{"event": "app_deauthorized", "status": 200, "count": 1}],
            },
        },
    )
    assert [] == failures(played)
    assert 1 == len(receiver.bodies)
