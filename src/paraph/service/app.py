"""The composition root: settings, clock and randomness in; a running service out."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from starlette.types import ASGIApp

from paraph.api.app import create_management_api
from paraph.config import Settings
from paraph.errors import ParaphError
from paraph.events.dispatch import Dispatcher
from paraph.events.forward import Forwarder
from paraph.events.inbox import Inbox
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.audit import HeadExport
from paraph.lifecycle.context import Context
from paraph.lifecycle.housekeeping import tidy
from paraph.logs import get_logger
from paraph.oauth.roles import Client
from paraph.remote.authorization_server import RemoteAuthorizationServer
from paraph.remote.resource_server import RemoteResourceServer
from paraph.remote.transport import Transport
from paraph.service.budget import ExchangeBudget, RateBudget
from paraph.service.install import InstallEndpoint
from paraph.service.marketplace import MarketplacePage
from paraph.service.page import Pages, style
from paraph.service.private import PrivateSide
from paraph.service.public import PublicSide, plain_routes
from paraph.service.readiness import Readiness
from paraph.service.redirection_endpoint import RedirectionEndpoint
from paraph.service.security_headers import SecurityHeaders, content_security_policy
from paraph.service.webhook_endpoint import WebhookEndpoint
from paraph.storage.database import open_store
from paraph.storage.encryption import KeyRing
from paraph.zoom.server_metadata import zoom_authorization_server
from paraph.zoom.webhook import Freshness

TIDY_SECONDS = 2.0
_EVENT_ROW_MARGIN = 86400

_log = get_logger("service")


@dataclass(frozen=True, slots=True)
class Service:
    """A composed service: an ASGI application for each of its two sides."""

    context: Context
    public: ASGIApp
    private: ASGIApp


@asynccontextmanager
async def open_context(
    settings: Settings,
    *,
    clock: Callable[[], float] = time.time,
    random_bytes: Callable[[int], bytes] = os.urandom,
) -> AsyncIterator[tuple[Context, Readiness]]:
    """Store, transport and policy, ready to work; all of it is let go of at the end."""
    ring = KeyRing.parse([key.reveal() for key in settings.encryption_keys])
    store = await open_store(settings.database_url, ring, randomness=random_bytes, now=int(clock()))
    readiness = Readiness(store, clock=clock, tolerance=settings.freshness_future)
    transport = Transport(
        {settings.authorization_server, *settings.api_servers}, observe=readiness.observe
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
        clock=clock,
        random_bytes=random_bytes,
    )
    try:
        yield context, readiness
    finally:
        await transport.close()
        await store.close()


@asynccontextmanager
async def open_service(settings: Settings) -> AsyncIterator[Service]:
    """Compose everything, and run the work behind the faces until the block ends."""
    async with open_context(settings) as (context, readiness):
        pages = Pages(
            app_name=settings.app_name,
            start="/install" if settings.linking == "none" else settings.start_url,
        )
        inbox = Inbox(context)
        public = _public_side(settings, context, pages, inbox, readiness)
        private = PrivateSide(create_management_api(context, public_url=settings.public_url))
        async with _background(settings, context, inbox):
            yield Service(
                context=context,
                public=SecurityHeaders(public, policy=content_security_policy(style())),
                private=SecurityHeaders(private, policy=content_security_policy(style())),
            )


def _public_side(
    settings: Settings, context: Context, pages: Pages, inbox: Inbox, readiness: Readiness
) -> PublicSide:
    starts = RateBudget(burst=120, per_second=2, clock=time.monotonic)
    exchanges = ExchangeBudget(RateBudget(burst=40, per_second=0.5, clock=time.monotonic))
    install = InstallEndpoint(context, settings, pages, starts)
    redirection = RedirectionEndpoint(context, settings, pages, exchanges)
    marketplace = MarketplacePage(settings, pages, install)
    return PublicSide(
        settings,
        pages,
        webhook=WebhookEndpoint(
            context,
            inbox,
            secrets=settings.webhook_secrets,
            freshness=Freshness(settings.freshness_past, settings.freshness_future),
        ),
        routes={
            "/install": install.answer,
            "/oauth/redirect": redirection.answer,
            "/marketplace": marketplace.answer,
            **plain_routes(settings, context, pages, readiness),
        },
    )


@asynccontextmanager
async def _background(settings: Settings, context: Context, inbox: Inbox) -> AsyncIterator[None]:
    forwarder = None
    if settings.forward_url:
        forwarder = Forwarder(context, url=settings.forward_url, secrets=settings.forward_secrets)
    dispatcher = Dispatcher(context, inbox, Refresher(context), forwarder)
    work = [
        asyncio.create_task(dispatcher.run(), name="dispatch"),
        asyncio.create_task(_tidy_regularly(settings, context), name="tidy"),
    ]
    try:
        yield
    finally:
        for task in work:
            task.cancel()
        for task in work:
            with suppress(asyncio.CancelledError):
                await task
        if forwarder is not None:
            await forwarder.close()


async def _tidy_regularly(settings: Settings, context: Context) -> None:
    heads = HeadExport(context.store)
    try:
        while True:
            try:
                await tidy(context)
                await _forget_events(settings, context)
                await heads.export()
            except ParaphError as error:
                _log.warning("tidy.interrupted", error_code=error.code, why=error.detail)
            except Exception as error:  # noqa: BLE001 - Housekeeping must outlive a bad row.
                _log.error("tidy.failed", why=type(error).__name__)
            await asyncio.sleep(TIDY_SECONDS)
    finally:
        with suppress(ParaphError):
            await heads.export()


async def _forget_events(settings: Settings, context: Context) -> None:
    """Bodies go after their retention; rows when no replay can be fresh any more."""
    now = context.now()
    window = settings.freshness_past + settings.freshness_future + _EVENT_ROW_MARGIN
    async with context.store.transaction() as tx:
        await tx.events.delete_bodies(handed_on_before=now - settings.event_retention)
        await tx.events.delete_rows(received_before=now - max(window, settings.event_retention))
