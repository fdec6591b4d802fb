"""A webhook endpoint for whatever bytes arrive: at a fixed time, over a store that keeps all."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from events.inbox_kit import SECRET
from paraph.endpoints.pages import Pages
from paraph.endpoints.routes import PublicSide, Route
from paraph.endpoints.webhook_endpoint import WebhookEndpoint
from paraph.events.inbox import Inbox
from paraph.http.body import BodyReader
from paraph.http.endpoint import Steps
from paraph.lifecycle.context import Context
from paraph.model.event import KeptEvent, Outcome
from paraph.oauth.roles import Client
from paraph.remote.zoom_clock import ZoomClock
from paraph.secret import Secret
from paraph.zoom.webhook_verification import Freshness
from storage import sample

NOW = 1_785_369_054


class _Everything:
    """A store that keeps whatever it is given."""

    async def keep_events(self, events: Sequence[KeptEvent], *, client_id: str) -> list[Outcome]:
        """Look at each as a database would."""
        for one in events:
            for text in (one.event_id, one.name, one.account_id, one.user_id, one.trace):
                assert "\0" not in text
                text.encode()
        assert client_id == sample.CLIENT
        return [Outcome.KEPT for _ in events]


def endpoint(*, now: float = NOW, secrets: Sequence[Secret] = (SECRET,)) -> WebhookEndpoint:
    """An endpoint at a fixed time that keeps whatever it is given."""
    client = Client(sample.CLIENT, Secret("unused"), "https://app.example")
    nothing: Any = None
    # Removals of users are marked by a keyed hash.
    store: Any = SimpleNamespace(hash_keys={"tombstone": bytes(32)})
    context = Context(
        store=store,
        ring=nothing,
        client=client,
        authorization_server=nothing,
        resource_server=nothing,
        linking="none",
        level="user",
        required_scopes=frozenset(),
        clock=lambda: now,
        random_bytes=bytes,
    )

    return WebhookEndpoint(
        ZoomClock(lambda: now, monotonic=lambda: 0.0, freshness=Freshness()),
        Inbox(context, _Everything()),
        secrets=secrets,
        freshness=Freshness(),
        headers=(),
        monotonic=lambda: 0.0,
    )


def public_side(webhook: WebhookEndpoint) -> PublicSide:
    """A public side whose only endpoint is the webhook."""
    table = {
        "/webhook": Route("POST", webhook.answer),
        "/oauth/redirect": Route("GET", _unexpected),
    }
    bodies = BodyReader(lambda scope: scope["client"][0])
    return PublicSide(table, Pages("Tidemark", "/install"), headers=(), bodies=bodies)


def _unexpected(_scope: Any, _named: Any) -> Steps:
    raise AssertionError("a delivery went elsewhere")
