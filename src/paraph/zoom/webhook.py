"""Signed webhook deliveries: what arrived really came from Zoom, and recently.

The order of the checks is the order of their price. The headers are judged before a byte of the
body is read, and the body is only ever looked at as bytes until the MAC has verified:
Zoom signs what it sends, not what a parser would print again.

::

    x-zm-signature: v0=<hex of HMAC-SHA256(webhook secret, "v0:" timestamp ":" body)>
    x-zm-request-timestamp: <epoch seconds>

The order is enforced by values: only `check_delivery_headers` makes the `FreshHeaders` that
`verify_webhook` takes, and only `verify_webhook` makes a `VerifiedDelivery`.

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
from paraph.zoom.verification import VerificationStep, find_step

SIGNATURE_HEADER = b"x-zm-signature"
TIMESTAMP_HEADER = b"x-zm-request-timestamp"

MAX_BODY_BYTES = 1 << 20
"""The face refuses longer bodies by their announced length; Zoom's are a few kilobytes."""

# Both grammars are matched on bytes and in full. int() would take underscores, signs, blanks and
# the digits of other scripts, `$` a trailing newline. Ten digits hold until the year 2286, and
# they keep the ":" of the base string where it is: otherwise a timestamp of `17…:{"a"` before a
# body of `1}` would verify under the signature of another split.
_SIGNATURE = re.compile(rb"v0=([0-9a-f]{64})")
_TIMESTAMP = re.compile(rb"[0-9]{10}")

# Every base string begins with "v0:", and this alphabet has no colon. So no answer to a challenge
# can ever be the signature of a delivery, although Zoom uses one key and one function for both.
CHALLENGE_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,128}")

_ONE_SIGNATURE = VerificationStep(
    "one signature header",
    "The delivery claims exactly one signature, so nobody can choose which of two is read.",
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
    "The delivery was signed recently; what is older than the memory of replays stays out.",
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

    Zoom retries after 5, 25 and 85 minutes, does not say whether a retry is signed anew, and
    never retries after a 4xx: a short window would lose honest deliveries for good. Within the
    window replays are stopped by remembering `delivery_digest` for longer than it lasts.
    """

    past: int = 7200
    future: int = 300


class FreshHeaders:
    """Headers of the right shape and time. Only a check of them makes one."""

    __slots__ = ("_signature", "_timestamp_bytes", "timestamp")

    def __init__(self, seal: object, timestamp_bytes: bytes, signature: bytes) -> None:
        if seal is not _MADE_HERE:
            raise UsageError("FreshHeaders are made by check_delivery_headers only")
        self.timestamp: Final = int(timestamp_bytes)
        self._timestamp_bytes: Final = timestamp_bytes
        self._signature: Final = signature

    def __repr__(self) -> str:
        return f"FreshHeaders(timestamp={self.timestamp})"

    def find_signer(self, body: bytes, *, secrets: Sequence[Secret]) -> int:
        """The index of the first secret that made the signature over these bytes; -1: none."""
        # Every secret is tried even after one has matched, so that the time a refusal takes
        # depends on the length of the ring and of the body alone.
        matched = -1
        signed = b"v0:%b:%b" % (self._timestamp_bytes, body)
        for index, secret in enumerate(secrets):
            # As text: what arrived is of one spelling, and need not be decoded to be refused.
            expected = _hex_mac(secret, signed).encode("ascii")
            same = hmac.compare_digest(expected, self._signature)
            # An empty secret is no secret: anybody can compute its MAC.
            if same and secret and matched < 0:
                matched = index
        return matched


class VerifiedDelivery:
    """Bytes that Zoom signed. Only `verify_webhook` makes one.

    Attributes:
        body: the raw bytes, as they were signed.
        timestamp: epoch seconds, Zoom's.
        secret_index: which secret of the ring verified it; above 0 an older one is still in use.
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
            raise UsageError("a VerifiedDelivery is made by verify_webhook only")
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
        """The hexadecimal HMAC of a challenge, under the secret that verified this delivery.

        This signs what somebody else chose, so it refuses everything that could be the base
        string of a delivery: otherwise it would be an oracle for forged events.

        Raises:
            EventInvalid: the token is not 8 to 128 letters, digits, `_` or `-`.
        """
        if not CHALLENGE_TOKEN.fullmatch(plain_token):
            raise EventInvalid("plainToken is not 8 to 128 letters, digits, _ or -")
        return _hex_mac(self._secret, plain_token.encode("ascii"))


def sign_webhook(secret: Secret, *, timestamp: int | str, body: bytes) -> str:
    """The value of x-zm-signature for these bytes: `v0=` and 64 hexadecimal digits.

    The MAC alone: the timestamp is signed as it is written, whatever `check_delivery_headers`
    would say to it.
    """
    return f"v0={_hex_mac(secret, b'v0:%b:%b' % (str(timestamp).encode(), body))}"


def check_delivery_headers(
    headers: Iterable[tuple[bytes, bytes]],
    *,
    now: float,
    freshness: Freshness,
) -> FreshHeaders:
    """What can be judged before the body is read: number, grammar and age.

    Args:
        headers: raw pairs as ASGI hands them over, names in lower case.
        now: epoch seconds.
        freshness: the window; both of its ends are inside.

    Raises:
        DeliveryRejected: a header is missing, doubled, or not of the exact grammar.
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
    """As `check_delivery_headers`, with the step that refuses handed back.

    For the hot path of a flood: raising an error costs as much as finding it.

    Args:
        headers: the raw pairs.
        named: the same pairs as a mapping, which whoever calls has made already.
        now: epoch seconds.
        freshness: the window.
    """
    found = _assess_grammar(headers, named)
    if isinstance(found, VerificationStep):
        return found
    age = now - found.timestamp
    return found if -freshness.future <= age <= freshness.past else FRESHNESS


def verify_webhook(
    headers: FreshHeaders,
    body: bytes,
    *,
    secrets: Sequence[Secret],
) -> VerifiedDelivery:
    """The delivery, once one of the webhook secrets has verified it over the raw body.

    Args:
        headers: from `check_delivery_headers`.
        body: exactly the bytes that arrived.
        secrets: the ring, newest first. Zoom has one secret per app and no overlap when it is
            replaced, so the overlap is ours.

    Raises:
        SignatureMismatch: no secret made this signature, or the ring is empty.
    """
    delivery = verified_or_none(headers, body, secrets=secrets)
    if delivery is None:
        raise _no_signer(secrets)
    return delivery


def verified_or_none(
    headers: FreshHeaders, body: bytes, *, secrets: Sequence[Secret]
) -> VerifiedDelivery | None:
    """As `verify_webhook`, and None for a signature that no secret made."""
    index = headers.find_signer(body, secrets=secrets)
    if index < 0:
        return None
    return VerifiedDelivery(
        _MADE_HERE,
        body=body,
        timestamp=headers.timestamp,
        secret_index=index,
        secret=secrets[index],
    )


def measure_stale_delivery(
    headers: Iterable[tuple[bytes, bytes]],
    body: bytes,
    *,
    secrets: Sequence[Secret],
) -> int:
    """The timestamp of a delivery that is out of time and yet truly signed.

    For the clock alarm only: a stale delivery that verifies means that this clock is wrong or that
    deliveries are held up somewhere. It makes no `VerifiedDelivery`, so nothing can act on it.

    Raises:
        DeliveryRejected, SignatureMismatch: as the two checks do.
    """
    checked = _demand_grammar(list(headers))
    if checked.find_signer(body, secrets=secrets) < 0:
        raise _no_signer(secrets)
    return checked.timestamp


def _no_signer(secrets: Sequence[Secret]) -> SignatureMismatch:
    return SignatureMismatch(f"none of {len(secrets)} webhook secrets made this signature")


def delivery_digest(client_id: str, body: bytes) -> bytes:
    """The key of deduplication: SHA-256 over client id and raw body, and nothing unsigned.

    Zoom's tracking and request ids are outside the MAC, so a replay can carry new ones; the
    timestamp is left out because a retry may be signed anew. The length before the client id keeps
    (`ab`, `c`) apart from (`a`, `bc`).
    """
    digest = _digest_of(client_id).copy()
    digest.update(body)
    return digest.digest()


@lru_cache(maxsize=8)
def _digest_of(client_id: str) -> hashlib._Hash:
    name = client_id.encode("utf-8", "surrogatepass")
    return hashlib.sha256(len(name).to_bytes(4, "big") + name)


def step_of(error: PeerError) -> VerificationStep | None:
    """The step of `VERIFICATION_STEPS` that refused, or None for a foreign error."""
    return find_step(VERIFICATION_STEPS, error)


def _demand_grammar(headers: Sequence[tuple[bytes, bytes]]) -> FreshHeaders:
    found = _assess_grammar(headers, dict(headers))
    if isinstance(found, VerificationStep):
        raise found.refuse()
    return found


def _assess_grammar(
    headers: Sequence[tuple[bytes, bytes]], named: Mapping[bytes, bytes]
) -> FreshHeaders | VerificationStep:
    """Most heads name nothing twice, and then a look-up each will do."""
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
    """An HMAC with its key taken in: doing that anew for each delivery costs more than the rest."""
    return hmac.new(secret.encode("utf-8", "surrogatepass"), digestmod="sha256")
