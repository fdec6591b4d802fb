"""Composes everything that handles a delivery, from the socket to the host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from paraph.endpoints.webhook_endpoint import WebhookEndpoint
from paraph.events.dispatch import Dispatcher
from paraph.events.forwarding import Target
from paraph.events.inbox import Inbox
from paraph.extras import needs
from paraph.http.proxy_watch import ProxyWatch
from paraph.http.refusals import Refusals
from paraph.http.security_headers import MACHINE_HEADERS
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.context import Context
from paraph.operations.wake_ups import WakeUps
from paraph.remote.zoom_clock import ZoomClock
from paraph.settings.model import Settings
from paraph.zoom.webhook_verification import Freshness

if TYPE_CHECKING:
    from paraph.events.jetstream import JetStreamInbox
    from paraph.service.metrics import DeliveryMetrics

# Seconds for which the stream recognises a duplicate after a delivery is no longer fresh.
STREAM_MARGIN = 600


@dataclass(frozen=True, slots=True)
class Deliveries:
    """The running parts that handle deliveries."""

    inbox: Inbox
    dispatcher: Dispatcher
    endpoint: WebhookEndpoint
    metrics: Callable[[], Awaitable[bytes]]


@asynccontextmanager
async def open_deliveries(
    settings: Settings,
    context: Context,
    *,
    refresher: Refresher,
    wake_ups: WakeUps,
    zoom_clock: ZoomClock,
    proxies: ProxyWatch,
    redirects: Refusals,
    monotonic: Callable[[], float],
    targets: Sequence[Target] = (),
) -> AsyncIterator[Deliveries]:
    """Accept deliveries and forward them until the block ends; then finish those under way.

    Args:
        settings: checked settings.
        context: the open context, whose store the caller closes.
        refresher: decides unclear deauthorizations.
        wake_ups: tells the dispatcher when an event is due.
        zoom_clock: identifies deliveries that only our own clock makes stale.
        proxies: refuses requests that trusted proxies report as plain http.
        redirects: counts of refused authorization responses, for the metrics.
        monotonic: seconds, for durations.
        targets: in-process receivers of events, besides the host's URL.
    """
    async with _keeping(settings, context) as stream:
        inbox = Inbox(context, stream, wanted=bool(targets or settings.forward_url))
        wake_ups.wake(inbox.arrived[True], lambda times: times.urgent_event)
        wake_ups.wake(inbox.arrived[False], lambda times: times.other_event)
        forwarder = None
        if settings.forward_url:
            # It imports an HTTP client of its own, which a service without a target never uses.
            from paraph.events.http_target import DEADLINE_SECONDS, Forwarder

            forwarder = Forwarder(
                context,
                url=settings.forward_url,
                secrets=settings.forward_secrets,
                # The client times out first and says why, before the dispatcher's own timeout.
                deadline=min(DEADLINE_SECONDS, settings.event_timeout * 0.4),
                route=settings.outgoing,
            )
        dispatcher = Dispatcher(
            context,
            inbox,
            refresher,
            [*targets, *([] if forwarder is None else [forwarder])],
            monotonic=monotonic,
            timeout=settings.event_timeout,
            ordered=settings.event_order == "account",
        )
        endpoint = _endpoint(
            settings,
            inbox,
            zoom_clock=zoom_clock,
            proxies=proxies,
            monotonic=monotonic,
        )
        carrying = asyncio.create_task(_carry(stream, inbox), name="carry")
        dispatching = asyncio.create_task(dispatcher.run(), name="dispatch")
        try:
            failures = {"zoom": context.resource_server.transport.failures.by_cause}
            if forwarder is not None:
                failures["host"] = forwarder.failures.by_cause

            @cache
            def collector() -> DeliveryMetrics:
                # Imported for the first request of `/metrics`.
                from paraph.service.metrics import DeliveryMetrics

                return DeliveryMetrics(
                    context,
                    endpoint.watch,
                    inbox,
                    dispatcher,
                    proxies=proxies,
                    redirects=redirects,
                    zoom_clock=zoom_clock,
                    failures=failures,
                )

            async def metrics() -> bytes:
                return await collector()()

            yield Deliveries(inbox, dispatcher, endpoint, metrics)
        finally:
            # The listeners have ended. Accepted deliveries are stored first; then work under way
            # ends. The next process forwards events that are still in a stream.
            await inbox.close()
            carrying.cancel()
            await asyncio.wait((carrying,))
            inbox.dropped.close()
            await dispatcher.stop()
            await dispatching
            endpoint.watch.close()
            redirects.close()
            if forwarder is not None:
                await forwarder.close()


@asynccontextmanager
async def _keeping(settings: Settings, context: Context) -> AsyncIterator[JetStreamInbox | None]:
    """Open the event stream, if one is set; else events are stored in the database at once."""
    if not settings.events_url:
        yield None
        return
    with needs("nats", "events_url"):
        from paraph.events.jetstream import open_jetstream
    fresh = settings.freshness_past + settings.freshness_future + STREAM_MARGIN
    async with open_jetstream(
        context, settings.events_url, fresh_seconds=fresh, route=settings.outgoing
    ) as stream:
        yield stream


async def _carry(stream: JetStreamInbox | None, inbox: Inbox) -> None:
    if stream is not None:
        await stream.carry(inbox)


def _endpoint(
    settings: Settings,
    inbox: Inbox,
    *,
    zoom_clock: ZoomClock,
    proxies: ProxyWatch,
    monotonic: Callable[[], float],
) -> WebhookEndpoint:
    return WebhookEndpoint(
        zoom_clock,
        inbox,
        secrets=settings.webhook_secrets,
        freshness=Freshness(settings.freshness_past, settings.freshness_future),
        headers=MACHINE_HEADERS,
        monotonic=monotonic,
        rotation_until=settings.webhook_rotation_until,
        in_clear=proxies.refuses if proxies.is_active else None,
    )
