"""A clock that is wrong: what only it makes stale is asked for again, and nothing else."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest

from paraph.errors import TransportError
from paraph.oauth.messages import Response
from paraph.remote.zoom_clock import ASK_SECONDS, OLD_SECONDS, ZoomClock
from paraph.service.app import Service, open_service
from paraph.zoom.webhook_verification import Freshness
from service_kit import ACCOUNT, Kit, running, webhook_of

pytestmark = pytest.mark.anyio

MEETING = {"account_id": ACCOUNT, "object": {"topic": "Tides"}}
NOW = 1_785_369_054.0


@dataclass
class Clocks:
    """The clocks of a test, and Zoom behind them."""

    wall: float = NOW
    monotonic: float = 0.0
    zoom: float = NOW
    asked: int = 0
    is_away: bool = False

    def clock(self, freshness: Freshness | None = None) -> ZoomClock:
        """The clock under test."""
        made = ZoomClock(
            lambda: self.wall,
            monotonic=lambda: self.monotonic,
            freshness=freshness or Freshness(),
        )

        async def ask() -> None:
            self.asked += 1
            if self.is_away:
                raise TransportError
            made.observe(response_at(self.zoom))

        made.ask_by(ask)
        return made


def response_at(instant: float) -> Response:
    """A response that Zoom sent at a time."""
    return Response(200, (("date", formatdate(instant, usegmt=True)),), b"")


@pytest.mark.parametrize(
    ("skew", "age", "expected"),
    [
        (0, 9000, False),
        (9000, 0, True),
        (9000, 7200, True),
        (9000, 7201, False),
        (-1000, 0, True),
        (-1000, 300, True),
        (-1000, 8000, False),
        (-1000, -1400, False),
        (4, 0, False),
    ],
)
async def test_only_what_zoom_would_call_fresh_is_explained(
    skew: int, age: int, expected: object
) -> None:
    """A delivery that is stale by Zoom's clock as well stays stale, however wrong ours is."""
    clocks = Clocks(wall=NOW + skew)
    clock = clocks.clock()
    assert not clock.explains(int(NOW - age))
    clock.observe(response_at(NOW))
    assert expected is clock.explains(int(NOW - age))


async def test_a_corrected_clock_is_right_at_once() -> None:
    """What was known before a correction does not explain anything after it."""
    clocks = Clocks(wall=NOW + 10_000)
    clock = clocks.clock()
    clock.observe(response_at(NOW))
    assert clock.explains(int(NOW))
    clocks.wall = NOW
    assert (0, False) == (clock.skew, clock.explains(int(NOW - 10_000)))


async def test_zoom_is_asked_once_for_all_and_not_often() -> None:
    """However many ask at once, and then again: one request in ten seconds."""
    clocks = Clocks()
    clock = clocks.clock()
    await asyncio.gather(*(clock.refresh(wait=1) for _ in range(20)))
    await clock.refresh(wait=1)
    assert clocks.asked == 1
    clocks.monotonic = ASK_SECONDS
    await clock.refresh(wait=1, older_than=OLD_SECONDS)
    assert clocks.asked == 1
    await clock.refresh(wait=1)
    assert clocks.asked == 2


@pytest.mark.parametrize("seconds", [-5000, 5000])
async def test_a_machine_whose_every_clock_jumped_is_asked_about(seconds: int) -> None:
    """A virtual machine may have moved its monotonic clock as well: Zoom is asked again."""
    clocks = Clocks()
    clock = clocks.clock()
    await clock.refresh(wait=1)
    clocks.wall += seconds
    clocks.monotonic += seconds
    assert clock.skew == 0
    await clock.refresh(wait=1, older_than=OLD_SECONDS)
    assert (2, seconds) == (clocks.asked, clock.skew)


async def test_nothing_is_known_while_zoom_is_away() -> None:
    """Without an answer nothing is explained, and the replica counts as on time."""
    clocks = Clocks(is_away=True)
    clock = clocks.clock()
    await clock.refresh(wait=1)
    assert (1, None, False, True) == (
        clocks.asked,
        clock.skew,
        clock.is_off,
        clock.is_within_settings,
    )


@pytest.mark.parametrize(
    ("future", "skew", "expected"),
    [(300, 300, True), (300, 302, False), (300, -302, False), (0, 3, True), (3600, -3000, True)],
)
def test_a_replica_is_ready_within_its_settings(future: int, skew: int, expected: object) -> None:
    """The setting freshness_future says by how much a clock may be wrong."""
    clock = Clocks(wall=NOW + skew).clock(Freshness(future=future))
    clock.observe(response_at(NOW))
    assert expected is clock.is_within_settings


class Wrong:
    """A service in this process whose clock is wrong by some seconds."""

    def __init__(self, kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
        self._kit = kit
        self._patch = monkeypatch

    def by(self, seconds: float) -> None:
        """Move the clock of the running service, as a container's moves."""
        endpoint: Any = webhook_of(self._kit.service)
        clock = endpoint._zoom_clock
        self._patch.setattr(clock, "_clock", lambda: time.time() + seconds)


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    """A service with one installation."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        await kit.install(browser)
        yield kit


async def count(service: Service) -> int:
    """The number of Zoom's events that are kept."""
    async with service.context.store.reading() as tx:
        return len([one for one in await tx.events.page(limit=100) if not one.notice])


@pytest.mark.parametrize("seconds", [-86400, -3600, 10_000, 10 * 86400])
async def test_a_genuine_delivery_is_sent_again_when_only_our_clock_makes_it_stale(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """503 until the clock is right, then kept, once; the metric and /readyz say why."""
    wrong = Wrong(kit, monkeypatch)
    wrong.by(seconds)
    body = json.dumps({"event": "meeting.ended", "payload": MEETING}).encode()
    answers = await asyncio.gather(*(kit.post_webhook("", {}, body=body) for _ in range(10)))
    assert {503} == {one.status_code for one in answers}
    async with kit.browser() as browser:
        ready = await browser.get("/readyz")
    assert (503, False) == (ready.status_code, ready.json()["ready"])
    assert abs(ready.json()["clock_skew_seconds"] - seconds) <= 2
    transport = httpx.ASGITransport(kit.service.private)
    async with httpx.AsyncClient(transport=transport, base_url="http://private") as operator:
        metrics = (await operator.get("/metrics")).text
    assert 'paraph_deliveries_refused_total{reason="own_clock"} 10.0' in metrics
    assert "paraph_clock_skew_seconds " in metrics
    assert await count(kit.service) == 0
    wrong.by(0)
    statuses = [(await kit.post_webhook("", {}, body=body)).status_code for _ in range(3)]
    assert [200] * 3 == statuses
    assert await count(kit.service) == 1


async def test_a_clock_that_is_behind_makes_no_old_capture_fresh(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delivery that our slow clock calls fresh and Zoom's calls stale is a 401."""
    Wrong(kit, monkeypatch).by(-20_000)
    old = int(time.time()) - 20_000
    assert (await kit.post_webhook("meeting.ended", MEETING, timestamp=old)).status_code == 401
    assert await count(kit.service) == 0


async def test_one_wrong_date_of_zoom_refuses_no_delivery_for_good(kit: Kit) -> None:
    """A `Date` that is 40 minutes ahead contradicts a late retry: 503 until Zoom is asked again."""
    endpoint: Any = webhook_of(kit.service)
    late = int(time.time()) - 5100
    endpoint._zoom_clock.observe(response_at(time.time() + 2400))
    first = await kit.post_webhook("meeting.ended", MEETING, timestamp=late)
    again = await kit.post_webhook("meeting.ended", MEETING, timestamp=late)
    assert (503, 200) == (first.status_code, again.status_code)


@pytest.mark.parametrize("seconds", [0, 10_000, -3600])
async def test_an_old_capture_gets_nothing_from_a_wrong_clock(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """A genuine delivery that is stale by Zoom's clock is a 401, and so is every forgery."""
    Wrong(kit, monkeypatch).by(seconds)
    body = json.dumps({"event": "meeting.ended", "payload": MEETING}).encode()
    old = int(time.time()) - 20_000
    genuine = [await kit.post_webhook("", {}, body=body, timestamp=old) for _ in range(2)]
    forged = [
        await kit.post_webhook("", {}, body=body, secret="another-secret", timestamp=at)
        for at in (old, int(time.time()) - 20_000 + seconds)
    ]
    assert {401} == {one.status_code for one in (*genuine, *forged)}
    assert 1 == len({one.content for one in (*genuine, *forged)})
    assert await count(kit.service) == 0


async def test_zoom_that_cannot_be_asked_changes_nothing(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing is known of Zoom's clock, a stale delivery is refused as ever."""
    Wrong(kit, monkeypatch).by(10_000)
    endpoint: Any = webhook_of(kit.service)
    clock = endpoint._zoom_clock
    monkeypatch.setattr(clock, "_zoom_ahead", None)

    async def fail() -> None:
        raise TransportError

    clock.ask_by(fail)
    assert (await kit.post_webhook("meeting.ended", MEETING)).status_code == 401


async def test_a_new_replica_learns_of_its_clock_from_its_readiness(kit: Kit) -> None:
    """A replica that has never spoken to Zoom asks for the time when /readyz is asked."""
    async with open_service(kit.settings) as other:
        found = await Kit(kit.zoom, other, kit.settings).browser().get("/readyz")
    assert found.json()["clock_skew_seconds"] in range(-2, 3)
