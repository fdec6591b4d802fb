from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest

from paraph.simulator.engine import Simulator
from paraph.simulator.state.world import App
from paraph.simulator.webhooks import webhook_sender
from paraph.simulator.webhooks.delivery import sign
from paraph.simulator.webhooks.url_validation import check_response
from simulator.socket_receiver import (
    HANG,
    Request,
    SocketReceiver,
    make_simulator,
    receiving,
    right_response,
)
from vector_files import FOLDER

pytestmark = pytest.mark.anyio
HOUR = 3600
VECTORS = json.loads((FOLDER / "url_validation.json").read_text(encoding="utf-8"))


async def hours_of_challenges(
    simulator: Simulator, receiver: SocketReceiver, *, hours: int
) -> list[int]:
    """The hours of the simulator's clock at which a receiver is challenged."""
    asked: list[int] = []
    for hour in range(1, hours + 1):
        before = len(receiver.requests)
        simulator.clock.advance(HOUR)
        await simulator.sender.settle()
        asked += [hour] * (len(receiver.requests) - before)
    return asked


async def test_a_healthy_url_is_challenged_every_72_hours() -> None:
    """Whoever answers rightly is asked for ever, and nobody is written to."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        receiver.response = right_response(simulator.world.apps[0])
        simulator.begin_revalidation()
        assert [72, 144, 216] == await hours_of_challenges(simulator, receiver, hours=230)
        assert [] == list(simulator.validation.mails)
        await simulator.sender.close()


# What stands in Zoom's rules about failures in a row: at each hour, the mails so far, and whether
# the subscription still lives.
FAILURES: list[tuple[int, list[int], bool]] = [
    (72, [], False),
    (144, [2], False),
    (216, [2], False),
    (288, [2, 4], False),
    (360, [2, 4], False),
    (432, [2, 4], True),
    (600, [2, 4], True),
]


async def test_failures_in_a_row_follow_the_timeline_of_zoom() -> None:
    """Mail to the owner after two and four failures, disabled after six, and asked no more."""
    async with receiving() as receiver:
        receiver.statuses = [500]
        simulator = make_simulator(receiver.url)
        app = simulator.world.apps[0]
        simulator.begin_revalidation()
        rows, passed = [], 0
        for hour, _, _ in FAILURES:
            await hours_of_challenges(simulator, receiver, hours=hour - passed)
            passed = hour
            mails = [mail.failures for mail in simulator.validation.mails]
            rows.append((hour, mails, simulator.validation.health(app, receiver.url).disabled))
        await simulator.sender.close()
    assert rows == FAILURES
    assert 6 == len(receiver.requests)
    assert {"jane@example.com"} == {mail.to for mail in simulator.validation.mails}


async def test_a_disabled_subscription_hears_nothing_until_it_is_validated_by_hand() -> None:
    """Six failures stop the events; a validation by hand starts them and the 72 hours again."""
    async with receiving() as receiver:
        receiver.statuses = [500]
        simulator = make_simulator(receiver.url)
        app = simulator.world.apps[0]
        simulator.begin_revalidation()
        await hours_of_challenges(simulator, receiver, hours=432)
        assert [] == simulator.publish(app, "meeting.ended", {})
        receiver.statuses, receiver.response = [200], right_response(app)
        assert (True, "the endpoint answered the challenge") == (
            await simulator.validation.validate(app, receiver.url)
        )
        assert 1 == len(simulator.publish(app, "meeting.ended", {}))
        await simulator.sender.settle()
        assert [72] == await hours_of_challenges(simulator, receiver, hours=100)
        await simulator.sender.close()


async def test_one_right_response_resets_the_failures() -> None:
    """Only failures in a row count."""
    async with receiving() as receiver:
        receiver.statuses = [500]
        simulator = make_simulator(receiver.url)
        app = simulator.world.apps[0]
        simulator.begin_revalidation()
        await hours_of_challenges(simulator, receiver, hours=5 * 72)
        receiver.statuses, receiver.response = [200], right_response(app)
        await hours_of_challenges(simulator, receiver, hours=72)
        receiver.statuses = [500]
        await hours_of_challenges(simulator, receiver, hours=5 * 72)
        assert not simulator.validation.health(app, receiver.url).disabled
        assert [2, 4, 2, 4] == [mail.failures for mail in simulator.validation.mails]
        await simulator.sender.close()


async def test_a_jump_of_the_clock_asks_once() -> None:
    """Ninety days at once are one challenge, not thirty: no receiver is flooded by a test."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        receiver.response = right_response(simulator.world.apps[0])
        simulator.begin_revalidation()
        simulator.clock.advance(90 * 86_400)
        await simulator.sender.settle()
        assert 1 == len(receiver.requests)
        assert [72] == await hours_of_challenges(simulator, receiver, hours=100)
        await simulator.sender.close()


async def test_many_worlds_leave_one_round_of_challenges() -> None:
    """Each new world ends the round of the one before it: nothing piles up, nobody asks twice."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        receiver.response = right_response(simulator.world.apps[0])
        simulator.begin_revalidation()
        for _ in range(5000):
            simulator.replace_world(simulator.world)
        assert len(simulator.timers) < 2100
        assert [72, 144] == await hours_of_challenges(simulator, receiver, hours=150)
        assert 1 == len(simulator.timers)
        await simulator.sender.close()


async def test_a_reset_starts_the_72_hours_again() -> None:
    """After a reset the URLs count as validated now, on the clock as it stands then."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        receiver.response = right_response(simulator.world.apps[0])
        simulator.begin_revalidation()
        await hours_of_challenges(simulator, receiver, hours=71)
        simulator.reset()
        simulator.world.apps[0].event_url = receiver.url
        assert [72] == await hours_of_challenges(simulator, receiver, hours=80)
        await simulator.sender.close()


async def test_the_challenge_is_signed_and_its_token_plain() -> None:
    """The body and the headers are those of an event, with a token of 22 characters."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        app = simulator.world.apps[0]
        await simulator.validation.validate(app, receiver.url)
        await simulator.sender.close()
    (request,) = receiver.requests
    content = json.loads(request.body)
    assert ["payload", "event_ts", "event"] == list(content)
    assert "endpoint.url_validation" == content["event"]
    assert 22 == len(content["payload"]["plainToken"])
    timestamp = request.header("x-zm-request-timestamp")
    assert sign(app.webhook_secret, timestamp, request.body) == request.header("x-zm-signature")


def _sealed(request: Request, secret: str, **fields: Any) -> bytes:
    plain = json.loads(request.body)["payload"]["plainToken"]
    sealed = hmac.new(secret.encode(), plain.encode(), hashlib.sha256).hexdigest()
    return json.dumps({"plainToken": plain, "encryptedToken": sealed, **fields}).encode()


@pytest.mark.parametrize(
    ("statuses", "response", "reason"),
    [
        ([200], lambda _: b"", "the response is not JSON"),
        ([200], lambda _: b"[" * 100_000, "the response is not JSON"),
        ([200], lambda _: b"[]", "the response does not repeat plainToken"),
        ([200], lambda one: _sealed(one, "x", plainToken="x"), "the response does not repeat"),
        ([200], lambda one: _sealed(one, "another"), "encryptedToken is not the HMAC"),
        ([200], lambda one: _sealed(one, "x", encryptedToken=7), "encryptedToken is not the HMAC"),
        ([204], lambda _: b"", "the response is not JSON"),
        ([401], lambda _: b"", "answered 401"),
        ([302], lambda _: b"", "answered 302"),
        ([HANG], lambda _: b"", "no response within 3 seconds"),
    ],
)
async def test_a_wrong_response_fails_with_a_reason(
    monkeypatch: pytest.MonkeyPatch,
    statuses: list[int],
    response: Callable[[Request], bytes],
    reason: str,
) -> None:
    """Status, both tokens and the three seconds are each demanded."""
    monkeypatch.setattr(webhook_sender, "TIMEOUT_SECONDS", 1.0 if statuses == [HANG] else 3.0)
    async with receiving() as receiver:
        receiver.statuses, receiver.response = statuses, response
        simulator = make_simulator(receiver.url)
        passed, why = await simulator.validation.validate(simulator.world.apps[0], receiver.url)
        await simulator.sender.close()
    assert not passed
    assert why.startswith(reason)


@pytest.mark.parametrize(
    "vector", VECTORS["answers"], ids=[one["comment"] for one in VECTORS["answers"]]
)
def test_the_check_agrees_with_the_vectors(vector: dict[str, str]) -> None:
    """The published answers pass the simulator's own check, and spoilt ones do not."""
    app = App(client_id="c", client_secret="s", webhook_secret=vector["secret"])
    right = {key: vector[key] for key in ("plainToken", "encryptedToken")}
    assert check_response(app, vector["plainToken"], json.dumps(right).encode())[0]
    wrong = {**right, "encryptedToken": right["encryptedToken"][:-1]}
    assert not check_response(app, vector["plainToken"], json.dumps(wrong).encode())[0]
