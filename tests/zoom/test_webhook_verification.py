"""Webhook verification: the vectors say what arrives, the tests what can be made of it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraph.errors import (
    DeliveryRejected,
    EventInvalid,
    MessageMalformed,
    PeerError,
    ReplayedDelivery,
    SignatureMismatch,
    StaleTimestamp,
    UsageError,
)
from paraph.secret import Secret
from paraph.zoom.webhook_verification import (
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    VERIFICATION_STEPS,
    FreshHeaders,
    Freshness,
    VerifiedDelivery,
    check_delivery_headers,
    delivery_digest,
    measure_stale_delivery,
    sign_webhook,
    step_of,
    verify_webhook,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "webhook.json").read_bytes())
SECRET = Secret("zoom-sim-secret-token")
NOW = 1740439740.0
TIMESTAMP = 1740439732
BODY = b'{"event":"meeting.started","payload":{"account_id":"a"}}'


def comment_of(vector: dict[str, Any]) -> str:
    """The vector's own words as the name of the test."""
    return str(vector["comment"])


def headers_of(vector: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    """Header pairs as ASGI hands them over."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in vector["headers"]]


def body_of(vector: dict[str, Any]) -> bytes:
    """The raw body, given as text or in hexadecimal."""
    if "body_hex" in vector:
        return bytes.fromhex(vector["body_hex"])
    return str(vector["body"]).encode()


def receive(
    headers: Sequence[tuple[bytes, bytes]],
    body: bytes,
    *,
    secrets: Sequence[Secret] = (SECRET,),
    now: float = NOW,
) -> VerifiedDelivery:
    """Both checks, in the only order that there is."""
    fresh = check_delivery_headers(headers, now=now, freshness=Freshness())
    return verify_webhook(fresh, body, secrets=secrets)


def signed_headers(body: bytes = BODY, timestamp: int = TIMESTAMP) -> list[tuple[bytes, bytes]]:
    """The headers of a valid delivery."""
    return [
        (TIMESTAMP_HEADER, str(timestamp).encode()),
        (SIGNATURE_HEADER, sign_webhook(SECRET, timestamp=timestamp, body=body).encode()),
    ]


@pytest.mark.parametrize("vector", VECTORS["mac"], ids=comment_of)
def test_signature_is_the_hmac_of_version_timestamp_and_body(vector: dict[str, Any]) -> None:
    """The MAC covers the timestamp as it is written and the body as it is sent."""
    signature = sign_webhook(
        Secret(vector["secret"]),
        timestamp=vector["timestamp"],
        body=vector["body"].encode(),
    )
    assert vector["signature"] == signature


@pytest.mark.parametrize(
    "vector",
    [vector for vector in VECTORS["deliveries"] if vector["result"] == "valid"],
    ids=comment_of,
)
def test_true_deliveries_are_accepted(vector: dict[str, Any]) -> None:
    """Whatever Zoom signed recently is accepted byte for byte, with the secret that verified it."""
    body = body_of(vector)
    secrets = [Secret(secret) for secret in vector["secrets"]]
    delivery = receive(headers_of(vector), body, secrets=secrets, now=vector["now"])
    assert (body, vector["secret_index"]) == (delivery.body, delivery.secret_index)


@pytest.mark.parametrize(
    "vector",
    [vector for vector in VECTORS["deliveries"] if vector["result"] == "invalid"],
    ids=comment_of,
)
def test_false_deliveries_are_refused_at_the_step_that_guards_against_them(
    vector: dict[str, Any],
) -> None:
    """Every malformed, stale or unsigned delivery is refused, and the refusal names its step."""
    secrets = [Secret(secret) for secret in vector["secrets"]]
    with pytest.raises(DeliveryRejected) as refusal:
        receive(headers_of(vector), body_of(vector), secrets=secrets, now=vector["now"])
    step = step_of(refusal.value)
    assert step is not None
    assert vector["step"] == step.name


def test_headers_are_checked_without_the_body() -> None:
    """A stale or malformed delivery is refused before a byte of its body is needed."""
    fresh = check_delivery_headers(signed_headers(), now=NOW, freshness=Freshness())
    assert fresh.timestamp == TIMESTAMP


@pytest.mark.parametrize("now", [TIMESTAMP - 11, TIMESTAMP + 61, float("nan")])
def test_the_window_is_the_callers(now: float) -> None:
    """Outside the declared window is stale on both sides, and so is a clock that is no number."""
    with pytest.raises(StaleTimestamp):
        check_delivery_headers(signed_headers(), now=now, freshness=Freshness(past=60, future=10))


def test_a_delivery_cannot_be_made_by_hand() -> None:
    """Skipping a check is not a mistake that can be made by omission."""
    with pytest.raises(UsageError):
        FreshHeaders(object(), b"1740439732", b"")
    with pytest.raises(UsageError):
        VerifiedDelivery(object(), body=BODY, timestamp=1, secret_index=0, secret=SECRET)


def test_a_delivery_shows_neither_body_nor_secret() -> None:
    """Bodies hold personal data; printing or logging a delivery shows its size only."""
    shown = repr(receive(signed_headers(), BODY))
    assert shown == "VerifiedDelivery(timestamp=1740439732, secret_index=0, body=<56 bytes>)"


def test_refusals_repeat_nothing_that_was_sent() -> None:
    """The detail of a refusal is for operators, and holds nothing of the sender's choice."""
    marker = b"canary"
    with pytest.raises(DeliveryRejected) as refusal:
        receive([(SIGNATURE_HEADER, marker), (TIMESTAMP_HEADER, marker)], marker)
    assert "canary" not in refusal.value.detail


def test_stale_but_true_deliveries_can_be_measured() -> None:
    """The clock alarm learns the timestamp of a stale delivery that Zoom did sign."""
    assert measure_stale_delivery(signed_headers(), BODY, secrets=[SECRET]) == TIMESTAMP


def test_stale_and_false_deliveries_cannot() -> None:
    """A forged timestamp raises no clock alarm."""
    with pytest.raises(SignatureMismatch):
        measure_stale_delivery(signed_headers(), BODY + b" ", secrets=[SECRET])


def test_replays_and_retries_have_one_digest() -> None:
    """Deduplication looks at client id and raw body only, not at what a replay may change."""
    first = receive(signed_headers(), BODY)
    retry = receive(signed_headers(timestamp=TIMESTAMP + 5), BODY)
    assert delivery_digest("client", first.body) == delivery_digest("client", retry.body)


@pytest.mark.parametrize(
    ("client_id", "body"),
    [("client", BODY + b" "), ("clien", b"t" + BODY), ("Client", BODY), ("", b"client" + BODY)],
)
def test_other_clients_and_bodies_have_other_digests(client_id: str, body: bytes) -> None:
    """No other client id and body run together to the same digest."""
    assert delivery_digest("client", BODY) != delivery_digest(client_id, body)


@pytest.mark.parametrize("token", ["v0:1740439732:{}", "short", "", "x" * 129, "token-with-\n"])
def test_challenges_never_sign_what_a_delivery_could_say(token: str) -> None:
    """The HMAC of a challenge is given for the plain alphabet only, whoever asks for it."""
    with pytest.raises(EventInvalid):
        receive(signed_headers(), BODY).answer_challenge(token)


def test_the_oracle_chain_ends_at_the_first_link() -> None:
    """What a challenge may sign can never be the base string of a delivery."""
    forged = b'{"event":"app_deauthorized","payload":{"account_id":"victim"}}'
    token = f"v0:{TIMESTAMP}:{forged.decode()}"
    challenge = json.dumps(
        {"event": "endpoint.url_validation", "payload": {"plainToken": token}},
    ).encode()
    delivery = receive(signed_headers(challenge), challenge)
    with pytest.raises(EventInvalid):
        delivery.answer_challenge(token)
    # A token of the plain alphabet is answered, and its answer signs no delivery at all.
    answer = f"v0={delivery.answer_challenge('qgg8vlvZRS6UYooatFL8Aw')}".encode()
    for body in (forged, b"qgg8vlvZRS6UYooatFL8Aw"):
        headers = [(TIMESTAMP_HEADER, b"1740439732"), (SIGNATURE_HEADER, answer)]
        with pytest.raises(SignatureMismatch):
            receive(headers, body)


def test_the_challenge_is_answered_with_the_secret_that_verified_it() -> None:
    """During a rotation Zoom hears the secret that it used itself."""
    ring = [Secret("new-webhook-secret"), SECRET]
    rotated = receive(signed_headers(), BODY, secrets=ring)
    alone = receive(signed_headers(), BODY)
    token = "qgg8vlvZRS6UYooatFL8Aw"
    assert alone.answer_challenge(token) == rotated.answer_challenge(token)


def test_every_step_can_be_told_from_the_others() -> None:
    """Each step finds itself by its own error, so an explanation never names the wrong one."""
    found = [step_of(step.refusal(step.detail)) for step in VERIFICATION_STEPS]
    assert list(VERIFICATION_STEPS) == found


def test_foreign_errors_belong_to_no_step() -> None:
    """An error of another part of the protocol is not explained as a webhook's."""
    assert step_of(MessageMalformed("elsewhere")) is None
    assert step_of(DeliveryRejected("something else")) is None
    step = step_of(ReplayedDelivery())
    assert step is not None
    assert step.name == "first arrival"


@given(
    headers=st.lists(
        st.tuples(
            st.sampled_from([SIGNATURE_HEADER, TIMESTAMP_HEADER, b"host"]),
            st.binary(max_size=80) | st.from_regex(rb"(v0=[0-9a-f]{64}|17404397[0-9]{2})\n?"),
        ),
        max_size=4,
    ),
    body=st.binary(max_size=64),
)
def test_whatever_arrives_is_refused_politely(
    headers: list[tuple[bytes, bytes]],
    body: bytes,
) -> None:
    """Bytes that Zoom did not sign end in a PeerError, whatever they are."""
    with pytest.raises(PeerError):
        receive(headers, body)


@given(body=st.binary(max_size=512), flipped=st.integers(min_value=0))
def test_any_body_verifies_and_no_changed_one_does(body: bytes, flipped: int) -> None:
    """What was signed verifies, and a single changed bit does not."""
    headers = signed_headers(body)
    assert body == receive(headers, body).body
    spoiled = bytearray(body or b"\0")
    place = flipped % (len(spoiled) * 8)
    spoiled[place // 8] ^= 1 << place % 8
    with pytest.raises(SignatureMismatch):
        receive(headers, bytes(spoiled))
