from __future__ import annotations

import json
import re
from typing import Any

import pytest

from paraph.simulator.engine import Simulator
from paraph.simulator.webhooks import delivery as delivery_module
from paraph.simulator.webhooks import webhook_sender
from paraph.simulator.webhooks.delivery import MAX_ATTEMPTS, Delivery, encode_body, sign
from simulator.socket_receiver import CUT, HANG, SocketReceiver, make_simulator, receiving
from vector_files import FOLDER

pytestmark = pytest.mark.anyio
MINUTES = 100
VECTORS = json.loads((FOLDER / "webhook.json").read_text(encoding="utf-8"))


async def minutes_of_attempts(simulator: Simulator, delivery: Delivery) -> list[int]:
    """The minutes of the simulator's clock at which a delivery was attempted."""
    await simulator.sender.settle()
    seen, minutes = len(delivery.attempts), [0] * len(delivery.attempts)
    for minute in range(1, MINUTES + 1):
        simulator.clock.advance(60)
        await simulator.sender.settle()
        minutes += [minute] * (len(delivery.attempts) - seen)
        seen = len(delivery.attempts)
    return minutes


TIMELINE: list[tuple[str, list[int], list[int]]] = [
    ("200 is success", [200], [0]),
    ("204 is success", [204], [0]),
    ("500 is retried after 5, 20 more and 60 more minutes, then never", [500], [0, 5, 25, 85]),
    ("503 too", [503], [0, 5, 25, 85]),
    ("the first good answer ends it", [500, 200], [0, 5]),
    ("any 2xx is success on a retry", [500, 500, 201], [0, 5, 25]),
    ("no retry after 301", [301], [0]),
    ("no retry after 307", [307], [0]),
    ("no retry after 400", [400], [0]),
    ("no retry after 401: the event of a wrong secret is lost", [401], [0]),
    ("no retry after 404", [404], [0]),
    ("no retry after 410", [410], [0]),
    ("no retry after 429", [429], [0]),
    ("a 4xx ends retries that had begun", [500, 401], [0, 5]),
    ("a timeout is retried", [HANG], [0, 5, 25, 85]),
    ("a connection that ends is retried", [CUT], [0, 5, 25, 85]),
    ("a timeout, then success", [HANG, 200], [0, 5]),
]


@pytest.mark.parametrize(
    ("statuses", "expected"), [row[1:] for row in TIMELINE], ids=[row[0] for row in TIMELINE]
)
async def test_retries_follow_the_timeline_of_zoom(
    monkeypatch: pytest.MonkeyPatch, statuses: list[int], expected: list[int]
) -> None:
    """Each row of Zoom's delivery rules replays on the clock, minute by minute."""
    # Where nothing is ever answered nobody needs to wait long for it.
    monkeypatch.setattr(webhook_sender, "TIMEOUT_SECONDS", 0.5 if statuses == [HANG] else 1.5)
    async with receiving() as receiver:
        receiver.statuses = statuses
        simulator = make_simulator(receiver.url)
        (delivery,) = simulator.publish(simulator.world.apps[0], "meeting.ended", {})
        assert expected == await minutes_of_attempts(simulator, delivery)
        await simulator.sender.close()


async def test_a_refused_connection_is_retried_and_named() -> None:
    """Where nobody listens all four attempts are made, each with Zoom's internal code."""
    async with receiving() as receiver:
        url = receiver.url
    simulator = make_simulator(url)
    (delivery,) = simulator.publish(simulator.world.apps[0], "meeting.ended", {})
    assert [0, 5, 25, 85] == await minutes_of_attempts(simulator, delivery)
    assert {(0, "not reached: ConnectError (-2)")} == {
        (one.status, one.reason) for one in delivery.attempts
    }
    await simulator.sender.close()


async def test_one_jump_of_the_clock_makes_up_for_all_that_was_due() -> None:
    """Whoever advances by two hours gets the three retries at once, and no fourth."""
    async with receiving() as receiver:
        receiver.statuses = [500]
        simulator = make_simulator(receiver.url)
        (delivery,) = simulator.publish(simulator.world.apps[0], "meeting.ended", {})
        await simulator.sender.settle()
        simulator.clock.advance(7200)
        await simulator.sender.settle()
        assert 4 == len(delivery.attempts)
        await simulator.sender.close()


async def sent_once(receiver: SocketReceiver, simulator: Simulator) -> Any:
    """The request that one event makes."""
    simulator.publish(simulator.world.apps[0], "meeting.ended", {})
    await simulator.sender.settle()
    return receiver.requests[-1]


async def test_the_header_set_is_that_of_zoom() -> None:
    """Every header that was documented or seen is there, in its form, and no other."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        request = await sent_once(receiver, simulator)
        await simulator.sender.close()
    forms = {
        "accept-encoding": r"gzip",
        "clientid": re.escape(simulator.world.apps[0].client_id),
        "content-length": r"\d+",
        "content-type": r"application/json; charset=utf-8",
        "host": r"127\.0\.0\.1:\d+",
        "traceparent": r"00-[0-9a-f]{32}-[0-9a-f]{16}-01",
        "user-agent": r"Zoom Marketplace/1\.0a",
        "x-zm-request-id": r"[0-9a-f]{8}(_[0-9a-f]{4}){3}_[0-9a-f]{12}",
        "x-zm-request-timestamp": r"1800000000",
        "x-zm-signature": r"v0=[0-9a-f]{64}",
        "x-zm-trackingid": r"v=2\.0;clid=us02;rid=WEB_[0-9a-f]{32}",
        "zm-trace-upstream": r"Marketplace",
    }
    assert sorted(forms) == sorted(name for name, _ in request.headers)
    assert [] == [
        name for name, form in forms.items() if not re.fullmatch(form, request.header(name))
    ]


async def test_the_header_counts_seconds_and_the_body_milliseconds() -> None:
    """x-zm-request-timestamp is epoch seconds, event_ts milliseconds of the same instant."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        request = await sent_once(receiver, simulator)
        await simulator.sender.close()
    assert "1800000000" == request.header("x-zm-request-timestamp")
    assert 1_800_000_000_250 == json.loads(request.body)["event_ts"]


async def test_a_retry_repeats_the_signed_bytes_under_one_request_id() -> None:
    """Of a retry only the tracking id is new, unless the switch has it signed anew."""
    async with receiving() as receiver:
        receiver.statuses = [500]
        simulator = make_simulator(receiver.url)
        wall = 1_800_000_000.0
        simulator.clock.wall = lambda: wall
        await sent_once(receiver, simulator)
        wall += 60
        simulator.clock.advance(240)
        await simulator.sender.settle()
        simulator.faults.switch_on("webhook_retry_signed_anew", {})
        simulator.clock.advance(1200)
        await simulator.sender.settle()
        await simulator.sender.close()
    first, second, third = receiver.requests
    assert first.body == second.body == third.body
    assert 1 == len({one.header("x-zm-request-id") for one in receiver.requests})
    assert 3 == len({one.header("x-zm-trackingid") for one in receiver.requests})
    assert first.header("x-zm-signature") == second.header("x-zm-signature")
    secret = simulator.world.apps[0].webhook_secret
    assert "1800000060" == third.header("x-zm-request-timestamp")
    assert sign(secret, "1800000060", third.body) == third.header("x-zm-signature")


async def test_redirects_are_not_followed_and_cookies_not_kept() -> None:
    """A receiver cannot lead deliveries elsewhere, nor mark the sender."""
    async with receiving() as elsewhere, receiving() as receiver:
        receiver.statuses = [302]
        receiver.headers = f"location: {elsewhere.url}\r\nset-cookie: a=b\r\n"
        simulator = make_simulator(receiver.url)
        await sent_once(receiver, simulator)
        again = await sent_once(receiver, simulator)
        await simulator.sender.close()
    assert [] == elsewhere.requests
    assert [] == again.all_of("cookie")


async def test_an_endless_response_is_cut_off() -> None:
    """An answer larger than 64 KiB is not read to its end, and counts by its status."""
    async with receiving() as receiver:
        receiver.response = lambda _request: b"x" * (1 << 20)
        simulator = make_simulator(receiver.url)
        await sent_once(receiver, simulator)
        (delivery,) = simulator.sender.deliveries
        assert [200] == [one.status for one in delivery.attempts]
        await simulator.sender.close()


@pytest.mark.parametrize(
    "url",
    [
        "not a url",
        "ftp://127.0.0.1/x",
        "http://127.0.0.1:99999/",
        "http://[::bad/",
        "http://" + "a" * 300 + ".example/",
        "http:///path",
        "https://127.0.0.1:1/",
    ],
)
async def test_an_impossible_url_fails_like_an_unreachable_one(url: str) -> None:
    """Whatever stands in the form, a delivery ends in an attempt that says why."""
    simulator = make_simulator(url)
    (delivery,) = simulator.publish(simulator.world.apps[0], "meeting.ended", {})
    await simulator.sender.settle()
    assert [0] == [one.status for one in delivery.attempts]
    await simulator.sender.close()


async def test_the_history_is_bounded_and_what_it_forgot_is_not_retried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beyond the bound the oldest go with their retries; nothing waits for them."""
    monkeypatch.setattr(delivery_module, "MAX_DELIVERIES", 3)
    async with receiving() as receiver:
        receiver.statuses = [500]
        simulator = make_simulator(receiver.url)
        for _ in range(5):
            await sent_once(receiver, simulator)
        assert 3 == len(simulator.sender.deliveries)
        simulator.clock.advance(300)
        await simulator.sender.settle()
        await simulator.sender.close()
    assert 5 + 3 == len(receiver.requests)


async def test_bodies_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Big bodies push old ones out, whatever their number; the newest always stays."""
    monkeypatch.setattr(delivery_module, "MAX_BODY_BYTES", 5000)
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        for size in (2000, 2000, 2000, 9000):
            simulator.publish(simulator.world.apps[0], "foo.bar", {"x": "y" * size})
            await simulator.sender.settle()
        kept = [len(one.body) > 9000 for one in simulator.sender.deliveries]
        await simulator.sender.close()
    assert [True] == kept


async def test_attempts_of_one_delivery_are_bounded() -> None:
    """A delivery that is repeated for ever keeps its newest attempts."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        (delivery,) = simulator.publish(simulator.world.apps[0], "meeting.ended", {})
        for _ in range(MAX_ATTEMPTS + 5):
            simulator.sender.repeat(delivery)
        await simulator.sender.settle()
        assert MAX_ATTEMPTS == len(delivery.attempts)
        await simulator.sender.close()
    assert MAX_ATTEMPTS + 6 == len(receiver.requests)


@pytest.mark.parametrize("vector", VECTORS["mac"], ids=[one["comment"] for one in VECTORS["mac"]])
def test_signatures_agree_with_the_vectors(vector: dict[str, str]) -> None:
    """The simulator's own signer gives the published signatures."""
    assert vector["signature"] == sign(
        vector["secret"], vector["timestamp"], vector["body"].encode()
    )


def test_bodies_are_as_a_javascript_receiver_prints_them_again() -> None:
    """Compact, `/` as it is, characters raw: Node samples sign JSON.stringify of what they read."""
    assert '{"a":1,"b":"x/y é 🌊","c":[true,null]}'.encode() == encode_body(
        {"a": 1, "b": "x/y é 🌊", "c": [True, None]}
    )
    assert b'{"a":[1,0,0.5,1e+21]}' == encode_body({"a": [1.0, -0.0, 0.5, 1e21]})


def test_mixed_escapes_are_nobodys_printing() -> None:
    """Emoji are escaped in lower case, other characters are raw."""
    assert '{"a":"é \\ud83c\\udf0a"}'.encode() == encode_body(
        {"a": "é 🌊"}, variant="mixed_escapes"
    )


async def test_the_next_try_is_told() -> None:
    """While a retry waits its time is known, by the simulated clock; after the last one none is."""
    async with receiving() as receiver:
        receiver.statuses = [503]
        simulator = make_simulator(receiver.url)
        (delivery,) = simulator.publish(simulator.world.apps[0], "meeting.ended")
        begun, minutes = simulator.clock.now(), []
        for wait in (300, 1200, 3600, 0):
            await simulator.sender.settle()
            minutes.append(round((delivery.retry_at - begun) / 60) if delivery.retry_at else 0)
            simulator.clock.advance(wait)
        await simulator.sender.close()
    assert [5, 25, 85, 0] == minutes
