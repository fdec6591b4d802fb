"""Exchanges, driven by hand: one request each, whatever comes back."""

from __future__ import annotations

import pytest

from oauth.exchange_kit import CLIENT, SERVER, validated
from oauth.test_token_endpoint import response
from paraph.errors import InvalidGrant
from paraph.oauth.exchange import exchange_code, refresh, revoke
from paraph.secret import Secret


def test_a_code_is_sent_once() -> None:
    """After a refusal there is no second request."""
    flow = exchange_code(SERVER, CLIENT, validated())
    assert SERVER.token_endpoint == next(flow).url
    with pytest.raises(InvalidGrant):
        flow.send(response(b'{"reason":"x","error":"invalid_grant"}', status=400))


def test_a_refresh_gives_the_next_set() -> None:
    """The value of the generator is the token set."""
    flow = refresh(SERVER, CLIENT, Secret("old"))
    next(flow)
    with pytest.raises(StopIteration) as done:
        flow.send(response(b'{"access_token":"a","token_type":"bearer"}'))
    assert Secret("old") == done.value.value.refresh_token


def test_a_revocation_ends_in_nothing() -> None:
    """Revoked: no value, no error."""
    flow = revoke(SERVER, CLIENT, Secret("at"))
    next(flow)
    with pytest.raises(StopIteration):
        flow.send(response(b"{}"))
