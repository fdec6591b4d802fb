"""Deauthorization: what ends, what stays, and what only Zoom can decide."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.deauthorization import (
    NEAR_SECONDS,
    Order,
    believed_time,
    carry_out,
    order_of,
)
from paraph.model.phase import Phase
from paraph.zoom.events import AppDeauthorized
from service_kit import ACCOUNT, JANE, RAVI, Kit, agree_as, iso, running

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("deauthorized", "consented", "order"),
    [
        (1000, 900, Order.AFTER),
        (900, 1000, Order.BEFORE),
        (1000, 1000 - NEAR_SECONDS, Order.UNCLEAR),
        (1000, 1000 - NEAR_SECONDS - 1, Order.AFTER),
        (1000, 1000 + NEAR_SECONDS, Order.UNCLEAR),
        (1000, 1000 + NEAR_SECONDS + 1, Order.BEFORE),
        (None, 1000, Order.UNCLEAR),
        (1000, None, Order.UNCLEAR),
    ],
)
def test_order(deauthorized: int | None, consented: int | None, order: Order) -> None:
    """Within a minute, or where a time is missing, neither order is certain."""
    assert order == order_of(deauthorized, consented)


async def carry(
    kit: Kit, at: float | None, *, later: float = 0, signed: float | None = None, **changes: Any
) -> None:
    """Carry out a removal of Jane's at a time of Zoom's clock, now or some seconds later.

    Unless said otherwise Zoom signed the delivery after that time.
    """
    event = AppDeauthorized(
        client_id=kit.zoom.app.client_id,
        account_id=ACCOUNT,
        user_id=JANE,
        deauthorization_time=None if at is None else int(at),
        user_data_retention=False,
    )
    context = replace(kit.service.context, clock=lambda: time.time() + later)
    latest = max(time.time(), at or 0.0) if signed is None else signed
    await carry_out(
        context,
        Refresher(context),
        replace(event, **changes),
        received_at=context.now(),
        signed_at=int(latest),
    )


async def test_a_newer_one_deletes_at_once(tmp_path: Path) -> None:
    """Clearly newer than the consent: tokens and link go without asking anybody."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        await kit.install(browser)
        before = len(kit.token_requests())
        await carry(kit, time.time() + 120)
        assert list(await kit.installations()) == []
        assert before == len(kit.token_requests())
        async with kit.service.context.store.reading() as tx:
            (receipt,) = await tx.removals.receipts(limit=10)
        assert receipt.reason == "deauthorized at Zoom"
        assert JANE not in repr(receipt)


@pytest.mark.parametrize("offset", [-7200.0, 0.0, None])
async def test_one_refresh_decides_the_unclear_case(tmp_path: Path, offset: float | None) -> None:
    """Older, near or unreadable: a refresh that works keeps, invalid_grant deletes."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        await kit.install(browser)
        at = None if offset is None else time.time() + offset
        await carry(kit, at)
        (kept,) = await kit.installations()
        assert kept.phase == Phase.ACTIVE
        assert dict(kit.token_requests()[-1]["form"])["grant_type"] == "refresh_token"
        kit.zoom.simulator.ledger.remove(kit.zoom.app.client_id, JANE)
        await carry(kit, at)
        assert list(await kit.installations()) == []


async def test_while_it_is_undecided_nothing_is_kept_active(tmp_path: Path) -> None:
    """When Zoom cannot be asked, the grant waits undecided and the work is not done."""
    from paraph.errors import PeerUnavailable

    async with running(tmp_path) as kit, kit.browser() as browser:
        await kit.install(browser)
        kit.zoom.simulator.faults.switch_on("token_unavailable", {"times": 1})
        with pytest.raises(PeerUnavailable):
            await carry(kit, time.time())
        (one,) = await kit.installations()
        assert one.phase == Phase.UNDECIDED
        await carry(kit, time.time(), later=10)
        (one,) = await kit.installations()
        assert one.phase == Phase.ACTIVE


async def test_an_old_one_after_a_re_install_changes_nothing(tmp_path: Path) -> None:
    """Removed, installed again, and the first removal told once more: the new one survives."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        await kit.install(browser)
        removed_at = time.time() - 3600
        kit.zoom.simulator.ledger.remove(kit.zoom.app.client_id, JANE)
        await carry(kit, removed_at)
        assert list(await kit.installations()) == []
        await kit.install(browser)
        await carry(kit, removed_at)
        assert len(await kit.installations()) == 1


async def test_one_that_overtakes_the_installation_ends_it(tmp_path: Path) -> None:
    """A removal told before the install was finished is found by its tombstone."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        location = await kit.agree(await browser.get("/install"))
        await carry(kit, time.time() + 120)
        answer = await browser.get(location)
        assert answer.status_code == 400
        assert list(await kit.installations()) == []
        async with kit.service.context.store.reading() as tx:
            assert list(await tx.grants.in_account(kit.zoom.app.client_id, ACCOUNT)) == []


async def test_a_near_one_that_overtakes_is_decided_by_a_refresh(tmp_path: Path) -> None:
    """A removal within the same minute: the consent proves itself before it becomes active."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        await carry(kit, time.time())
        assert (await kit.install(browser)).status_code == 303
        grants = [dict(one["form"])["grant_type"] for one in kit.token_requests()]
        assert grants == ["authorization_code", "refresh_token"]
        assert len(await kit.installations()) == 1


async def test_one_that_overtakes_and_is_dated_too_early_is_decided_by_a_refresh(
    tmp_path: Path,
) -> None:
    """A removal told during an installation is believed to be older only after one refresh."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        location = await kit.agree(await browser.get("/install"))
        await carry(kit, time.time() - 8 * 3600)
        assert 303 == (await browser.get(location)).status_code
        grants = [dict(one["form"])["grant_type"] for one in kit.token_requests()]
        assert ["authorization_code", "refresh_token"] == grants
        assert 1 == len(await kit.installations())


async def test_an_old_removal_asks_nothing_of_a_later_install(tmp_path: Path) -> None:
    """A removal that was told long before an installation costs no refresh."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        await carry(kit, time.time() - 8 * 3600, later=-7 * 3600)
        assert 303 == (await kit.install(browser)).status_code
        grants = [dict(one["form"])["grant_type"] for one in kit.token_requests()]
        assert ["authorization_code"] == grants


async def test_only_the_named_user_goes(tmp_path: Path) -> None:
    """At user level another user of the same account stays."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        await kit.install(browser)
        agree_as(kit.zoom, RAVI)
        await kit.install(browser)
        await carry(kit, time.time() + 120)
        (left,) = await kit.installations()
        assert left.grant.identity.user_id == RAVI


@pytest.mark.parametrize("is_removed", [True, False])
async def test_another_admins_removal_is_decided_by_one_refresh(
    tmp_path: Path, *, is_removed: bool
) -> None:
    """At account level only Zoom knows whether the grant of another admin ended with it."""
    async with running(tmp_path, level="account") as kit, kit.browser() as browser:
        await kit.install(browser)
        before = len(kit.token_requests())
        if is_removed:
            kit.zoom.simulator.ledger.remove(kit.zoom.app.client_id, JANE)
        await carry(kit, time.time() + 120, user_id=RAVI)
        assert before + 1 == len(kit.token_requests())
        assert [Phase.ACTIVE][is_removed:] == [one.phase for one in await kit.installations()]


async def test_the_holders_own_removal_needs_no_refresh(tmp_path: Path) -> None:
    """At account level a clearly newer removal by the admin whose grant it is ends it at once."""
    async with running(tmp_path, level="account") as kit, kit.browser() as browser:
        await kit.install(browser)
        before = len(kit.token_requests())
        await carry(kit, time.time() + 120)
        assert (before, []) == (len(kit.token_requests()), list(await kit.installations()))


async def test_another_admins_removal_does_not_bar_an_install(tmp_path: Path) -> None:
    """A tombstone of the account asks a consent for its proof, and never refuses it outright."""
    async with running(tmp_path, level="account") as kit, kit.browser() as browser:
        location = await kit.agree(await browser.get("/install"))
        await carry(kit, time.time() + 120, user_id=RAVI)
        assert 303 == (await browser.get(location)).status_code
        grants = [dict(one["form"])["grant_type"] for one in kit.token_requests()]
        assert ["authorization_code", "refresh_token"] == grants
        assert 1 == len(await kit.installations())


@pytest.mark.parametrize("level", ["user", "account"])
@pytest.mark.parametrize("ahead", [2, 61, 3600, 400 * 86400])
async def test_a_removal_from_the_future_is_unclear(tmp_path: Path, level: str, ahead: int) -> None:
    """Later than the signed time of its delivery: one refresh decides, and keeps what lives."""
    async with running(tmp_path, level=level) as kit, kit.browser() as browser:
        await kit.install(browser)
        before = len(kit.token_requests())
        signed = time.time() + 90
        await carry(kit, signed + ahead, signed=signed)
        assert before + 1 == len(kit.token_requests())
        assert [Phase.ACTIVE] == [one.phase for one in await kit.installations()]
        kit.zoom.simulator.ledger.remove(kit.zoom.app.client_id, JANE)
        await carry(kit, signed + ahead, signed=signed)
        assert [] == list(await kit.installations())


@pytest.mark.parametrize("level", ["user", "account"])
async def test_a_removal_from_the_future_bars_no_later_install(tmp_path: Path, level: str) -> None:
    """Each later consent proves itself by one refresh, and is installed."""
    async with running(tmp_path, level=level) as kit, kit.browser() as browser:
        await carry(kit, time.time() + 400 * 86400, signed=time.time())
        assert 303 == (await kit.install(browser)).status_code
        assert 1 == len(await kit.installations())


@pytest.mark.parametrize(
    ("removed_at", "signed_at", "believed"),
    [
        (1000, 1000, 1000),
        (1000, 1001, 1000),
        (1001, 1000, None),
        (None, 1000, None),
        # An event that an older version kept: it had arrived by then, at the latest.
        (1500, None, 1500),
        (2001, None, None),
    ],
)
def test_no_removal_is_believed_into_the_future(
    removed_at: int | None, signed_at: int | None, believed: int | None
) -> None:
    """The signed time of the delivery bounds what it can report."""
    assert believed == believed_time(removed_at, signed_at=signed_at, received_at=2000)


async def test_the_signed_time_is_kept_with_the_event(tmp_path: Path) -> None:
    """A signed removal that is dated after its own signature is decided by a refresh."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        await kit.install(browser)
        now = int(time.time())
        payload = kit.deauthorization(deauthorization_time=iso(now + 120))
        before = len(kit.token_requests())
        await kit.post_webhook("app_deauthorized", payload, timestamp=now)
        await _until_removed(kit)
        assert 1 == len(await kit.installations())
        assert before + 1 == len(kit.token_requests())


async def test_another_account_with_the_same_user_id_stays(tmp_path: Path) -> None:
    """A grant is client, account and user; one of the three is never enough."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        await kit.install(browser)
        await carry(kit, time.time() + 120, account_id="AnotherAccount00000000")
        await carry(kit, time.time() + 120, user_id=JANE.swapcase())
        assert len(await kit.installations()) == 1


async def test_by_webhook_it_purges_queued_bodies(tmp_path: Path) -> None:
    """A signed removal ends the installation, and queued bodies of the account are gone."""
    changes = {"forward_url": "http://127.0.0.1:9/", "forward_secrets": ()}
    async with running(tmp_path, **changes) as kit, kit.browser() as browser:
        await kit.install(browser)
        await kit.post_webhook(
            "meeting.ended", {"account_id": ACCOUNT, "object": {"topic": "Private"}}
        )
        for payload in (
            kit.deauthorization(user_data_retention="false"),
            kit.deauthorization(deauthorization_time=iso(time.time() + 121)),
        ):
            assert (await kit.post_webhook("app_deauthorized", payload)).status_code == 200
        await _until_removed(kit)
        async with kit.service.context.store.reading() as tx:
            events = [one for one in await tx.events.page() if not one.notice]
            bodies = [(await tx.events.get(one.event_id)) for one in events]
        assert len(bodies) == 3
        assert [one.body for one in bodies if one is not None] == [None] * 3


async def _until_removed(kit: Kit) -> None:
    import asyncio

    from paraph.model.event import EventStatus

    async with asyncio.timeout(10):
        while True:
            async with kit.service.context.store.reading() as tx:
                events = [one for one in await tx.events.page() if one.urgent]
            if all(one.status is EventStatus.FORWARDED for one in events):
                return
            await asyncio.sleep(0.05)
