"""An inbox over a real store, and deliveries that were truly signed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from paraph.events.inbox import Inbox
from paraph.lifecycle.context import Context
from paraph.model.event import EventStatus, KeptEvent, Outcome
from paraph.oauth.roles import Client
from paraph.remote.authorization_server import RemoteAuthorizationServer
from paraph.remote.resource_server import RemoteResourceServer
from paraph.remote.transport import Transport
from paraph.sealing.key_ring import KeyRing
from paraph.secret import Secret
from paraph.simulator.webhooks.webhook_sender import sign
from paraph.storage.database import open_store
from paraph.zoom.events import Event, parse_event
from paraph.zoom.server_metadata import zoom_authorization_server
from paraph.zoom.webhook_verification import (
    Freshness,
    VerifiedDelivery,
    check_delivery_headers,
    verify_webhook,
)
from storage import sample

SECRET = Secret("the webhook secret of these tests")
UNREACHABLE = "http://127.0.0.1:9"


@asynccontextmanager
async def open_context(
    database_url: str,
    *,
    clock: Callable[[], float] = time.time,
    ring: KeyRing | None = None,
    installed: bool = True,
) -> AsyncIterator[Context]:
    """A context whose Zoom answers nobody, with one installation."""
    keys = sample.ring() if ring is None else ring
    store = await open_store(database_url, keys, randomness=os.urandom)
    transport = Transport({UNREACHABLE})
    client = Client(
        sample.CLIENT, Secret("the client secret of these tests"), "https://app.example"
    )
    context = Context(
        store=store,
        ring=keys,
        client=client,
        authorization_server=RemoteAuthorizationServer(
            transport, zoom_authorization_server(UNREACHABLE), client
        ),
        resource_server=RemoteResourceServer(transport, (UNREACHABLE,)),
        linking="none",
        level="user",
        required_scopes=frozenset(),
        clock=clock,
        random_bytes=os.urandom,
    )
    if installed:
        await install(context)
    try:
        yield context
    finally:
        await transport.close()
        await store.close()


async def install(context: Context, mark: str = "1", **changes: Any) -> None:
    """An installation of `user-<mark>`."""
    async with context.store.transaction() as tx:
        grant = sample.grant(mark)
        identity = replace(grant.identity, **changes)
        await tx.grants.add(replace(grant, identity=identity))
        await tx.links.add(sample.link(mark))
        await tx.data_keys.add_missing(identity, os.urandom)


def delivery_of(content: Any, *, now: float | None = None) -> tuple[VerifiedDelivery, Event]:
    """A delivery that was signed and verified, and its event."""
    at = time.time() if now is None else now
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    stamp = str(int(at))
    signature = sign(SECRET.reveal(), stamp, body)
    headers = [
        (b"x-zm-signature", signature.encode()),
        (b"x-zm-request-timestamp", stamp.encode()),
    ]
    fresh = check_delivery_headers(headers, now=at, freshness=Freshness())
    delivery = verify_webhook(fresh, body, secrets=[SECRET])
    return delivery, parse_event(delivery)


def meeting(mark: str = "1", account_id: str = sample.ACCOUNT, **thing: Any) -> dict[str, Any]:
    """The content of one event, told apart by its mark."""
    details = {"uuid": mark, "topic": f"canary-topic-{mark}", "host_id": "user-1", **thing}
    payload = {"account_id": account_id, "object": details}
    return {"event": "meeting.ended", "event_ts": 1_785_369_054_000, "payload": payload}


def removal(**changes: Any) -> dict[str, Any]:
    """The content of user-1's deauthorization."""
    payload = {
        "client_id": sample.CLIENT,
        "account_id": sample.ACCOUNT,
        "user_id": "user-1",
        "deauthorization_time": "2026-07-29T10:00:00Z",
        **changes,
    }
    return {"event": "app_deauthorized", "event_ts": 1_785_369_054_000, "payload": payload}


async def keep(inbox: Inbox, content: Any) -> Outcome:
    """Deliver one event."""
    return await inbox.keep(*delivery_of(content))


async def kept(context: Context, status: EventStatus | None = None) -> list[KeptEvent]:
    """Zoom's events in the database, oldest first, with their bodies."""
    async with context.store.reading() as tx:
        found = [await tx.events.get(one.event_id) for one in await tx.events.page(limit=10_000)]
    events = [one for one in found if one is not None and not one.notice]
    wanted = [one for one in events if status is None or one.status is status]
    return sorted(wanted, key=lambda one: one.arrival)
