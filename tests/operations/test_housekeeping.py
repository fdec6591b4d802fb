"""What is done later: counted once however many replicas do it, and nothing newer is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from paraph.errors import PeerUnavailable
from paraph.lifecycle.access_token import Refresher
from paraph.lifecycle.context import Context
from paraph.lifecycle.deauthorization import carry_out
from paraph.lifecycle.link_request import FINISH_SECONDS
from paraph.lifecycle.removal import queue_revocation
from paraph.model.grant import Grant, OwnerlessTokens
from paraph.model.phase import Phase
from paraph.operations.housekeeping import (
    OWNERLESS_ATTEMPTS,
    ask_owners,
    delete_expired,
    revoke_due,
)
from paraph.zoom.events import AppDeauthorized
from service_kit import ACCOUNT, JANE, Kit, running
from storage import sample

pytestmark = pytest.mark.anyio

REPLICAS = 4


@pytest.fixture
async def kit(tmp_path: Path, database_url: str) -> AsyncIterator[Kit]:
    """Jane's installation, on every kind of store."""
    async with running(tmp_path, database_url=database_url) as kit:
        async with kit.browser() as browser:
            assert 303 == (await kit.install(browser)).status_code
        yield kit


async def consent_without_owner(kit: Kit) -> None:
    """Jane agrees again, which kills her older tokens, and Zoom cannot say just then who it was."""
    kit.zoom.simulator.faults.switch_on("user_unavailable", {"times": 1})
    async with kit.browser() as browser:
        assert 503 == (await kit.install(browser)).status_code


def in_a_minute(kit: Kit, minutes: int = 1) -> Context:
    """The same service, later."""
    return replace(kit.service.context, clock=lambda: time.time() + 60 * minutes)


async def grant_of(kit: Kit) -> Grant:
    """Jane's."""
    (one,) = await kit.installations()
    grant: Grant = one.grant
    return grant


async def waiting(kit: Kit) -> list[OwnerlessTokens]:
    """The sets without an owner."""
    async with kit.service.context.store.reading() as tx:
        return list(await tx.ownerless.due(now=10**11, limit=9))


def live_refresh_token(kit: Kit) -> str | None:
    """What Zoom would take."""
    (live,) = kit.zoom.simulator.ledger.grants.values()
    return live.refresh_token


async def test_a_late_refresh_response_does_not_win_over_a_later_consent(kit: Kit) -> None:
    """Its set is dead by that consent, whose own set nobody else has."""
    await consent_without_owner(kit)
    grant = await grant_of(kit)
    late = replace(grant.tokens, received_at=grant.tokens.received_at + 5)
    async with kit.service.context.store.transaction() as tx:
        assert await tx.grants.replace_tokens(
            grant.grant_id, late, expected_version=grant.token_version, phase=Phase.ACTIVE
        )

    await ask_owners(in_a_minute(kit))

    kept = (await grant_of(kit)).tokens.refresh_token
    assert kept is not None
    assert live_refresh_token(kit) == kept.reveal()


async def test_an_older_consents_set_does_not_replace_a_later_ones(kit: Kit) -> None:
    """Asked about when another consent has long been kept: it is dropped."""
    await consent_without_owner(kit)
    (older,) = await waiting(kit)
    grant = await grant_of(kit)
    later = replace(
        grant,
        granted_at=grant.granted_at + 60,
        granted_zoom_time=(older.tokens.zoom_time or 0) + 60,
    )
    async with kit.service.context.store.transaction() as tx:
        await tx.grants.renew_consent(later)

    await ask_owners(in_a_minute(kit))

    assert grant.tokens == (await grant_of(kit)).tokens
    assert [] == await waiting(kit)


async def test_replicas_count_one_attempt_to_find_an_owner(kit: Kit) -> None:
    """Else they would use up the attempts of half an hour at once, and kill the newest set."""
    await consent_without_owner(kit)
    kit.zoom.simulator.faults.switch_on("user_unavailable", {})

    for minutes in (1, 4):
        before = len(kit.zoom.journal("/v2/users/me"))
        context = in_a_minute(kit, minutes)
        await asyncio.gather(*(ask_owners(context) for _ in range(REPLICAS)))
        assert before + 1 == len(kit.zoom.journal("/v2/users/me"))

    (one,) = await waiting(kit)
    assert 2 == one.attempts


async def test_a_set_whose_owner_stays_unknown_is_made_dead(kit: Kit) -> None:
    """After the last attempt: nobody could use it, and it must not live on at Zoom."""
    await consent_without_owner(kit)
    kit.zoom.simulator.faults.switch_on("user_unavailable", {})
    for attempt in range(OWNERLESS_ATTEMPTS):
        assert 1 == len(await waiting(kit))
        await ask_owners(in_a_minute(kit, 60 * (attempt + 1)))

    assert [] == await waiting(kit)
    await revoke_due(in_a_minute(kit, 60 * OWNERLESS_ATTEMPTS))
    assert {} == kit.zoom.simulator.ledger.grants


async def test_replicas_count_one_attempt_to_revoke(kit: Kit) -> None:
    """While Zoom does not answer, each wait is doubled once, not by every replica."""
    kit.zoom.simulator.faults.switch_on("revoke_unavailable", {})
    context = kit.service.context
    async with context.store.transaction() as tx:
        await queue_revocation(tx, in_a_minute(kit), (await grant_of(kit)).tokens)

    await asyncio.gather(*(revoke_due(in_a_minute(kit, 2)) for _ in range(REPLICAS)))

    assert 1 == len(kit.zoom.journal("/oauth/revoke"))
    async with context.store.reading() as tx:
        (one,) = await tx.revocations.due(now=10**11, limit=9)
    assert 1 == one.attempts


async def test_a_removal_that_is_being_decided_is_decided_by_the_newest_set(kit: Kit) -> None:
    """Tokens of a consent near it do not end the decision: only what Zoom says of them does."""
    await consent_without_owner(kit)
    kit.zoom.simulator.faults.switch_on("token_unavailable", {"times": 1})
    event = AppDeauthorized(
        client_id=kit.zoom.app.client_id,
        account_id=ACCOUNT,
        user_id=JANE,
        deauthorization_time=None,
        user_data_retention=False,
    )
    context = kit.service.context
    with pytest.raises(PeerUnavailable):
        await carry_out(context, Refresher(context), event, received_at=context.now())
    await ask_owners(in_a_minute(kit))
    assert Phase.UNDECIDED is (await grant_of(kit)).phase

    later = in_a_minute(kit, 2)
    await carry_out(later, Refresher(later), event, received_at=later.now())

    grant = await grant_of(kit)
    assert (Phase.ACTIVE, live_refresh_token(kit)) == (
        grant.phase,
        grant.tokens.refresh_token and grant.tokens.refresh_token.reveal(),
    )


async def test_what_ran_out_takes_no_room(kit: Kit) -> None:
    """A link request and a used state go when their time is over, and not before."""
    context = kit.service.context
    now = context.now()
    async with context.store.transaction() as tx:
        await tx.links.add_request(
            replace(sample.link_request(), expires_at=now + 30 - FINISH_SECONDS)
        )
        await tx.used_states.use(b"state", expires_at=now + 30)
    for later, left in ((context, 0), (in_a_minute(kit), 1)):
        await delete_expired(later)
        async with context.store.transaction() as tx:
            # Used anew where nothing of it is left.
            assert bool(left) is await tx.used_states.use(b"state", expires_at=now + 30)
    async with context.store.transaction() as tx:
        assert 0 == await tx.links.delete_expired_requests(now=now)
