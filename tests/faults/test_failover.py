"""A failover under load loses no delivery and no install; the books are printed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from faults import failover


@pytest.mark.slow
@pytest.mark.parametrize("with_both_hosts", [False, True], ids=["same address", "both hosts"])
def test_a_failover_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, with_both_hosts: bool
) -> None:
    """Every delivery is accepted in the end, kept once and forwarded; every install finishes."""
    books = asyncio.run(failover.run(tmp_path, with_both_hosts=with_both_hosts))
    with capsys.disabled():
        print(f"\n{books.text()}")  # noqa: T201 - The books are this test's report.

    assert [] == books.problems()
    assert books.outage_seconds > failover.GAP_SECONDS - 1


def test_the_books_would_find_a_loss() -> None:
    """A delivery without its row or its forwarding, and an install without its row, are found."""
    books = failover.Books(sent={"a"}, accepted={"a"}, begun={"u"}, finished={"u"})

    assert ["0 rows: a", "not forwarded: a", "finished and not installed: u"] == books.problems()
