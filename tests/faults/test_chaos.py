"""A short chaos run and a small stampede; `make chaos` and `make stampede` are the long ones."""

from __future__ import annotations

import pytest

from faults.chaos import prepared
from faults.stampede import herd

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_after_chaos_the_books_agree(database: str) -> None:
    """Every installation works or says why not; nothing lives at Zoom alone; the chain holds."""
    # So many that a quick machine cannot bring all of them down in the time.
    with prepared(seed=1, seconds=15, installations=120, database=database) as chaos:
        found = chaos.run()

    assert [] == found["problems"]
    assert {"works", "needs reauthorization"} >= set(found["ends"])
    assert 0 < found["ends"].get("works", 0)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_stampede_asks_zoom_once(database: str) -> None:
    """Tasks of several processes at one expiry: one refresh, one token, which works."""
    with herd(database, [50, 50, 50]) as many:
        runs = [many.run() for _ in range(2)]

    assert [(1, 1)] * 2 == [(run.requests, run.tokens) for run in runs]
