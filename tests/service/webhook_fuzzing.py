"""A webhook endpoint for whatever bytes arrive: at a fixed time, over a store that keeps all."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from events.inbox_kit import SECRET
from paraph.endpoints.webhook_endpoint import WebhookEndpoint
from paraph.events.inbox import Inbox
from paraph.lifecycle.context import Context
from paraph.model.event import KeptEvent, Outcome
from paraph.oauth.roles import Client
from paraph.remote.zoom_clock import ZoomClock
from paraph.secret import Secret
from paraph.zoom.webhook import Freshness
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


def endpoint(*, otherwise: Any = None) -> WebhookEndpoint:
    """An endpoint at `NOW` that keeps whatever it is given."""
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
        clock=lambda: NOW,
        random_bytes=bytes,
    )

    return WebhookEndpoint(
        ZoomClock(lambda: NOW, monotonic=lambda: 0.0, freshness=Freshness()),
        Inbox(context, _Everything()),
        secrets=[SECRET],
        freshness=Freshness(),
        otherwise=_nowhere if otherwise is None else otherwise,
        headers=(),
        monotonic=lambda: 0.0,
    )


async def _nowhere(_scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError("a delivery went elsewhere")
