"""Metrics for Prometheus: numbers, with labels from fixed vocabularies and no personal data.

The hot path adds to plain integers, which are read when `/metrics` is requested.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from paraph.endpoints.webhook_stats import WebhookWatch
from paraph.errors import ParaphError
from paraph.events.dispatch import FORMER_OUTCOMES, Dispatcher
from paraph.events.inbox import Inbox
from paraph.http.proxy_watch import ProxyWatch
from paraph.http.refusals import Refusals
from paraph.lifecycle.context import Context
from paraph.model.event import Backlog, ForwardingPause, Outcome
from paraph.remote.zoom_clock import ZoomClock


def _counter(name: str, help_text: str, values: Mapping[str, int], label: str) -> Metric:
    family = CounterMetricFamily(name, help_text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family


class DeliveryMetrics(Collector):
    """Reads the counters of everything that handles a delivery.

    Args:
        context: reads the backlog.
        watch: counts deliveries that were refused, late, or signed with an older secret.
        inbox: counts deliveries that were kept or dropped.
        dispatcher: counts attempts to forward an event.
        proxies: counts requests whose forwarded headers show no https.
        redirects: counts requests refused at the redirection endpoint.
        zoom_clock: knows the difference between this clock and Zoom's, in seconds.
        failures: outgoing requests without a response, counted by cause and destination.
    """

    def __init__(
        self,
        context: Context,
        watch: WebhookWatch,
        inbox: Inbox,
        dispatcher: Dispatcher,
        *,
        proxies: ProxyWatch,
        redirects: Refusals,
        zoom_clock: ZoomClock,
        failures: Mapping[str, Mapping[str, int]],
    ) -> None:
        self._context = context
        self._watch = watch
        self._inbox = inbox
        self._dispatcher = dispatcher
        self._proxies = proxies
        self._redirects = redirects
        self._zoom_clock = zoom_clock
        self._failures = failures
        self._backlog: Backlog | None = None
        self._pause: ForwardingPause | None = None
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    async def __call__(self) -> bytes:
        """Return the text of `/metrics`."""
        try:
            async with self._context.store.reading() as tx:
                self._backlog = await tx.events.backlog()
                self._pause = await tx.forwarding_pause.get()
        except ParaphError:
            # The counters of this process are reported anyway; the backlog is absent, not zero.
            self._backlog = None
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics; called by the registry."""
        yield from self._deliveries()
        yield from self._refusals()
        yield from self._inbox_and_dispatch()
        skew = self._zoom_clock.skew
        if skew is not None:
            yield GaugeMetricFamily(
                "paraph_clock_skew_seconds", "Seconds by which this clock is ahead of Zoom's.", skew
            )
        yield self._outgoing()
        if self._backlog is not None:
            yield from self._waiting(self._backlog)

    def _deliveries(self) -> Iterator[Metric]:
        flow = self._inbox.flow
        dropped = self._inbox.dropped.by_reason
        not_ours = dropped[Outcome.OTHER_CLIENT.value]
        outcomes = {
            "kept": flow.kept,
            "duplicate": flow.duplicate,
            "not_ours": not_ours,
            "removed": dropped.total() - not_ours,
        }
        yield _counter("paraph_deliveries", "Deliveries answered 200.", outcomes, "outcome")
        yield _counter(
            "paraph_events_dropped",
            "Verified events that were not kept.",
            # Each reason is shown from the start, so that its first increase is visible.
            {one.value: dropped[one.value] for one in Outcome if one.is_dropped},
            "reason",
        )
        yield _counter(
            "paraph_events_without_installation",
            "Events forwarded with an empty list of installations.",
            self._dispatcher.without_installation,
            "reason",
        )

    def _refusals(self) -> Iterator[Metric]:
        yield _counter(
            "paraph_deliveries_refused", "Deliveries refused.", self._watch.refused, "reason"
        )
        yield _counter(
            "paraph_authorization_responses_refused",
            "Requests refused at the redirection endpoint.",
            self._redirects.by_reason,
            "reason",
        )
        yield _counter(
            "paraph_requests_refused_by_proxy_headers",
            "Requests refused because trusted proxies do not say that they came over https.",
            self._proxies.refused,
            "reason",
        )

    def _inbox_and_dispatch(self) -> Iterator[Metric]:
        flow = self._inbox.flow
        for name, help_text, value in (
            (
                "paraph_deliveries_late",
                "Genuine deliveries out of time, sampled.",
                self._watch.late,
            ),
            (
                "paraph_deliveries_old_secret",
                "Deliveries signed with an older webhook secret.",
                self._watch.old_secret,
            ),
            ("paraph_inbox_batches", "Commits of the inbox.", flow.batches),
            (
                "paraph_announcements_failed",
                "Announcements of work that did not reach other replicas.",
                self._context.store.announcements_failed,
            ),
        ):
            yield CounterMetricFamily(name, help_text, value=value)
        outcomes = self._dispatcher.outcomes
        yield _counter(
            "paraph_forward_attempts", "Attempts to forward an event.", outcomes, "outcome"
        )
        yield _counter(
            "paraph_events_dispatched",
            "Deprecated: the former name of paraph_forward_attempts.",
            {FORMER_OUTCOMES.get(name, name): count for name, count in outcomes.items()},
            "outcome",
        )
        yield GaugeMetricFamily(
            "paraph_inbox_largest_batch", "Deliveries in the largest commit.", flow.largest_batch
        )
        yield GaugeMetricFamily(
            "paraph_inbox_waiting", "Deliveries that wait for a commit.", self._inbox.waiting
        )
        yield GaugeMetricFamily(
            "paraph_events_under_way", "Events being forwarded.", self._dispatcher.under_way
        )

    def _outgoing(self) -> Metric:
        family = CounterMetricFamily(
            "paraph_outgoing_failures",
            "Outgoing requests that brought no response.",
            labels=["destination", "cause"],
        )
        for destination, causes in self._failures.items():
            for cause, count in sorted(causes.items()):
                family.add_metric([destination, cause], count)
        return family

    def _waiting(self, backlog: Backlog) -> Iterator[Metric]:
        oldest = backlog.oldest_received_at
        age = 0 if oldest is None else max(0, self._context.now() - oldest)
        for name, help_text, value in (
            ("paraph_events_waiting", "Events not forwarded yet.", backlog.waiting),
            ("paraph_events_urgent_waiting", "Deauthorizations not done yet.", backlog.urgent),
            ("paraph_events_dead", "Dead letters.", backlog.dead),
            ("paraph_events_oldest_age_seconds", "Age of the oldest event that waits.", age),
            (
                "paraph_forwarding_paused",
                "1 while an operator has paused forwarding, else 0.",
                int(self._pause is not None),
            ),
        ):
            yield GaugeMetricFamily(name, help_text, value)
