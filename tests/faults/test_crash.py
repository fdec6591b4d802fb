"""Killed under load: the sender's book and ours agree. `make crash` does it at length."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from faults import crash
from faults.retrying_sender import Delivery
from programs import need_program


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inbox", "kills"),
    [*((one, 20) for one in crash.INBOXES), *((one, 5) for one in crash.KEEPERS)],
)
def test_the_books_agree_after_kills_under_load(inbox: str, kills: int) -> None:
    """Every delivery answered 200 is kept once and forwarded; none is lost after the retries."""
    if inbox in crash.POOLED:
        need_program("pgbouncer")
    books = asyncio.run(crash.run(inbox, kills))
    assert [] == books.problems()
    assert len(books.sent) > 20


def test_the_books_would_find_a_loss() -> None:
    """An accepted delivery without its row, without its hand-over, or kept twice is found."""
    one = Delivery(b"{}", "0", [0, 200])
    books = crash.Books([one], Counter(), Counter(), Counter(), 0)
    assert ["accepted, and 0 rows: [0, 200]"] == books.problems()
    books.kept[one.event_id] = 1
    assert ["accepted and kept, and never handed on: [0, 200]"] == books.problems()
    books.handed_on[one.event_id] = 2
    assert [] == books.problems()
    books.kept["stranger"] = 1
    assert ["kept, and never sent: stranger"] == books.problems()
