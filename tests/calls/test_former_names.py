"""The forms of version 0.1 work, and each warning says the new form."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

import paraph.client
from calls.four_objects import FourObjects, four_objects
from paraph import (
    AsyncClient,
    Client,
    NeedsReauthorization,
    NotFound,
    Secret,
    challenge_of,
    errors,
)
from service.app_with_zoom import NONCE

pytestmark = pytest.mark.anyio
SUBJECT = "tenant:jane"


@pytest.mark.parametrize(
    ("old", "raised", "caught"),
    [
        ("Missing", errors.NotFound(), True),
        ("NotCovered", errors.CallRefused(), True),
        ("NeedsNewConsent", errors.NeedsReauthorization(), True),
        ("AlreadyLinked", errors.LinkConflict(), True),
        ("Conflicting", errors.NeedsReauthorization(), True),
        ("Conflicting", errors.Conflict(), True),
        ("Conflicting", errors.NotFound(), False),
        ("KeyRefused", errors.ApiKeyMissing(), True),
        ("Refused", errors.UsageError(), True),
        ("TooMuch", errors.Busy(), True),
        ("Unavailable", errors.BeingDecided(), True),
        ("Unreachable", errors.ServiceUnreachable(), True),
        ("ServiceProblem", errors.NotFound(), True),
    ],
)
def test_a_former_exception_catches_the_present_one(
    old: str, raised: Exception, *, caught: bool
) -> None:
    """`except paraph.client.Missing` still works, and the warning names `NotFound`."""
    with pytest.warns(DeprecationWarning, match=f"paraph.client.{old} is deprecated"):
        former = getattr(paraph.client, old)
    assert caught == isinstance(raised, former)


def test_former_attributes_of_an_exception() -> None:
    """The names of the client's own exceptions work on the shared ones."""
    error: Any = NotFound("no such thing")
    with pytest.warns(DeprecationWarning, match="use code"):
        assert "not_found" == error.problem_code
    with pytest.warns(DeprecationWarning, match="use public_message"):
        assert error.public_message == error.title
    ended: Any = NeedsReauthorization("revoked", reauthorize_url="https://a.example/x")
    with pytest.warns(DeprecationWarning, match="use reauthorize_url"):
        assert "https://a.example/x" == ended.mend_url


async def test_zoom_takes_the_former_arguments(tmp_path: Path) -> None:
    """A host written for version 0.1 links a user, reads the records, and calls Zoom."""
    async with four_objects(tmp_path) as four:
        zoom: Any = four.app.zoom
        with pytest.warns(DeprecationWarning, match="nonce="):
            url = await zoom.request_link(SUBJECT, challenge=challenge_of(NONCE))
        assert url.startswith("https://app.example/install?request=")
        handoff = await four.handoff("Zoom", SUBJECT)
        with pytest.warns(DeprecationWarning, match="nonce="):
            claim = await zoom.claim(handoff, verifier=NONCE)
        with pytest.warns(DeprecationWarning, match=r"use the value itself"):
            text = claim.claim.reveal()
        with pytest.warns(DeprecationWarning, match=r"claim\.zoom"):
            assert SUBJECT == claim.installation.subject
        with pytest.warns(DeprecationWarning, match="the claim itself"):
            confirmed = await zoom.confirm(Secret(text), subject=SUBJECT)
        with pytest.warns(DeprecationWarning, match=r"installation\.id"):
            assert (confirmed.id, SUBJECT) == (confirmed.link.link_id, confirmed.link.subject)
        with pytest.warns(DeprecationWarning, match=r"installation\.zoom"):
            assert confirmed.zoom.user_id == confirmed.grant.identity.user_id
        with pytest.warns(DeprecationWarning, match="request"):
            assert 200 == (await zoom.installation(SUBJECT).call("GET", "/users/me")).status
        token = await zoom.installation(SUBJECT).access_token()
        with pytest.warns(DeprecationWarning, match="reveal"):
            assert token.access_token == token.access_token.reveal()
        receipt = await zoom.installation(SUBJECT).remove()
        with pytest.warns(DeprecationWarning, match="use id"):
            assert receipt.id == receipt.receipt_id


async def _by_async_client(four: FourObjects, client: AsyncClient, linked: Any) -> None:
    former: Any = client
    with pytest.warns(DeprecationWarning, match="status"):
        assert linked == await former.installation(linked.id)
    with pytest.warns(DeprecationWarning, match="access_token"):
        await former.access_token(linked.id, subject=SUBJECT)
    with pytest.warns(DeprecationWarning, match="request"):
        assert 200 == (await former.zoom(linked.id, "GET", "/users/me")).status
    with pytest.warns(DeprecationWarning, match="remove"):
        assert linked.id == (await former.remove(linked.id)).installation_id


def _by_client(client: Client, linked: Any) -> None:
    former: Any = client
    value = former.installation(linked.id)
    with pytest.warns(DeprecationWarning, match="status"):
        assert (linked.phase, linked.zoom) == (value.phase, value.zoom)
    with pytest.raises(AttributeError):
        _ = value.tokens
    with pytest.warns(DeprecationWarning, match="access_token"):
        former.access_token(linked.id, subject=SUBJECT)
    with pytest.warns(DeprecationWarning, match="request"):
        assert 200 == former.zoom(linked.id, "GET", "/users/me", subject=SUBJECT).status
    with pytest.warns(DeprecationWarning, match="remove"):
        assert linked.id == former.remove(linked.id).installation_id


async def test_the_clients_take_ids_as_before(tmp_path: Path) -> None:
    """`installation(id)` is a value, and tokens, calls and removals take an id."""
    async with four_objects(tmp_path) as four:
        linked = await four.link("AsyncClient", SUBJECT)
        await _by_async_client(four, four.objects["AsyncClient"], linked)
        linked = await four.link("Client", SUBJECT)
        await asyncio.to_thread(_by_client, four.objects["Client"], linked)


def test_a_former_call_without_a_subject_needs_no_further_request() -> None:
    """A key with the scope `proxy` alone still makes calls by id."""
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={}, headers={"paraph-answer": "zoom"})

    client = Client("http://service", "key", transport=httpx.MockTransport(respond))
    with client, pytest.warns(DeprecationWarning, match="request"):
        client.zoom("i1", "GET", "/users/me")
    assert ["/v1/installations/i1/zoom/v2/users/me"] == [one.url.path for one in seen]
    assert "paraph-subject" not in seen[0].headers
