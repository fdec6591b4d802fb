"""A rolling restart of two replicas behind nginx, under deliveries and installations."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from end_to_end.nginx import demand_nginx
from end_to_end.rolling import two_replicas

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

DELIVERIES_PER_SECOND, INSTALLS_PER_SECOND = 50.0, 1.0
# Before the first restart and after the last one.
SECONDS_AROUND = 3.0


@pytest.mark.parametrize(
    "keepalive",
    ["keepalive 16; keepalive_timeout 4s;", ""],
    ids=["kept connections", "a connection for each request"],
)
async def test_a_rolling_restart_loses_nothing(
    tmp_path: Path,
    empty_postgresql_url: str,
    keepalive: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No delivery is refused, each is kept and forwarded; each installation ends as it should."""
    demand_nginx()
    async with (
        asyncio.timeout(180),
        two_replicas(tmp_path, empty_postgresql_url, keepalive=keepalive) as place,
    ):
        # Events of an account that has not installed the app are not kept.
        await place.install("person-0")
        until = asyncio.Event()
        load = asyncio.create_task(
            place.load(deliveries=DELIVERIES_PER_SECOND, installs=INSTALLS_PER_SECOND, until=until)
        )
        await asyncio.sleep(SECONDS_AROUND)
        await place.roll()
        await asyncio.sleep(SECONDS_AROUND)
        until.set()
        await load
        await place.close_books()
        errors = (tmp_path / "nginx" / "error.log").read_text()
        logs = [replica.log() for replica in place.replicas]
    books = place.books
    with capsys.disabled():
        sys.stdout.write(f"\n{books}\n")
    assert {200: books.sent} == dict(books.statuses), errors
    assert (books.sent, books.sent) == (books.kept, len(books.forwarded))
    assert {"303 /installed": books.begun} == dict(books.ends), errors
    assert books.begun == books.installed
    assert books.begun > SECONDS_AROUND
    for log in logs:
        assert "service.draining" in log
        assert not any(word in log for word in ("ended_late", "Traceback"))
