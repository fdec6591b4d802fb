"""`paraph.webhooks`: the checks of the service behind one object, with no dependency."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paraph.errors import ConfigurationError, UsageError
from paraph.secret import Secret
from paraph.simulator.webhooks.webhook_sender import sign
from paraph.webhooks import Received, WebhookRejected, Webhooks
from paraph.zoom.webhook_response import CHALLENGE_BURST, NO_EVENT, REFUSED, TOO_LONG, TOO_OFTEN
from paraph.zoom.webhook_verification import MAX_BODY_BYTES, delivery_digest
from service.webhook_fuzzing import endpoint, public_side
from service.webhook_requests import CHALLENGE, EVENT
from storage import sample

FOLDER = Path(__file__).parent / "vectors"
SECRET = "zm-7hTq2LwX9fKd-sT4"
NOW = 1_785_369_054
TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
Pairs = list[tuple[str, str]]


def signed(body: bytes = EVENT, *, stamp: object = NOW, secret: str = SECRET) -> Pairs:
    """The headers of a genuine delivery."""
    return [
        ("x-zm-request-timestamp", str(stamp)),
        ("x-zm-signature", sign(secret, str(stamp), body)),
    ]


def receive(headers: Any, body: Any = EVENT, **settings: Any) -> Received:
    """Receive one delivery at `NOW`."""
    return Webhooks(**{"secret": SECRET, **settings}).receive(headers, body, now=NOW)


def refusal(headers: Any, body: Any = EVENT, **settings: Any) -> WebhookRejected:
    """The refusal of one delivery."""
    with pytest.raises(WebhookRejected) as caught:
        receive(headers, body, **settings)
    return caught.value


def test_an_event_is_received() -> None:
    """The name, the payload, the account and the users of a genuine delivery are read."""
    payload = {"account_id": "a1", "object": {"host_id": "KDcuGIm1QgePTO8WbOqwIQ"}}
    content = {"event": "meeting.ended", "event_ts": 1785369053999, "payload": payload}
    body = json.dumps(content).encode()
    received = receive(signed(body), body)

    assert ("meeting.ended", payload, "a1") == (
        received.name,
        received.payload,
        received.account_id,
    )
    assert ("KDcuGIm1QgePTO8WbOqwIQ",) == received.concerned_users
    assert (content, body, 1785369053999, NOW) == (
        received.event,
        received.body,
        received.event_ts,
        received.signed_at,
    )
    assert (None, False, True) == (
        received.response,
        received.is_validation,
        received.is_actionable,
    )
    assert "KDcu" not in repr(received)


def test_the_challenge_is_answered_with_the_secret_that_signed_it() -> None:
    """A signed challenge with a plain token gets its response; no event follows from it."""
    ring = ["zm-new-9fKd-7hTq2LwX", SECRET]
    received = receive(signed(CHALLENGE), CHALLENGE, secret=ring)
    assert received.response is not None
    content = json.loads(received.response)

    assert "qgg8vlvZRS6UYooatFL8Aw" == content["plainToken"]
    assert sign_token(SECRET, content["plainToken"]) == content["encryptedToken"]
    assert (True, False, 1) == (
        received.is_validation,
        received.is_actionable,
        received.secret_index,
    )


def sign_token(secret: str, token: str) -> str:
    """HMAC of a plain token, by another implementation than the one under test."""
    import hashlib
    import hmac

    return hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()


def test_challenges_are_limited() -> None:
    """More challenges than Zoom sends get 429, so that the endpoint signs no stream of texts."""
    webhooks = Webhooks(SECRET)
    for _ in range(CHALLENGE_BURST):
        webhooks.receive(signed(CHALLENGE), CHALLENGE, now=NOW)
    with pytest.raises(WebhookRejected) as caught:
        webhooks.receive(signed(CHALLENGE), CHALLENGE, now=NOW)
    assert (*TOO_OFTEN, "challenges") == (
        caught.value.status,
        caught.value.body,
        caught.value.reason,
    )
    assert webhooks.receive(signed(), EVENT, now=NOW).is_actionable


BAD_HEADERS: dict[str, Any] = {
    "none": [],
    "no signature": signed()[:1],
    "no timestamp": signed()[1:],
    "another secret": signed(secret="zm-another-5hJq2LwX"),
    "another body": signed(EVENT + b" "),
    "upper case": [signed()[0], ("x-zm-signature", signed()[1][1].upper())],
    "two signatures": [*signed(), signed()[1]],
    "two timestamps": [*signed(), signed()[0]],
    "two spellings": {**dict(signed()), "X-Zm-Signature": "v0=" + "0" * 64},
    "joined signatures": {**dict(signed()), "x-zm-signature": f"{signed()[1][1]},{signed()[1][1]}"},
    "joined timestamps": {**dict(signed()), "x-zm-request-timestamp": f"{NOW}, {NOW}"},
    "a list of two": {**dict(signed()), "x-zm-signature": [signed()[1][1]] * 2},
    "stale": signed(stamp=NOW - 7201),
    "ahead": signed(stamp=NOW + 301),
    "milliseconds": signed(stamp=NOW * 1000),
    "a blank": [signed()[0], ("x-zm-signature", " " + signed()[1][1])],
    "not Latin-1": [signed()[0], ("x-zm-signature", signed()[1][1][:-1] + "\u0661")],
    "an empty value": [signed()[0], ("x-zm-signature", None)],
}


@pytest.mark.parametrize("headers", BAD_HEADERS.values(), ids=BAD_HEADERS.keys())
def test_all_up_to_the_signature_get_one_refusal(headers: Any) -> None:
    """The status and the body do not depend on the mistake; the reason is for logs alone."""
    rejected = refusal(headers)
    assert REFUSED == (rejected.status, rejected.body)
    assert rejected.reason
    assert rejected.remedy
    shown = f"{rejected} {rejected.detail} {rejected.remedy}"
    assert SECRET not in shown
    assert signed()[1][1][3:] not in shown


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        (signed(b"[]"), b"[]", (*NO_EVENT, "event_invalid")),
        ([*signed(), ("content-length", str(MAX_BODY_BYTES + 1))], EVENT, (*TOO_LONG, "too_long")),
        ([], b"x" * (MAX_BODY_BYTES + 1), (*TOO_LONG, "too_long")),
        ([("content-length", "9" * 30)], b"", (*TOO_LONG, "too_long")),
        *(
            ([*signed(), ("content-length", no_number)], EVENT, (*REFUSED, "delivery_rejected"))
            for no_number in (":", "-1", "+5", "0x10", "5, 5", "1e3", " 5", "٣")
        ),
        (signed(stamp=NOW - 7201), EVENT, (*REFUSED, "stale_timestamp")),
        (signed(b"{}"), EVENT, (*REFUSED, "signature_mismatch")),
    ],
)
def test_reasons(headers: Any, body: bytes, expected: tuple[int, bytes, str]) -> None:
    """Each refusal names its reason, and 413 and 400 are told apart from 401."""
    rejected = refusal(headers, body)
    assert expected == (rejected.status, rejected.body, rejected.reason)


class OfAFramework:
    """A headers object that is neither a mapping nor iterable as pairs."""

    def items(self) -> Iterator[tuple[str, str]]:
        """The pairs."""
        yield from signed()


def message() -> Message:
    """Headers of the standard library's HTTP server and client."""
    made = Message()
    for name, value in signed():
        made[name.title()] = value
    return made


GOOD_HEADERS: dict[str, Any] = {
    "pairs": signed(),
    "bytes": [(name.title().encode(), value.encode()) for name, value in signed()],
    "a mapping in any case": {name.upper(): value for name, value in signed()},
    "a generator": (pair for pair in signed()),
    "an object with items": OfAFramework(),
    "the standard library's": message(),
    "lists of values": {name: [value] for name, value in signed()},
    "an environ": {
        "REQUEST_METHOD": "POST",
        "CONTENT_LENGTH": "",
        "wsgi.version": (1, 0),
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in signed()},
    },
    "odd neighbours": [("authorization", "legacy"), (b"\xff", 5), *signed(), ("x", None)],
}


@pytest.mark.parametrize("headers", GOOD_HEADERS.values(), ids=GOOD_HEADERS.keys())
def test_headers_of_every_framework(headers: Any) -> None:
    """Mappings, pairs, environs and lists, in texts or bytes, in any case, are read alike."""
    assert "meeting.ended" == receive(headers).name


def test_only_an_environ_has_the_names_of_an_environ() -> None:
    """A sender cannot add a second spelling of a header to ordinary headers."""
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in signed()}
    assert "delivery_rejected" == refusal(headers).reason


@pytest.mark.parametrize("headers", [None, 5, "x-zm-signature: v0=", [1, 2], [("a",)]])
def test_other_headers_are_a_mistake_of_the_caller(headers: Any) -> None:
    """Headers that are neither a mapping nor pairs are an error in the program, not a refusal."""
    with pytest.raises(UsageError, match="neither a mapping nor pairs"):
        receive(headers)


@pytest.mark.parametrize("body", [EVENT.decode(), json.loads(EVENT), None, [1]])
def test_a_body_that_is_not_bytes_is_a_mistake_of_the_caller(body: Any) -> None:
    """A text or a parsed body cannot be verified; the remedy says where the raw body is."""
    with pytest.raises(UsageError, match="not the bytes that arrived") as caught:
        receive(signed(), body)
    for word in ("request.get_data()", "request.body", "await request.body()", "wsgi.input"):
        assert word in caught.value.remedy


def test_bytes_of_any_kind_are_accepted() -> None:
    """A bytearray or a memoryview is the same body."""
    assert {EVENT} == {receive(signed(), kind(EVENT)).body for kind in (bytearray, memoryview)}


@pytest.mark.parametrize(
    ("settings", "problems"),
    [
        ({"secret": ""}, ["secret is missing"]),
        ({"secret": None}, ["secret is missing"]),
        ({"secret": []}, ["secret is missing"]),
        ({"secret": "short"}, ["secret is shorter than 12 characters"]),
        ({"secret": f"{SECRET}\n"}, ["secret holds spaces, line ends or non-ASCII characters"]),
        (
            {"secret": ["change-me-please", Secret("x" * 20)], "freshness_past": 10},
            [
                "secret[0] looks like a placeholder",
                "secret[1] looks like a placeholder",
                "freshness_past must be a whole number from 300 to 86400",
            ],
        ),
        (
            {"freshness_past": True, "freshness_future": 300.5},
            [
                "freshness_past must be a whole number from 300 to 86400",
                "freshness_future must be a whole number from 0 to 3600",
            ],
        ),
    ],
)
def test_weak_settings_are_refused_together(settings: Any, problems: Sequence[str]) -> None:
    """A secret that others can guess is refused at construction, with every other problem."""
    with pytest.raises(ConfigurationError) as caught:
        Webhooks(**{"secret": SECRET, **settings})
    assert tuple(problems) == caught.value.problems
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("secret", [5, b"zm-7hTq2LwX9fKd-sT4", {SECRET}, [None, 7]])
def test_a_secret_is_a_text(secret: Any) -> None:
    """A secret of another type is an error in the program."""
    with pytest.raises(UsageError, match="not a text"):
        Webhooks(secret)


def test_neither_object_shows_a_secret() -> None:
    """Printing the object shows the number of its secrets."""
    assert "Webhooks(2 secrets, Freshness(past=7200, future=300))" == repr(
        Webhooks([SECRET, Secret("zm-9fKd-7hTq2LwX")])
    )


def test_an_event_that_was_seen_is_a_duplicate() -> None:
    """A replay, also one with new unsigned headers, has the same id and is not acted on."""
    done: set[str] = set()
    first = receive(signed(), seen=done.__contains__)
    done.add(first.event_id)
    again = receive([*signed(stamp=NOW - 60), ("x-zm-request-id", "new")], seen=done.__contains__)

    assert (False, True) == (first.is_duplicate, first.is_actionable)
    assert (first.event_id, True, False) == (
        again.event_id,
        again.is_duplicate,
        again.is_actionable,
    )
    assert delivery_digest("", EVENT).hex() == first.event_id


def test_seen_is_asked_about_genuine_events_alone() -> None:
    """A forged delivery, a challenge and another client's removal cost no look-up."""
    asked: list[str] = []

    def seen(event_id: str) -> bool:
        asked.append(event_id)
        return False

    webhooks = Webhooks(SECRET, client_id="ours", seen=seen)
    removal = removal_of("theirs")
    for headers, body in (([], EVENT), (signed(CHALLENGE), CHALLENGE), (signed(removal), removal)):
        try:
            webhooks.receive(headers, body, now=NOW)
        except WebhookRejected:
            continue
    assert [] == asked


async def _later(_event_id: str) -> bool:
    return False


class _LaterObject:
    """A callable whose result has to be awaited, which cannot be seen before it is called."""

    def __call__(self, _event_id: str) -> int:
        """Answer something that is true."""
        return 1


@pytest.mark.parametrize("seen", [_later, 5, "ids"])
def test_seen_is_a_plain_function(seen: Any) -> None:
    """The result of an async function is always true, and would lose every event."""
    with pytest.raises(UsageError, match="plain function"):
        Webhooks(SECRET, seen=seen)


def test_seen_returns_a_truth_value() -> None:
    """A row count, a cursor or a coroutine is refused: taken for yes it would lose events."""
    with pytest.raises(UsageError, match="seen returned a int"):
        receive(signed(), seen=_LaterObject())


def removal_of(client_id: str, **more: str) -> bytes:
    """The body of a removal."""
    payload = {"client_id": client_id, "account_id": "a1", "user_id": "u1", **more}
    return json.dumps({"event": "app_deauthorized", "payload": payload}).encode()


def test_a_removal_names_its_client() -> None:
    """The removal of another client id, such as the development one, is not ours."""
    body = removal_of("ours")
    mine = receive(signed(body), body, client_id="ours")
    theirs = receive(signed(body), body, client_id="other")
    unnamed = receive(signed(body), body)

    assert mine.deauthorization is not None
    assert ("ours", "a1", "u1") == (
        mine.deauthorization.client_id,
        mine.deauthorization.account_id,
        mine.deauthorization.user_id,
    )
    assert (True, False, True) == (
        mine.is_actionable,
        theirs.is_actionable,
        unnamed.is_actionable,
    )
    assert delivery_digest("ours", body).hex() == mine.event_id


def test_a_removal_ends_installs_up_to_its_time() -> None:
    """Without a time, or with one in the future, the delivery's own time counts."""
    early = datetime.fromtimestamp(NOW - 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for at, expected in ((early, NOW - 59), ("2100-01-01T00:00:00Z", NOW + 1), ("?", NOW + 1)):
        body = removal_of("ours", deauthorization_time=at)
        assert expected == receive(signed(body), body).removed_until
    assert 0 == receive(signed()).removed_until


def test_a_removal_without_ids_is_no_event() -> None:
    """An event that may concern another installation must delete nothing."""
    body = b'{"event":"app_deauthorized","payload":{"client_id":"ours"}}'
    assert 400 == refusal(signed(body), body).status


def test_headers_are_checked_before_the_body() -> None:
    """A forged head is refused while its body is still unread; a good one passes."""
    webhooks = Webhooks(SECRET)
    webhooks.check_headers(signed(), now=NOW)
    with pytest.raises(WebhookRejected) as caught:
        webhooks.check_headers(signed(stamp=NOW - 9000), now=NOW)
    assert (401, "freshness") == (caught.value.status, caught.value.step)


def test_the_clock_is_read_by_default() -> None:
    """Without `now` a delivery of this moment is fresh, and one of last year is not."""
    webhooks = Webhooks(SECRET)
    assert "meeting.ended" == webhooks.receive(signed(stamp=int(time.time())), EVENT).name
    with pytest.raises(WebhookRejected):
        webhooks.receive(signed(stamp=int(time.time()) - 31_000_000), EVENT)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.text() | st.binary(), st.text() | st.binary() | st.none()), max_size=6),
    st.binary(max_size=80),
)
def test_any_headers_and_bytes_are_refused(headers: Any, body: bytes) -> None:
    """Whatever is sent without the secret ends in the one refusal, or is announced too long."""
    rejected = refusal(headers, body)
    assert (413 if rejected.reason == "too_long" else 401) == rejected.status


# ------------------------------------------------------------ the same responses as the service


def _vectors() -> Iterator[Any]:
    """Every vector about webhooks: secrets, now, headers, body, and its own words."""
    webhook = json.loads((FOLDER / "webhook.json").read_bytes())
    for one in webhook["deliveries"]:
        body = bytes.fromhex(one["body_hex"]) if "body_hex" in one else one["body"].encode()
        yield pytest.param(one["secrets"], one["now"], one["headers"], body, id=one["comment"])
    challenges = json.loads((FOLDER / "url_validation.json").read_bytes())
    for one in (*challenges["answers"], *challenges["refused"]):
        content = {"event": "endpoint.url_validation", "payload": {"plainToken": one["plainToken"]}}
        yield _signed_vector(one, json.dumps(content).encode())
    for one in json.loads((FOLDER / "app_deauthorized.json").read_bytes())["events"]:
        yield _signed_vector(one, _body_of(one))
    for one in json.loads((FOLDER / "strict_json.json").read_bytes())["cases"]:
        yield _signed_vector(one, _body_of(one))
        payload = b'{"event":"meeting.ended","payload":%b}' % _body_of(one)
        yield _signed_vector({"comment": f"as a payload: {one['comment']}"}, payload)


def _body_of(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["body_hex"]) if "body_hex" in vector else vector["body"].encode()


def _signed_vector(vector: dict[str, Any], body: bytes) -> Any:
    secret = vector.get("secret", SECRET)
    return pytest.param([secret], NOW, signed(body, secret=secret), body, id=vector["comment"])


def _attacks() -> Iterator[Any]:
    """Requests of attackers: each header of them, over a genuine body."""
    for name, headers in BAD_HEADERS.items():
        pairs = list(headers.items()) if isinstance(headers, dict) else headers
        flat = [
            (key, one)
            for key, value in pairs
            for one in (value if isinstance(value, list) else [value])
            if one is not None and one.isascii()
        ]
        yield pytest.param([SECRET], NOW, flat, EVENT, id=name)
    for name, body in {
        "names nothing": b"{}",
        "not JSON": b"\xff\xfe",
        "a deep body": b"[" * 5000,
        "two names": b'{"event":"a.b","event":"c.d","payload":{}}',
        "a notice": b'{"event":"installation.removed","payload":{}}',
        "an odd name": b'{"event":"a b","payload":{}}',
        "half a pair": b'{"event":"a.b","payload":{"x":"\\ud800"}}',
        "empty": b"",
    }.items():
        yield pytest.param([SECRET], NOW, signed(body), body, id=f"signed: {name}")
    long = b"x" * (MAX_BODY_BYTES + 1)
    length = ("content-length", str(len(long)))
    yield pytest.param([SECRET], NOW, [*signed(), length], long, id="announced too long")
    many = ("content-length", "1" * 40)
    yield pytest.param([SECRET], NOW, [*signed(), many], EVENT, id="announced with many digits")


async def _answer_of_the_service(
    secrets: Sequence[str], now: float, headers: Pairs, body: bytes
) -> tuple[int, bytes]:
    sent: list[Any] = []
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_part() -> Any:
        return parts.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    scope = {"type": "http", "path": "/webhook", "method": "POST", "headers": raw}
    served = public_side(endpoint(now=now, secrets=[Secret(one) for one in secrets]))
    await served(scope, receive_part, send)
    return sent[0]["status"], sent[1]["body"]


@pytest.mark.parametrize(("secrets", "now", "headers", "body"), [*_vectors(), *_attacks()])
def test_the_service_responds_alike(
    secrets: Sequence[str], now: float, headers: Any, body: bytes
) -> None:
    """Status and body of every vector and attack are those of the service."""
    webhooks = Webhooks(SECRET, client_id=sample.CLIENT)
    # Some vectors have secrets that no one may configure.
    webhooks._secrets = tuple(Secret(one) for one in secrets)
    try:
        received = webhooks.receive(headers, body, now=now)
    except WebhookRejected as rejected:
        ours = rejected.status, rejected.body
    else:
        ours = 200, received.response or b"{}"
    assert asyncio.run(_answer_of_the_service(secrets, now, headers, body)) == ours


def test_it_imports_nothing_but_the_standard_library() -> None:
    """It needs no other package; a quicker JSON parser is used where it is installed."""
    program = (
        "import sys; before = set(sys.modules)\n"
        "from paraph.webhooks import Webhooks, WebhookRejected\n"
        "known = set(sys.stdlib_module_names) | {'paraph'}\n"
        "print(*sorted({n.partition('.')[0] for n in set(sys.modules) - before} - known))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) <= {"msgspec", "typing_extensions"}
