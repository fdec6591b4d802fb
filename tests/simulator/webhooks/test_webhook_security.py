from __future__ import annotations

import json

import pytest

from paraph.simulator.engine import Simulator
from paraph.simulator.state.world import App
from paraph.simulator.webhooks.delivery import sign
from simulator.socket_receiver import Request, SocketReceiver, make_simulator, receiving

pytestmark = pytest.mark.anyio


async def sent(receiver: SocketReceiver, simulator: Simulator) -> Request:
    """The request that one event makes."""
    simulator.publish(simulator.world.apps[0], "meeting.ended", {})
    await simulator.sender.settle()
    return receiver.requests[-1]


def is_signed(app: App, request: Request) -> bool:
    """Whether the signature is right."""
    timestamp = request.header("x-zm-request-timestamp")
    return sign(app.webhook_secret, timestamp, request.body) == request.header("x-zm-signature")


async def test_without_a_mode_there_is_the_signature_alone() -> None:
    """No authorization header is sent."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        request = await sent(receiver, simulator)
        await simulator.sender.close()
    assert [] == request.all_of("authorization")
    assert is_signed(simulator.world.apps[0], request)


async def test_basic_stands_beside_the_signature() -> None:
    """User name and password of the form, as RFC 7617 writes them."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        app = simulator.world.apps[0]
        app.webhook_security = "basic"
        app.webhook_username, app.webhook_password = "Aladdin", "open sesame"
        request = await sent(receiver, simulator)
        await simulator.sender.close()
    assert "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" == request.header("authorization")
    assert is_signed(app, request)


async def test_a_header_of_the_app_stands_beside_the_signature() -> None:
    """Its name and value are the app's."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        app = simulator.world.apps[0]
        app.webhook_security = "header"
        app.webhook_header, app.webhook_header_value = "x-my-door", "knock"
        request = await sent(receiver, simulator)
        await simulator.sender.close()
    assert "knock" == request.header("x-my-door")
    assert is_signed(app, request)


async def test_a_missing_header_is_a_failure_that_is_retried() -> None:
    """Zoom's internal code -15: nothing is sent, and it is tried again."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        app = simulator.world.apps[0]
        app.webhook_security, app.webhook_header_value = "header", ""
        (delivery,) = simulator.publish(app, "meeting.ended", {})
        await simulator.sender.settle()
        assert ["the custom header is missing (-15)"] == [one.reason for one in delivery.attempts]
        app.webhook_header_value = "knock"
        simulator.clock.advance(300)
        await simulator.sender.settle()
        await simulator.sender.close()
    assert [0, 200] == [one.status for one in delivery.attempts]


async def test_a_bearer_token_is_fetched_from_the_token_url_and_kept() -> None:
    """POST with grant_type in the query, Basic, and no body; then one token serves its lifetime."""
    async with receiving() as tokens, receiving() as receiver:
        simulator = make_simulator(receiver.url)
        app = simulator.world.apps[0]
        app.webhook_security, app.webhook_token_url = "bearer", f"{tokens.url}?tenant=7"
        tokens.response = lambda _: json.dumps(
            {
                "access_token": f"token-{len(tokens.requests)}",
                "token_type": "bearer",
                "expires_in": "3599",
            }
        ).encode()
        seen = [(await sent(receiver, simulator)).header("authorization") for _ in range(2)]
        simulator.clock.advance(3600)
        seen.append((await sent(receiver, simulator)).header("authorization"))
        await simulator.sender.close()
    assert ["Bearer token-1", "Bearer token-1", "Bearer token-2"] == seen
    (asked, _) = tokens.requests
    assert "/webhook?tenant=7&grant_type=client_credentials" == asked.target
    assert b"" == asked.body and "0" == asked.header("content-length")
    assert asked.header("authorization").startswith("Basic ")
    assert is_signed(app, receiver.requests[0])


@pytest.mark.parametrize(
    ("status", "response"),
    [
        (500, b""),
        (200, b"no json"),
        (200, b"[]"),
        (200, b'{"access_token":"t"}'),
        (200, b'{"access_token":"t","expires_in":"60"}'),
        (200, b'{"access_token":7,"expires_in":"3599"}'),
        (200, b'{"access_token":"t","expires_in":"soon"}'),
        (200, b"[" * 50_000),
        (401, b'{"access_token":"t","expires_in":3599}'),
    ],
)
async def test_without_a_token_nothing_is_sent(status: int, response: bytes) -> None:
    """Whatever else the token URL answers is Zoom's internal code -14, and retried."""
    async with receiving() as tokens, receiving() as receiver:
        simulator = make_simulator(receiver.url)
        app = simulator.world.apps[0]
        app.webhook_security, app.webhook_token_url = "bearer", tokens.url
        tokens.statuses, tokens.response = [status], lambda _: response
        (delivery,) = simulator.publish(app, "meeting.ended", {})
        await simulator.sender.settle()
        assert ["the token URL returned no usable token (-14)"] == [
            one.reason for one in delivery.attempts
        ]
        assert [] == receiver.requests
        simulator.clock.advance(300)
        await simulator.sender.settle()
        assert 2 == len(delivery.attempts)
        await simulator.sender.close()


async def test_an_unreachable_token_url_is_the_same_failure() -> None:
    """Nobody there, or no URL at all."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        app = simulator.world.apps[0]
        app.webhook_security = "bearer"
        for url in ("", "http://127.0.0.1:1/token", "not a url"):
            app.webhook_token_url = url
            (delivery,) = simulator.publish(app, "meeting.ended", {})
            await simulator.sender.settle()
            (attempt,) = delivery.attempts
            assert "the token URL returned no usable token (-14)" == attempt.reason
        await simulator.sender.close()
