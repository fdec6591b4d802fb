"""Open the context that the service and the commands work with."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from paraph.endpoints.readiness import Readiness
from paraph.lifecycle.context import Context
from paraph.lifecycle.shared_clock import SharedClock
from paraph.oauth.roles import Client
from paraph.operations.open_key_ring import open_ring
from paraph.remote.authorization_server import RemoteAuthorizationServer
from paraph.remote.resource_server import RemoteResourceServer
from paraph.remote.transport import Transport
from paraph.remote.zoom_clock import ZoomClock
from paraph.sealing.key_ring import KeyRing
from paraph.settings.model import Settings
from paraph.storage.backup.receipt_book import ReceiptBook
from paraph.storage.database import Database, open_store
from paraph.zoom.server_metadata import zoom_authorization_server
from paraph.zoom.webhook_verification import Freshness

if TYPE_CHECKING:
    from paraph.operations.probes.collecting import Sources


def probe_sources() -> Sources:
    """Return clock, randomness and environment for the doctor's probes."""
    # The probes load libraries that a service without the page that shows them never needs.
    from paraph.operations.probes.collecting import Sources

    return Sources(
        time.time,
        time.monotonic,
        token=lambda: secrets.token_urlsafe(32),
        environment=os.environ,
    )


@asynccontextmanager
async def open_context(
    settings: Settings,
    *,
    clock: Callable[[], float] = time.time,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> AsyncIterator[tuple[Context, Readiness]]:
    """Open a store, a transport and the policy of the settings, and close them at the end.

    Args:
        settings: checked settings.
        clock: returns epoch seconds.
        random_bytes: returns the requested number of random bytes.

    Yields:
        The context, and the readiness check that compares its clocks.
    """
    ring = await open_ring(settings)
    store = await open_store(settings.database_url, ring, randomness=random_bytes, now=int(clock()))
    try:
        async with context_over(
            settings, store, ring, clock=clock, random_bytes=random_bytes
        ) as composed:
            yield composed
    finally:
        await store.close()


@asynccontextmanager
async def context_over(
    settings: Settings,
    store: Database,
    ring: KeyRing,
    *,
    clock: Callable[[], float],
    random_bytes: Callable[[int], bytes],
) -> AsyncIterator[tuple[Context, Readiness]]:
    """Open a transport and the policy of the settings for a store that the caller closes."""
    zoom_clock = ZoomClock(clock, monotonic=time.monotonic, freshness=freshness_of(settings))
    shared_clock = SharedClock(clock)
    await shared_clock.compare(store)
    readiness = Readiness(
        store, monotonic=time.monotonic, zoom_clock=zoom_clock, shared_clock=shared_clock
    )
    transport = Transport(
        {settings.authorization_server, *settings.api_servers},
        route=settings.outgoing,
        observe=zoom_clock.observe,
    )
    client = Client(settings.client_id, settings.client_secret, settings.redirect_uri)
    server = zoom_authorization_server(settings.authorization_server)
    context = Context(
        store=store,
        ring=ring,
        client=client,
        authorization_server=RemoteAuthorizationServer(transport, server, client),
        resource_server=RemoteResourceServer(transport, settings.api_servers),
        linking=settings.linking,
        level=settings.level,
        required_scopes=settings.required_scopes,
        clock=shared_clock,
        random_bytes=random_bytes,
        reauthorize_url=f"{settings.public_url}/install"
        if settings.linking == "none"
        else settings.start_url,
    )
    zoom_clock.ask_by(context.resource_server.ask_time)
    try:
        yield context, readiness
    finally:
        await zoom_clock.close()
        await transport.close()


def freshness_of(settings: Settings) -> Freshness:
    """Return the freshness window for deliveries."""
    return Freshness(settings.freshness_past, settings.freshness_future)


def receipt_book(settings: Settings, context: Context) -> ReceiptBook | None:
    """Open the receipt book of the settings' folder; None if no folder is set."""
    if not settings.receipts_folder:
        return None
    return ReceiptBook(
        Path(settings.receipts_folder),
        database_id=context.store.database_id,
        ring=context.ring,
        first_key=context.store.hash_keys["receipts"],
        writer=socket.gethostname(),
    )
