"""Signed webhook deliveries: verifies that Zoom sent a delivery, and sent it recently.

Checks run in the order of their cost. The headers are checked before a byte of the body is read.
Until the MAC has verified, the body is only read as bytes, because Zoom signs the bytes that it
sends and not the output of a parser.

::

    x-zm-signature: v0=<hex of HMAC-SHA256(webhook secret, "v0:" timestamp ":" body)>
    x-zm-request-timestamp: <epoch seconds>

Types enforce the order: only `check_delivery_headers` makes the `FreshHeaders`, and only their
method `verify` makes a `VerifiedDelivery`.

Source: developers.zoom.us/docs/api/webhooks, "Verify webhook events".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from paraph.encoding import with_lengths
from paraph.errors import (
    DeliveryRejected,
    EventInvalid,
    PeerError,
    ReplayedDelivery,
    SignatureMismatch,
    StaleTimestamp,
    UsageError,
)
from paraph.secret import Secret
from paraph.zoom.verification_steps import VerificationStep, find_step

SIGNATURE_HEADER = b"x-zm-signature"
TIMESTAMP_HEADER = b"x-zm-request-timestamp"

MAX_BODY_BYTES = 1 << 20
"""The endpoint refuses longer bodies by their announced length; Zoom's are a few kilobytes."""

# Both patterns match bytes, and match them completely. int() would accept underscores, signs,
# blanks and the digits of other scripts; `$` a trailing newline. Ten digits last until 2286, and
# they fix the place of the ":" in the base string. Otherwise a timestamp of `17…:{"a"` before a
# body of `1}` would verify under the signature of another split.
_SIGNATURE = re.compile(rb"v0=([0-9a-f]{64})")
_TIMESTAMP = re.compile(rb"[0-9]{10}")

# Every base string begins with "v0:", and this alphabet has no colon. So the response to a
# challenge can never be the signature of a delivery, although Zoom uses one key and one function.
CHALLENGE_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,128}")

_ONE_SIGNATURE = VerificationStep(
    "one signature header",
    "The delivery has exactly one signature, so an attacker cannot choose which of two is read.",
    DeliveryRejected,
    "there is not exactly one x-zm-signature header",
)
_ONE_TIMESTAMP = VerificationStep(
    "one timestamp header",
    "The delivery claims exactly one time of sending.",
    DeliveryRejected,
    "there is not exactly one x-zm-request-timestamp header",
)
_SIGNATURE_GRAMMAR = VerificationStep(
    "signature grammar",
    "The signature is v0= and 64 lower-case hexadecimal digits: whole, and of the known version.",
    DeliveryRejected,
    "the signature is not v0= and 64 lower-case hexadecimal digits",
)
_TIMESTAMP_GRAMMAR = VerificationStep(
    "timestamp grammar",
    "The timestamp is ten ASCII digits, so the signed text splits in one way only.",
    DeliveryRejected,
    "the timestamp is not ten ASCII digits (epoch seconds)",
)
FRESHNESS = VerificationStep(
    "freshness",
    "The delivery was signed recently; replays older than the record of deliveries are refused.",
    StaleTimestamp,
)
VERIFICATION_STEPS: tuple[VerificationStep, ...] = (
    _ONE_SIGNATURE,
    _ONE_TIMESTAMP,
    _SIGNATURE_GRAMMAR,
    _TIMESTAMP_GRAMMAR,
    FRESHNESS,
    VerificationStep(
        "signature",
        "Someone who knows the webhook secret signed exactly these bytes at this time.",
        SignatureMismatch,
    ),
    VerificationStep(
        "event",
        "The signed bytes are an event: a strict JSON object with a name and a payload.",
        EventInvalid,
    ),
    VerificationStep(
        "first arrival",
        "The same signed bytes were not accepted before.",
        ReplayedDelivery,
    ),
)

_MADE_HERE: Final = object()


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far, in seconds, a timestamp may lie behind and ahead of our clock.

    Zoom retries after 5, 25 and 85 minutes, does not document whether a retry is signed again, and
    never retries after a 4xx. So a short window would lose honest deliveries permanently. Within
    the window replays are stopped by storing `delivery_digest` for longer than the window.
    """

    past: int = 7200
    future: int = 300

    def allows(self, age: float) -> bool:
        """Return true if a timestamp is fresh; `age` is in seconds, negative if it is ahead."""
        return -self.future <= age <= self.past


class FreshHeaders:
    """Headers with valid syntax and a fresh timestamp, made only by the checks here."""

    __slots__ = ("_signature", "_timestamp_bytes", "timestamp")

    def __init__(self, seal: object, timestamp_bytes: bytes, signature: bytes) -> None:
        if seal is not _MADE_HERE:
            raise UsageError("FreshHeaders are made by check_delivery_headers only")
        self.timestamp: Final = int(timestamp_bytes)
        self._timestamp_bytes: Final = timestamp_bytes
        self._signature: Final = signature

    def __repr__(self) -> str:
        return f"FreshHeaders(timestamp={self.timestamp})"

    def verify(self, body: bytes, *, secrets: Sequence[Secret]) -> VerifiedDelivery | None:
        """Return the delivery of these bytes, or None if no secret made the signature over them.

        For floods on the hot path: raising an error costs as much as finding it. The arguments are
        those of `verify_webhook`.
        """
        # Every secret is tried even after a match, so that the time of a refusal depends only on
        # the length of the ring and of the body.
        matched = -1
        signed = b"v0:%b:%b" % (self._timestamp_bytes, body)
        for index, secret in enumerate(secrets):
            # As text: the received signature has one spelling and need not be decoded first.
            expected = _hex_mac(secret, signed).encode("ascii")
            same = hmac.compare_digest(expected, self._signature)
            # An empty secret does not count: anybody can compute its MAC.
            if same and secret and matched < 0:
                matched = index
        if matched < 0:
            return None
        return VerifiedDelivery(
            _MADE_HERE,
            body=body,
            timestamp=self.timestamp,
            secret_index=matched,
            secret=secrets[matched],
        )


class VerifiedDelivery:
    """Bytes that Zoom signed. Only `FreshHeaders.verify` makes one.

    Attributes:
        body: the raw bytes, as they were signed.
        timestamp: epoch seconds on Zoom's clock.
        secret_index: the secret of the ring that verified it; above 0 an older one is still used.
    """

    __slots__ = ("_secret", "body", "secret_index", "timestamp")

    def __init__(
        self,
        seal: object,
        *,
        body: bytes,
        timestamp: int,
        secret_index: int,
        secret: Secret,
    ) -> None:
        if seal is not _MADE_HERE:
            raise UsageError("a VerifiedDelivery is made by FreshHeaders.verify only")
        self.body: Final = body
        self.timestamp: Final = timestamp
        self.secret_index: Final = secret_index
        self._secret: Final = secret

    def __repr__(self) -> str:
        # Bodies hold personal data and download tokens.
        return (
            f"VerifiedDelivery(timestamp={self.timestamp}, secret_index={self.secret_index}, "
            f"body=<{len(self.body)} bytes>)"
        )

    def answer_challenge(self, plain_token: str) -> str:
        """Return the hexadecimal HMAC of a challenge, made with the secret that verified it.

        This signs a text that the sender chose. So it refuses every text that could be the base
        string of a delivery: otherwise it would be an oracle for forged events.

        Raises:
            EventInvalid: the token is not 8 to 128 letters, digits, `_` or `-`.
        """
        if not CHALLENGE_TOKEN.fullmatch(plain_token):
            raise EventInvalid("plainToken is not 8 to 128 letters, digits, _ or -")
        return _hex_mac(self._secret, plain_token.encode("ascii"))


def sign_webhook(secret: Secret, *, timestamp: int | str, body: bytes) -> str:
    """Return the value of x-zm-signature for these bytes: `v0=` and 64 hexadecimal digits.

    Only the MAC is computed: the timestamp is signed as it is written, even if
    `check_delivery_headers` would refuse it.
    """
    return f"v0={_hex_mac(secret, b'v0:%b:%b' % (str(timestamp).encode(), body))}"


def check_delivery_headers(
    headers: Iterable[tuple[bytes, bytes]],
    *,
    now: float,
    freshness: Freshness,
) -> FreshHeaders:
    """Check everything that can be checked without the body: number, syntax and age of headers.

    Args:
        headers: raw ASGI pairs, names in lower case.
        now: epoch seconds.
        freshness: the window, both limits included.

    Raises:
        DeliveryRejected: a header is missing, repeated, or malformed.
        StaleTimestamp: the timestamp lies outside the window, on either side.
    """
    pairs = list(headers)
    found = assess_delivery_headers(pairs, dict(pairs), now=now, freshness=freshness)
    if isinstance(found, FreshHeaders):
        return found
    if found is FRESHNESS:
        age = now - _demand_grammar(pairs).timestamp
        raise StaleTimestamp(
            f"the timestamp lies {age:.0f} s behind this clock, "
            f"outside {-freshness.future} to {freshness.past} s",
        )
    raise found.refuse()


def assess_delivery_headers(
    headers: Sequence[tuple[bytes, bytes]],
    named: Mapping[bytes, bytes],
    *,
    now: float,
    freshness: Freshness,
) -> FreshHeaders | VerificationStep:
    """Do the same as `check_delivery_headers`, but return the step that refuses.

    For floods on the hot path: raising an error costs as much as finding it.

    Args:
        headers: the raw pairs.
        named: the same pairs as a mapping, which the caller has made already.
        now: epoch seconds.
        freshness: the window.
    """
    found = _assess_grammar(headers, named)
    if isinstance(found, VerificationStep):
        return found
    age = now - found.timestamp
    return found if freshness.allows(age) else FRESHNESS


def verify_webhook(
    headers: FreshHeaders,
    body: bytes,
    *,
    secrets: Sequence[Secret],
) -> VerifiedDelivery:
    """Verify the raw body under one of the webhook secrets and return the delivery.

    Args:
        headers: from `check_delivery_headers`.
        body: exactly the bytes that arrived.
        secrets: the ring, newest first. Zoom has one secret per app and replaces it without an
            overlap, so the ring provides the overlap.

    Raises:
        SignatureMismatch: no secret made this signature, or the ring is empty.
    """
    delivery = headers.verify(body, secrets=secrets)
    if delivery is None:
        raise SignatureMismatch
    return delivery


def measure_stale_delivery(
    headers: Iterable[tuple[bytes, bytes]],
    body: bytes,
    *,
    secrets: Sequence[Secret],
) -> int:
    """Return the timestamp of a delivery that is out of time and correctly signed.

    For the clock alarm only: a stale delivery that verifies means that this clock is wrong, or that
    deliveries are delayed. No `VerifiedDelivery` is returned, so nothing can act on it.

    Raises:
        DeliveryRejected, SignatureMismatch: as the two checks raise them.
    """
    return verify_webhook(_demand_grammar(list(headers)), body, secrets=secrets).timestamp


def delivery_digest(client_id: str, body: bytes) -> bytes:
    """Return the deduplication key: SHA-256 over client id and raw body, and nothing unsigned.

    Zoom's tracking and request ids are outside the MAC, so a replay can carry new ones. The
    timestamp is left out because a retry may be signed again. The length before the client id keeps
    (`ab`, `c`) apart from (`a`, `bc`).
    """
    digest = _digest_of(client_id).copy()
    digest.update(body)
    return digest.digest()


@lru_cache(maxsize=8)
def _digest_of(client_id: str) -> hashlib._Hash:
    return hashlib.sha256(with_lengths((client_id,)))


def step_of(error: PeerError) -> VerificationStep | None:
    """Return the step of `VERIFICATION_STEPS` that refused, or None for a foreign error."""
    return find_step(VERIFICATION_STEPS, error)


def _demand_grammar(headers: Sequence[tuple[bytes, bytes]]) -> FreshHeaders:
    found = _assess_grammar(headers, dict(headers))
    if isinstance(found, VerificationStep):
        raise found.refuse()
    return found


def _assess_grammar(
    headers: Sequence[tuple[bytes, bytes]], named: Mapping[bytes, bytes]
) -> FreshHeaders | VerificationStep:
    """Check the header syntax. Most heads repeat no name, and then one look-up each suffices."""
    if len(named) < len(headers):
        names = [name for name, _value in headers]
        if names.count(SIGNATURE_HEADER) > 1:
            return _ONE_SIGNATURE
        if names.count(TIMESTAMP_HEADER) > 1:
            return _ONE_TIMESTAMP
    signature, timestamp = named.get(SIGNATURE_HEADER), named.get(TIMESTAMP_HEADER)
    if signature is None:
        return _ONE_SIGNATURE
    if timestamp is None:
        return _ONE_TIMESTAMP
    match = _SIGNATURE.fullmatch(signature)
    if match is None:
        return _SIGNATURE_GRAMMAR
    if not _TIMESTAMP.fullmatch(timestamp):
        return _TIMESTAMP_GRAMMAR
    return FreshHeaders(_MADE_HERE, timestamp, match[1])


def _hex_mac(secret: Secret, signed: bytes) -> str:
    made = _keyed(secret.reveal()).copy()
    made.update(signed)
    return made.hexdigest()


@lru_cache(maxsize=16)
def _keyed(secret: str) -> hmac.HMAC:
    """Return a keyed HMAC: keying it again for each delivery costs more than the rest."""
    return hmac.new(secret.encode("utf-8", "surrogatepass"), digestmod="sha256")
