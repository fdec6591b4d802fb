from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from paraph.errors import PeerError
from paraph.secret import Secret
from paraph.simulator.engine import Simulator
from paraph.simulator.state.fault_registry import Faults
from paraph.simulator.webhooks.delivery import sign
from paraph.zoom.webhook_verification import Freshness, check_delivery_headers, verify_webhook
from simulator.socket_receiver import CUT, Request, make_simulator, receiving

pytestmark = pytest.mark.anyio
NOW = 1_800_000_000


async def deliver(
    faults: dict[str, dict[str, Any]], *, event: str = "meeting.ended"
) -> tuple[Simulator, list[Request]]:
    """What reaches a receiver when an event is sent under faults."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        for name, parameters in faults.items():
            simulator.faults.switch_on(name, parameters)
        simulator.publish(simulator.world.apps[0], event, {})
        await simulator.sender.settle()
        await simulator.sender.close()
    return simulator, receiver.requests


def is_signed(simulator: Simulator, request: Request, body: bytes | None = None) -> bool:
    """Whether a receiver that knows the secret and nothing else finds the signature right."""
    claimed, signatures = timestamps(request), request.all_of("x-zm-signature")
    if not claimed or not signatures:
        return False
    secret = simulator.world.apps[0].webhook_secret
    return signatures[0] == sign(secret, claimed[0], request.body if body is None else body)


def right_signature(simulator: Simulator, request: Request) -> str:
    """The signature that the bytes of a request should have."""
    secret = simulator.world.apps[0].webhook_secret
    return sign(secret, timestamps(request)[0], request.body) if timestamps(request) else ""


def timestamps(request: Request) -> list[str]:
    """The timestamps that are claimed."""
    return request.all_of("x-zm-request-timestamp")


def compact(body: bytes) -> bytes:
    """The bytes that a receiver signs which prints the JSON again."""
    return json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False).encode()


Check = Callable[[Simulator, Request], bool]
# For each fault: what a receiver sees. Whether it is signed rightly is part of each.
SPOILT: dict[str, tuple[dict[str, Any], Check]] = {
    "webhook_unsigned": (
        {},
        lambda _, one: not one.all_of("x-zm-signature") and not timestamps(one),
    ),
    "webhook_timestamp_missing": (
        {},
        lambda _, one: bool(one.all_of("x-zm-signature")) and not timestamps(one),
    ),
    "webhook_signature_missing": (
        {},
        lambda _, one: timestamps(one) == [str(NOW)] and not one.all_of("x-zm-signature"),
    ),
    "webhook_timestamp_odd": (
        {"value": " 1e9\r\n"},
        lambda s, one: is_signed(s, one) and timestamps(one) == ["1e9"],
    ),
    "webhook_timestamp_doubled": (
        {"second": "7"},
        lambda s, one: is_signed(s, one) and timestamps(one) == [str(NOW), "7"],
    ),
    "webhook_signature_longer": (
        {},
        lambda s, one: not is_signed(s, one) and len(one.header("x-zm-signature")) == 69,
    ),
    "webhook_signature_prefix": (
        {"prefix": "v0=bad,v0="},
        lambda s, one: one.header("x-zm-signature")[7:] == right_signature(s, one),
    ),
    "webhook_signature_base64": (
        {},
        lambda s, one: (
            base64.b64decode(one.header("x-zm-signature")[3:])
            == bytes.fromhex(right_signature(s, one)[3:])
        ),
    ),
    "webhook_body_pretty": (
        {},
        lambda s, one: (
            is_signed(s, one)
            and b"\n" in one.body
            and b"\\u00e9" in one.body
            and not is_signed(s, one, compact(one.body))
        ),
    ),
    "webhook_body_altered": (
        {},
        lambda s, one: (
            not is_signed(s, one) and json.loads(one.body)["event"] == "app_deauthorized"
        ),
    ),
    "webhook_body_text": (
        {"text": "\ufeff[1]"},
        lambda s, one: is_signed(s, one) and one.body == b"\xef\xbb\xbf[1]",
    ),
    "webhook_body_bomb": (
        {"mebibytes": 1},
        lambda s, one: (
            is_signed(s, one)
            and one.all_of("content-encoding") == ["gzip"]
            and len(one.body) < 5000
            and len(gzip.decompress(one.body)) > 1 << 20
        ),
    ),
    "webhook_timestamp_stale": (
        {"seconds": 7300},
        lambda s, one: is_signed(s, one) and timestamps(one) == [str(NOW - 7300)],
    ),
    "webhook_timestamp_future": (
        {"seconds": 900},
        lambda s, one: is_signed(s, one) and timestamps(one) == [str(NOW + 900)],
    ),
    "webhook_timestamp_milliseconds": (
        {},
        lambda s, one: is_signed(s, one) and timestamps(one) == [f"{NOW}000"],
    ),
    "webhook_secret_wrong": ({}, lambda s, one: not is_signed(s, one)),
    "webhook_signature_truncated": (
        {"digits": 5},
        lambda _, one: len(one.header("x-zm-signature")) == 8,
    ),
    "webhook_signature_upper_case": (
        {},
        lambda s, one: not is_signed(s, one) and one.header("x-zm-signature")[3:].isupper(),
    ),
    "webhook_signature_not_ascii": ({}, lambda _, one: not one.header("x-zm-signature").isascii()),
    "webhook_signature_doubled": ({}, lambda _, one: len(one.all_of("x-zm-signature")) == 2),
    "webhook_legacy_token_only": (
        {},
        lambda _, one: bool(one.all_of("authorization")) and not one.all_of("x-zm-signature"),
    ),
    "webhook_boundary_shifted": (
        {},
        lambda s, one: is_signed(s, one) and ":{" in one.header("x-zm-request-timestamp"),
    ),
    "webhook_mixed_escapes": (
        {},
        lambda s, one: (
            is_signed(s, one)
            and b"\\ud83c" in one.body
            and "é".encode() in one.body
            and not is_signed(s, one, compact(one.body))
        ),
    ),
    "webhook_half_character": (
        {},
        lambda s, one: is_signed(s, one) and b'"Jane \\ud83d"' in one.body,
    ),
    "webhook_body_spaced": (
        {},
        lambda s, one: not is_signed(s, one) and is_signed(s, one, compact(one.body)),
    ),
    "webhook_key_doubled": (
        {},
        lambda s, one: is_signed(s, one) and one.body.count(b'"event":"') == 2,
    ),
    "webhook_body_deep": (
        {"depth": 50_000},
        lambda s, one: is_signed(s, one) and one.body == b"[" * 50_000 + b"]" * 50_000,
    ),
    "webhook_body_no_json": ({}, lambda s, one: is_signed(s, one) and b"<html>" in one.body),
    "webhook_body_big": (
        {"mebibytes": 1},
        lambda s, one: is_signed(s, one) and len(one.body) > 1 << 20,
    ),
    "webhook_body_slow": ({"seconds": 0.001}, is_signed),
    "webhook_body_chunked": (
        {},
        lambda s, one: is_signed(s, one) and not one.all_of("content-length"),
    ),
    "webhook_media_type": (
        {"media_type": "text/xml"},
        lambda s, one: is_signed(s, one) and one.header("content-type") == "text/xml",
    ),
    "webhook_event_unknown": (
        {},
        lambda s, one: is_signed(s, one) and json.loads(one.body)["event"] == "foo.bar",
    ),
    "webhook_time_in_seconds": (
        {},
        lambda s, one: is_signed(s, one) and json.loads(one.body)["event_ts"] == NOW,
    ),
    "webhook_of_other_app": (
        {},
        lambda s, one: is_signed(s, one) and one.header("clientid") != s.world.apps[0].client_id,
    ),
}


@pytest.mark.parametrize("name", sorted(SPOILT))
async def test_each_fault_does_what_its_documentation_says(name: str) -> None:
    """A receiver sees the one thing spoilt, and the signature right or wrong as it was meant."""
    parameters, is_so = SPOILT[name]
    simulator, (request,) = await deliver({name: parameters})
    assert is_so(simulator, request)


async def test_without_a_fault_none_of_these_is_seen() -> None:
    """A plain delivery passes only the one check that asks for a right signature alone."""
    simulator, (request,) = await deliver({})
    seen = [name for name, (_, is_so) in SPOILT.items() if is_so(simulator, request)]
    assert ["webhook_body_slow"] == seen


async def test_a_truncated_body_ends_before_its_announced_end() -> None:
    """The receiver never gets the whole, and the delivery fails as unreached."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        simulator.faults.switch_on("webhook_body_truncated", {})
        (delivery,) = simulator.publish(simulator.world.apps[0], "meeting.ended", {})
        await simulator.sender.settle()
        assert [] == receiver.requests
        assert ["cut off, as a fault asked for"] == [one.reason for one in delivery.attempts]
        await simulator.sender.close()


async def test_a_duplicate_is_the_same_delivery_twice() -> None:
    """Both have one request id, one signature and the same bytes."""
    _, (first, second) = await deliver({"delivery_duplicated": {"times": 1}})
    assert first.body == second.body
    assert first.header("x-zm-request-id") == second.header("x-zm-request-id")
    assert first.header("x-zm-trackingid") != second.header("x-zm-trackingid")


async def test_a_lost_delivery_is_known_and_never_sent() -> None:
    """It stands in the history without an attempt."""
    simulator, requests = await deliver({"delivery_lost": {}})
    assert [] == requests
    assert [0] == [len(one.attempts) for one in simulator.sender.deliveries]


async def test_reordered_deliveries_arrive_in_pairs_turned_round() -> None:
    """The held one comes after the next; alone, it goes after a minute of the clock."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        app = simulator.world.apps[0]
        simulator.faults.switch_on("delivery_reordered", {"times": 2})
        for name in ("meeting.started", "meeting.ended", "user.updated"):
            simulator.publish(app, name, {})
            await simulator.sender.settle()
        names = [json.loads(one.body)["event"] for one in receiver.requests]
        assert ["meeting.ended", "meeting.started"] == names
        simulator.clock.advance(60)
        await simulator.sender.settle()
        assert "user.updated" == json.loads(receiver.requests[-1].body)["event"]
        await simulator.sender.close()


@pytest.mark.parametrize(
    ("fault", "is_so"),
    [
        ("challenge_unsigned", lambda one: not one.all_of("x-zm-signature")),
        ("challenge_oracle", lambda one: b'"plainToken":"v0:1800000000:{' in one.body),
        ("challenge_token_odd", lambda one: b"<b>" in one.body),
        ("challenge_token_number", lambda one: b'"plainToken":4711' in one.body),
        ("challenge_without_token", lambda one: b"plainToken" not in one.body),
    ],
)
async def test_faults_of_the_challenge_spoil_challenges_alone(
    fault: str, is_so: Callable[[Request], bool]
) -> None:
    """An event is sent as ever while the challenge is spoilt."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        app = simulator.world.apps[0]
        simulator.faults.switch_on(fault, {})
        simulator.publish(app, "meeting.ended", {})
        await simulator.sender.settle()
        await simulator.validation.validate(app, receiver.url)
        await simulator.sender.close()
    event, challenge = receiver.requests
    assert is_signed(simulator, event) and "meeting.ended" == json.loads(event.body)["event"]
    assert is_so(challenge)
    assert is_signed(simulator, challenge) == (fault != "challenge_unsigned")


async def test_a_wrong_response_may_pass_once() -> None:
    """`challenge_answer_ignored` is a Zoom that checks nothing but the status."""
    async with receiving() as receiver:
        simulator = make_simulator(receiver.url)
        simulator.faults.switch_on("challenge_answer_ignored", {"times": 1})
        app = simulator.world.apps[0]
        assert (True, "any response was accepted, as a fault asked for") == (
            await simulator.validation.validate(app, receiver.url)
        )
        assert not (await simulator.validation.validate(app, receiver.url))[0]
        await simulator.sender.close()


def names_of(place: str) -> list[str]:
    """The registered faults of a place."""
    return [one["name"] for one in Faults().listing() if one["place"] == place]


async def test_every_fault_of_webhooks_is_in_the_table() -> None:
    """Nobody adds a fault without saying what a receiver sees."""
    assert sorted([*SPOILT, "webhook_body_truncated"]) == names_of("webhook")
    assert len(names_of("webhook")) + len(names_of("challenge")) >= 12


@pytest.mark.parametrize("first", sorted(SPOILT))
async def test_faults_compose_whatever_the_order(first: str) -> None:
    """Any fault after any other: a delivery is made, and nothing breaks."""
    for second in sorted(SPOILT):
        simulator = make_simulator()
        for name in (first, second):
            simulator.faults.switch_on(name, {})
        content = {"event": "meeting.ended", "event_ts": 1, "payload": {"client_id": "c"}}
        delivery = simulator.sender.prepare(simulator.world.apps[0], content, url="")
        assert delivery.body


async def test_the_kit_accepts_what_is_valid_and_refuses_what_is_not() -> None:
    """The kit's verifier takes those alone that were signed freshly over the bytes that came."""
    accepted = []
    for name, (parameters, _) in SPOILT.items():
        simulator, (request,) = await deliver({name: parameters})
        headers = [(key.encode(), value.encode("latin-1")) for key, value in request.headers]
        secret = Secret(simulator.world.apps[0].webhook_secret)
        try:
            fresh = check_delivery_headers(headers, now=NOW, freshness=Freshness())
            verify_webhook(fresh, request.body, secrets=[secret])
        except PeerError:
            continue
        accepted.append(name)
    assert [
        "webhook_body_pretty",
        "webhook_body_text",
        "webhook_body_bomb",
        "webhook_mixed_escapes",
        "webhook_half_character",
        "webhook_key_doubled",
        "webhook_body_deep",
        "webhook_body_no_json",
        "webhook_body_big",
        "webhook_body_slow",
        "webhook_body_chunked",
        "webhook_media_type",
        "webhook_event_unknown",
        "webhook_time_in_seconds",
        "webhook_of_other_app",
    ] == accepted


async def test_a_cut_connection_is_no_response() -> None:
    """A receiver that closes without a word counts as unreached."""
    async with receiving() as receiver:
        receiver.statuses = [CUT]
        simulator = make_simulator(receiver.url)
        (delivery,) = simulator.publish(simulator.world.apps[0], "meeting.ended", {})
        await simulator.sender.settle()
        assert "not reached: RemoteProtocolError" == delivery.attempts[0].reason
        await simulator.sender.close()
