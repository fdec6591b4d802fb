"""The names under which counters are exported."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

from paraph.service.metrics import DeliveryMetrics


def test_forward_attempts_are_exported_under_the_former_name_too() -> None:
    """Dashboards of the previous version find the old metric and its old first outcome."""
    counters: Any = SimpleNamespace(
        flow=SimpleNamespace(kept=0, duplicate=0, batches=0, largest_batch=0),
        dropped=SimpleNamespace(by_reason=Counter()),
        outcomes=Counter(forwarded=3, dead=1),
        without_installation={},
        refused={},
        by_reason={},
        skew=None,
        late=0,
        old_secret=0,
        waiting=0,
        under_way=0,
        store=SimpleNamespace(announcements_failed=0),
    )
    metrics = DeliveryMetrics(
        counters,
        counters,
        counters,
        counters,
        proxies=counters,
        redirects=counters,
        zoom_clock=counters,
        failures={},
    )
    found = {
        family.name: {sample.labels["outcome"]: sample.value for sample in family.samples}
        for family in metrics.collect()
        if family.name in {"paraph_forward_attempts", "paraph_events_dispatched"}
    }
    assert {
        "paraph_forward_attempts": {"dead": 1, "forwarded": 3},
        "paraph_events_dispatched": {"dead": 1, "handed_on": 3},
    } == found
