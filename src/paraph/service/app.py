"""The composition root: settings, clock and randomness in; a running service out."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from paraph.admin.app import Dependencies, OperatorPages
from paraph.admin.apps_page import AppFacts
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
from paraph.events.forwarding import Target
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
from paraph.lifecycle.context import Context
from paraph.lifecycle.resource_call import ResourceCaller
from paraph.logs import get_logger
from paraph.operations.receipt_export import ReceiptExport, refuse_older_copy
from paraph.service.background import background_work
from paraph.service.context import open_context, probe_sources, receipt_book
from paraph.service.event_pipeline import open_deliveries
from paraph.service.mount.host_pages import HostPages
from paraph.service.mount.signed_in import HostSide
from paraph.service.outgoing_log import log_route
from paraph.service.private import PrivateSide
from paraph.service.private_host import PrivateHosts, private_names
from paraph.settings.loading import LINK_PATH, START_PATH
from paraph.settings.model import Settings
from paraph.zoom.app_form import app_form

if TYPE_CHECKING:
    from paraph.operations.findings.examination import Examination

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
            _log.warning(
                "receipts.not_exported", remedy="Set receipts_folder; see docs/how-to/backup.md."
            )
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
            background_work(
                settings, context, refresher, export, readiness.shared_clock
            ) as wake_ups,
            open_deliveries(
                settings,
                context,
                refresher=refresher,
                wake_ups=wake_ups,
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


async def _examine(settings: Settings, *, network: bool) -> Examination:
    # Imported for the first page that shows them, as the probes are.
    from paraph.operations.findings.examination import examine_running

    return await examine_running(settings, probe_sources(), network=network)


def _operator_pages(settings: Settings, context: Context) -> ASGIApp:
    dependencies = Dependencies(
        app_name=settings.app_name,
        operator_url=settings.operator_url,
        cookies=own_cookies,
        address_of=partial(client_address, trusted=settings.trusted_proxies),
        sign_in_limit=RateLimit(burst=10, per_second=0.05, clock=time.monotonic),
        examine=lambda network: _examine(settings, network=network),
        app=AppFacts(
            level=settings.level,
            linking=settings.linking,
            authorization_server=settings.authorization_server,
            webhook_secrets=len(settings.webhook_secrets),
            form=app_form(
                public_url=settings.public_url,
                level=settings.level,
                scopes=sorted(settings.required_scopes),
                events=(),
            ),
        ),
    )
    headers = shown_headers(CONTENT_SECURITY_POLICY, referrer=REFERRER_POLICY)
    return SecurityHeaders(OperatorPages(context, dependencies), headers)
