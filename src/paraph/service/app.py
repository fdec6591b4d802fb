"""The composition root: settings, clock and randomness in; a running service out."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from paraph.admin.app import Dependencies, OperatorPages
from paraph.admin.page import CONTENT_SECURITY_POLICY, REFERRER_POLICY
from paraph.api.app import ManagementApi, create_management_api
from paraph.cookies import own_cookies
from paraph.endpoints.install import InstallEndpoint
from paraph.endpoints.marketplace import MarketplacePage
from paraph.endpoints.pages import Pages, style
from paraph.endpoints.readiness import Readiness
from paraph.endpoints.redirection_endpoint import RedirectionEndpoint
from paraph.endpoints.routes import PageRoutes, PublicSide, Route, plain_pages, waiting
from paraph.endpoints.webhook_endpoint import PATH
from paraph.errors import ParaphError
from paraph.events.forwarding import Target
from paraph.events.retention import Retention, delete_expired_events
from paraph.http.body import BodyReader
from paraph.http.client_address import client_address
from paraph.http.proxy_watch import ProxyWatch
from paraph.http.rate_limit import ExchangeLimit, FailedExchanges, RateLimit, start_limit
from paraph.http.response import Headers
from paraph.http.security_headers import (
    MACHINE_HEADERS,
    SecurityHeaders,
    content_security_policy,
    page_headers,
    shown_headers,
)
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.active_access import ActiveAccess
from paraph.lifecycle.audit import HeadExport
from paraph.lifecycle.context import Context
from paraph.lifecycle.resource_call import ResourceCaller
from paraph.lifecycle.shared_clock import SharedClock
from paraph.logs import get_logger
from paraph.operations.findings.examination import examine_running
from paraph.operations.housekeeping import delete_expired, keep_alive, run_due_jobs
from paraph.operations.probes.collecting import Sources
from paraph.operations.receipt_export import ReceiptExport, refuse_older_copy
from paraph.operations.replica import BEAT_SECONDS, Presence
from paraph.operations.restore import prove_suspended
from paraph.service.context import freshness_of, open_context, receipt_book
from paraph.service.event_pipeline import open_deliveries
from paraph.service.mount.host_pages import HostPages
from paraph.service.mount.signed_in import HostSide
from paraph.service.outgoing_log import log_route
from paraph.service.private import PrivateSide
from paraph.service.private_host import PrivateHosts, private_names
from paraph.settings.loading import LINK_PATH, START_PATH
from paraph.settings.model import Settings

DUE_JOBS_SECONDS = 2.0
# Only frees space. Each run is a write, and access tokens wait for it.
RETENTION_SECONDS = 15.0
# A pause between batches lets others write: a replica deletes ten thousand events a second.
RETENTION_BUSY_SECONDS = 0.05
KEEP_ALIVE_SECONDS = 600.0
KEEP_ALIVE_BUSY_SECONDS = 5.0

_log = get_logger("service")


@dataclass(frozen=True, slots=True)
class Service:
    """A composed service: an ASGI application for each of its two sides."""

    context: Context
    access: ActiveAccess
    caller: ResourceCaller
    public: PublicSide
    private: ASGIApp
    api: ManagementApi
    readiness: Readiness


@asynccontextmanager
async def open_service(
    settings: Settings,
    *,
    targets: Callable[[Context], Sequence[Target]] = lambda _context: (),
    host: HostSide | None = None,
) -> AsyncIterator[Service]:
    """Compose the service, and run its background work until the block ends.

    Args:
        settings: checked settings.
        targets: makes the in-process receivers of events.
        host: the application in whose process the service runs, if it does.

    Raises:
        ConfigurationError: the settings, the key ring or the database cannot be used.
    """
    async with open_context(settings) as (context, readiness):
        # Logged only now: a start that fails reports its failure and nothing else.
        log_route(settings.outgoing, os.environ)
        book = receipt_book(settings, context)
        if book is None:
            _log.warning("receipts.not_exported", remedy="Set receipts_folder; see docs/backup.md.")
        else:
            await refuse_older_copy(context.store, book)
        host = host or HostSide()
        pages = _pages(settings, host)
        headers = page_headers(content_security_policy(style()))
        redirection = _redirection_endpoint(settings, context, pages)
        proxies = ProxyWatch(settings, monotonic=time.monotonic)
        page_routes = _page_routes(
            settings, context, pages, readiness, redirection, headers=headers, proxies=proxies
        )
        if host.subject_of is not None:
            page_routes |= _host_page_routes(settings, context, pages, host, proxies)
        refresher = Refresher(context)
        access = ActiveAccess(context, refresher)
        caller = ResourceCaller(context, access, context.resource_server.transport)
        api = create_management_api(context, settings, access=access, caller=caller)
        export = None if book is None else ReceiptExport(context, book)
        async with (
            aclosing(redirection),
            _background(settings, context, refresher, export, readiness.shared_clock),
            open_deliveries(
                settings,
                context,
                refresher=refresher,
                zoom_clock=readiness.zoom_clock,
                proxies=proxies,
                redirects=redirection.refusals,
                monotonic=time.monotonic,
                targets=targets(context),
            ) as deliveries,
        ):
            readiness.watch(deliveries.endpoint.watch)
            public = PublicSide(
                {PATH: Route("POST", deliveries.endpoint.answer), **page_routes},
                pages,
                headers=headers,
                bodies=BodyReader(partial(client_address, trusted=settings.trusted_proxies)),
                base=settings.base_path,
            )
            private = PrivateSide(
                api,
                operator_pages=_operator_pages(settings, context),
                metrics=deliveries.metrics,
                hosts=PrivateHosts(private_names(settings)),
            )
            yield Service(
                context=context,
                access=access,
                caller=caller,
                public=public,
                private=SecurityHeaders(private, MACHINE_HEADERS),
                api=api,
                readiness=readiness,
            )


def _pages(settings: Settings, host: HostSide) -> Pages:
    start = f"{settings.base_path}/install" if settings.linking == "none" else settings.start_url
    return Pages(
        app_name=settings.app_name,
        start=start,
        is_linked=settings.linking == "host",
        after_install=host.after_install,
        after_failure=host.after_failure,
        confirmation=f"{settings.base_path}{LINK_PATH}" if host.subject_of is not None else "",
    )


def _redirection_endpoint(
    settings: Settings, context: Context, pages: Pages
) -> RedirectionEndpoint:
    exchanges = ExchangeLimit(
        RateLimit(burst=40, per_second=0.5, clock=time.monotonic),
        failed=FailedExchanges(clock=time.monotonic),
    )
    return RedirectionEndpoint(context, settings, pages, exchanges, monotonic=time.monotonic)


def _page_routes(
    settings: Settings,
    context: Context,
    pages: Pages,
    readiness: Readiness,
    redirection: RedirectionEndpoint,
    *,
    headers: Headers,
    proxies: ProxyWatch | None = None,
) -> dict[str, Route]:
    starts = start_limit(time.monotonic)
    install = InstallEndpoint(context, settings, pages, starts)
    marketplace = MarketplacePage(settings, pages, install)
    routes = PageRoutes(settings, pages, headers=headers, proxies=proxies)
    return {
        "/oauth/redirect": routes.of("/oauth/redirect", redirection.answer),
        **routes.table(
            {
                "/install": install.answer,
                "/marketplace": marketplace.answer,
                **plain_pages(settings, context, pages, readiness),
            }
        ),
    }


def _host_page_routes(
    settings: Settings, context: Context, pages: Pages, host: HostSide, proxies: ProxyWatch
) -> dict[str, Route]:
    ends = (urlsplit(one) for one in (host.after_install, host.after_failure))
    policy = content_security_policy(
        style(), forms=sorted({f"{one.scheme}://{one.netloc}" for one in ends if one.netloc})
    )
    # With "no-referrer" browsers send "Origin: null" with forms.
    headers = page_headers(policy, referrer="same-origin")
    starts = start_limit(time.monotonic)
    own = HostPages(context, settings, pages, host, starts)
    routes = PageRoutes(settings, pages, headers=headers, proxies=proxies)
    return {
        START_PATH: routes.of(START_PATH, waiting(own.start)),
        LINK_PATH: routes.of(LINK_PATH, waiting(own.link), posted=own.decide),
    }


def _sources() -> Sources:
    return Sources(time.time, time.monotonic, token=lambda: secrets.token_urlsafe(32))


def _operator_pages(settings: Settings, context: Context) -> ASGIApp:
    dependencies = Dependencies(
        app_name=settings.app_name,
        operator_url=settings.operator_url,
        cookies=own_cookies,
        address_of=partial(client_address, trusted=settings.trusted_proxies),
        sign_in_limit=RateLimit(burst=10, per_second=0.05, clock=time.monotonic),
        examine=lambda network: examine_running(settings, _sources(), network=network),
    )
    headers = shown_headers(CONTENT_SECURITY_POLICY, referrer=REFERRER_POLICY)
    return SecurityHeaders(OperatorPages(context, dependencies), headers)


@asynccontextmanager
async def _background(
    settings: Settings,
    context: Context,
    refresher: Refresher,
    export: ReceiptExport | None,
    shared_clock: SharedClock,
) -> AsyncIterator[None]:
    presence = Presence(context, f"{socket.gethostname()}:{os.getpid()}")
    # Before the first request: no key may be rotated while this replica is unknown.
    await asyncio.create_task(presence.beat(), name="presence")
    work = [
        asyncio.create_task(_run_due_jobs(context, export), name="due jobs"),
        asyncio.create_task(
            _regularly(RETENTION_SECONDS, partial(delete_expired, context)), name="retention"
        ),
        asyncio.create_task(_delete_events_regularly(settings, context), name="event retention"),
        asyncio.create_task(_keep_alive(context, refresher), name="keep alive"),
        # Every grant of a restored backup is checked against Zoom, one by one.
        asyncio.create_task(
            _regularly(DUE_JOBS_SECONDS, partial(prove_suspended, context, refresher)), name="prove"
        ),
        asyncio.create_task(_be_present(presence, context, shared_clock), name="presence"),
    ]
    try:
        yield
    finally:
        for task in work:
            task.cancel()
        for task in work:
            with suppress(asyncio.CancelledError):
                await task
        await refresher.close()
        with suppress(ParaphError):
            await presence.end()


async def _keep_alive(context: Context, refresher: Refresher) -> None:
    while True:
        try:
            due = await keep_alive(context, refresher)
        except ParaphError as error:
            _log.warning("keep_alive.interrupted", error_code=error.code, why=error.detail)
            due = 0
        # Many may have become idle on one day: they are processed batch by batch.
        await asyncio.sleep(KEEP_ALIVE_BUSY_SECONDS if due else KEEP_ALIVE_SECONDS)


async def _be_present(presence: Presence, context: Context, shared_clock: SharedClock) -> None:
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        await shared_clock.compare(context.store)
        try:
            await presence.beat()
        except ParaphError as error:
            _log.warning("presence.interrupted", error_code=error.code, why=error.detail)


async def _regularly(seconds: float, job: Callable[[], Awaitable[None]]) -> None:
    while True:
        await _outlived(job)
        await asyncio.sleep(seconds)


async def _run_due_jobs(context: Context, export: ReceiptExport | None) -> None:
    heads = HeadExport(context.store)
    jobs: list[Callable[[], Awaitable[None]]] = [
        partial(run_due_jobs, context),
        heads.export,
    ]
    if export is not None:
        jobs.append(export.export)
    try:
        while True:
            for job in jobs:
                await _outlived(job)
            await asyncio.sleep(DUE_JOBS_SECONDS)
    finally:
        with suppress(ParaphError):
            await heads.export()
            if export is not None:
                await export.export(closing=True)


async def _delete_events_regularly(settings: Settings, context: Context) -> None:
    retention = Retention.of(
        settings.event_retention,
        freshness_of(settings),
        dead_letter_retention=settings.dead_letter_retention,
    )
    more = False

    async def delete_some() -> None:
        nonlocal more
        more = await delete_expired_events(context, retention)

    while True:
        await _outlived(delete_some)
        await asyncio.sleep(RETENTION_BUSY_SECONDS if more else RETENTION_SECONDS)
        more = False


async def _outlived(job: Callable[[], Awaitable[None]]) -> None:
    """Run one housekeeping job; its failure stops neither the next job nor the service."""
    try:
        await job()
    except ParaphError as error:
        _log.warning("due_jobs.interrupted", error_code=error.code, why=error.detail)
    except Exception as error:  # noqa: BLE001 - Housekeeping must outlive a bad row.
        _log.error("due_jobs.failed", why=type(error).__name__)
