"""Deliveries under construction."""

from __future__ import annotations

from paraph.checks.harness.webhook_steps import Delivery, sign

BODY = b'{"event":"meeting.ended"}'


def delivery() -> Delivery:
    """An honest delivery."""
    return Delivery("secret-of-the-test", BODY, 1_700_000_000.9)


def test_a_delivery_is_signed_correctly_unless_told_otherwise() -> None:
    """The signature follows secret, timestamp and body until another one is set."""
    made = delivery()
    made.secret = "another-secret"
    assert sign("another-secret", "1700000000", BODY) == made.signature
    made.signature = "v0=00"
    assert "v0=00" == dict(made.headers())["x-zm-signature"]


def test_headers_can_be_omitted() -> None:
    """The copy lacks the headers and is signed correctly; the delivery itself is unchanged."""
    made = delivery()
    made.more, made.signature = [("authorization", "x")], "v0=00"

    bare = made.without("x-zm-request-timestamp")

    assert ["content-type", "x-zm-signature", "authorization"] == [n for n, _ in bare.headers()]
    assert sign("secret-of-the-test", "1700000000", BODY) == bare.signature
    assert 4 == len(made.headers())
