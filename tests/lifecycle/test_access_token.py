"""Refreshing: one request, whoever asks; nothing lost, nothing brought back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from databases import new_sqlite
from lifecycle.refreshing import Refreshing, refreshing
from paraph.errors import InvalidGrant, PeerError, PeerUnavailable, TransportError
from paraph.lifecycle import refresh_lease
from paraph.lifecycle.audit import walk_chain
from paraph.lifecycle.outbox import NEEDS_REAUTHORIZATION, notify_host
from paraph.model.installation import Installation
from paraph.model.phase import Phase
from paraph.operations.housekeeping import IDLE_SECONDS, keep_alive

pytestmark = pytest.mark.anyio


@pytest.fixture
async def one(tmp_path: Path, database_url: str) -> AsyncIterator[Refreshing]:
    """One installation, on each kind of database."""
    async with refreshing(tmp_path, database_url) as made:
        yield made


async def test_everybody_gets_the_result_of_one_request(one: Refreshing) -> None:
    """Tasks of several replicas at one expiry: Zoom is asked once, and all get the new set."""
    before = await one.grant()
    replicas = [await one.replica(sleep=asyncio.sleep) for _ in range(3)]
    one.fault("token_slow", seconds=0.2)

    done = await asyncio.gather(
        *(replica.refresh(one.grant_id) for replica in replicas for _ in range(50))
    )

    after = await one.grant()
    assert 1 == one.asked()
    assert before.token_version + 1 == after.token_version
    assert [after] * 150 == done
    async with one.context.store.reading() as tx:
        assert await tx.refreshes.get(one.grant_id) is None


async def test_a_caller_that_goes_away_does_not_end_the_refresh(one: Refreshing) -> None:
    """Zoom may have rotated already: the answer is written whoever waits for it."""
    refresher, before = one.refresher(), await one.grant()
    one.fault("token_slow", seconds=0.1)
    caller = asyncio.create_task(refresher.refresh(one.grant_id))
    await one.until_begun()
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    await refresher.close()

    assert before.token_version + 1 == (await one.grant()).token_version


async def test_a_dead_holder_is_waited_for_and_then_replaced(one: Refreshing) -> None:
    """While its lease runs nobody asks; when it has ended, one does."""
    lease = await refresh_lease.take(one.context, await one.grant(), seconds=30)
    assert lease is not None and not lease.doubtful
    refresher = one.refresher()

    with pytest.raises(TransportError, match="still refreshing"):
        await refresher.refresh(one.grant_id)
    assert 0 == one.asked()
    one.later += 30
    assert await refresher.refresh(one.grant_id) == await one.grant()
    assert 1 == one.asked()


async def test_a_refusal_after_a_dead_holder_is_not_believed_at_once(one: Refreshing) -> None:
    """That one may have rotated the token: one more lease, one more question, then it is so."""
    await refresh_lease.take(one.context, await one.grant(), seconds=30)
    one.later += 30
    one.kit.zoom.simulator.ledger.clear()
    refresher = one.refresher()

    for _ in range(3):
        with pytest.raises(PeerUnavailable):
            await refresher.refresh(one.grant_id)
    assert (1, Phase.ACTIVE) == (one.asked(), (await one.grant()).phase)
    one.later += 31
    for _ in range(3):
        with pytest.raises(InvalidGrant):
            await refresher.refresh(one.grant_id)
    assert (2, Phase.NEEDS_REAUTHORIZATION) == (one.asked(), (await one.grant()).phase)


async def test_a_set_that_a_dead_holder_wrote_late_is_taken(one: Refreshing) -> None:
    """The refusal was about a token that is no longer the grant's."""
    one.kit.zoom.simulator.ledger.clear()
    one.fault("token_slow", seconds=0.3)
    before = await one.grant()
    flight = one.refresher().begin(one.grant_id)
    await one.until_begun()
    async with one.context.store.transaction() as tx:
        assert await tx.grants.replace_tokens(
            before.grant_id, before.tokens, expected_version=1, phase=Phase.ACTIVE
        )

    assert await flight == await one.grant()
    assert Phase.ACTIVE is (await one.grant()).phase


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("Token revoked (4,741)", "4741: the token was revoked by a later authorization"),
        ("user gone (4735)", "4735: the Zoom user that the token belongs to no longer exists"),
        ("Invalid Token!", "the token endpoint answered invalid_grant"),
    ],
)
async def test_a_dead_grant_is_said_once_with_its_reason(
    one: Refreshing, reason: str, kept: str
) -> None:
    """The installation says why, the host is told, and Zoom is asked no more."""
    one.fault("token_refused", reason=reason)
    replicas = [await one.replica(), await one.replica()]

    for replica in replicas * 2:
        with pytest.raises(InvalidGrant, match=kept[:4]):
            await replica.refresh(one.grant_id)

    after = await one.grant()
    assert (Phase.NEEDS_REAUTHORIZATION, kept, 1) == (after.phase, after.reason, one.asked())
    (notice,) = await one.notices()
    told = json.loads(notice.body or b"")
    assert (kept, "https://app.example/install") == (told["reason"], told["reauthorize_url"])
    assert told["reauthorize_url"] == told["mend_url"]


async def test_a_valid_response_that_comes_late_restores_the_grant(one: Refreshing) -> None:
    """Somebody else has given the grant up meanwhile: the tokens say otherwise."""
    one.fault("token_slow", seconds=0.3)
    flight = one.refresher().begin(one.grant_id)
    await one.until_begun()
    await one.set_phase(Phase.NEEDS_REAUTHORIZATION)

    assert (await flight) == (await one.grant())
    after = await one.grant()
    assert (Phase.ACTIVE, "", 2) == (after.phase, after.reason, after.token_version)


async def test_the_host_hears_that_a_late_response_restored_the_grant(
    one: Refreshing,
) -> None:
    """Told that a person has to agree again, it must hear that this is not so any more."""
    one.fault("token_slow", seconds=0.3)
    flight = one.refresher().begin(one.grant_id)
    await one.until_begun()
    await one.set_phase(Phase.NEEDS_REAUTHORIZATION)
    async with one.context.store.transaction() as tx:
        link = await tx.links.active_for_grant(one.grant_id)
        assert link is not None
        about = Installation(await one.grant(), link)
        await notify_host(tx, one.context, NEEDS_REAUTHORIZATION, about, reason="refused")
    await flight

    told = [json.loads(notice.body or b"") for notice in await one.all_notices()]
    assert [
        ("active", 1, "installed"),
        ("needs_reauthorization", 2, "refused"),
        ("active", 3, "refreshed"),
    ] == [(at["phase"], at["sequence"], at["reason"]) for at in (x["installation"] for x in told)]


async def test_a_response_to_an_earlier_request_decides_no_deauthorization(
    one: Refreshing,
) -> None:
    """Asked before the removal was announced, the refresh proves nothing about it."""
    one.fault("token_slow", seconds=0.3, times=1)
    refresher = one.refresher()
    flight = refresher.begin(one.grant_id)
    await one.until_begun()
    await one.set_phase(Phase.UNDECIDED)
    await flight

    assert Phase.UNDECIDED is (await one.grant()).phase
    await refresher.refresh(one.grant_id)
    assert (Phase.ACTIVE, 3) == ((await one.grant()).phase, (await one.grant()).token_version)


async def test_a_refusal_leaves_a_deauthorization_to_its_own(one: Refreshing) -> None:
    """Whoever decides the removal learns of the refusal; the phase is not taken from it."""
    one.fault("token_refused")
    await one.set_phase(Phase.UNDECIDED)

    with pytest.raises(InvalidGrant):
        await one.refresher().refresh(one.grant_id)
    assert Phase.UNDECIDED is (await one.grant()).phase


async def test_a_set_that_arrives_after_the_removal_is_revoked(one: Refreshing) -> None:
    """It brings nothing back, and is made dead at Zoom."""
    one.fault("token_slow", seconds=0.3)
    flight = one.refresher().begin(one.grant_id)
    await one.until_begun()
    await one.remove()

    assert await flight is None
    assert await one.find() is None
    live = one.kit.zoom.simulator.ledger.grants
    async with one.context.store.reading() as tx:
        due = await tx.revocations.due(now=one.context.now() + 1, limit=10)
    # The service's own housekeeping may have been quicker than this look.
    assert [grant.access_token for grant in live.values()] == [one.token.reveal() for one in due]
    assert (await walk_chain(one.context.store)).broken_at is None


async def test_a_consent_meanwhile_wins(one: Refreshing) -> None:
    """The refreshed set was killed by the consent: the loser leaves the winner's row alone."""
    one.fault("token_slow", seconds=0.3)
    flight = one.refresher().begin(one.grant_id)
    await one.until_begun()
    before = await one.grant()
    async with one.context.store.transaction() as tx:
        await tx.grants.renew_consent(replace(before, granted_at=before.granted_at + 1))

    won = await one.grant()
    assert (won, 2) == (await flight, won.token_version)


async def test_a_transient_failure_keeps_everything_and_waits(one: Refreshing) -> None:
    """5xx three times: backed off further each time, whoever asks; then it works."""
    refresher, before = one.refresher(), await one.grant()
    other = await one.replica()
    one.fault("token_unavailable", times=3)
    waits = []
    for failures in range(1, 4):
        for _ in range(3):
            for each in (refresher, other):
                with pytest.raises(PeerUnavailable):
                    await each.refresh(one.grant_id)
        assert failures == one.asked()
        async with one.context.store.reading() as tx:
            attempt = await tx.refreshes.get(one.grant_id)
        assert attempt is not None
        waits.append(attempt.next_attempt_at - one.context.now())
        assert before == await one.grant()
        one.later += waits[-1] + 1

    assert sorted(waits) == waits and waits[0] < waits[-1]
    assert 2 == (await refresher.refresh(one.grant_id) or before).token_version


@pytest.mark.parametrize("grace", [True, False])
async def test_a_response_that_was_lost_after_the_rotation(one: Refreshing, grace: bool) -> None:  # noqa: FBT001 - A table's column.
    """Asked again later: Zoom may take the spent token once more, or the grant ends cleanly."""
    refresher = one.refresher()
    one.fault("token_cut", times=1)
    with pytest.raises(TransportError):
        await refresher.refresh(one.grant_id)
    assert Phase.ACTIVE is (await one.grant()).phase
    one.later += 10
    if grace:
        one.fault("old_refresh_token_accepted", times=1)
        assert 2 == (await refresher.refresh(one.grant_id) or await one.grant()).token_version
    else:
        with pytest.raises(InvalidGrant):
            await refresher.refresh(one.grant_id)
        assert Phase.NEEDS_REAUTHORIZATION is (await one.grant()).phase
    assert 2 == one.asked()


async def test_closing_waits_for_what_is_in_flight(one: Refreshing) -> None:
    """An answer that nobody writes down is a lost grant."""
    refresher = one.refresher()
    one.fault("token_slow", seconds=0.2)
    flight = refresher.begin(one.grant_id)
    await one.until_begun()
    await refresher.close()

    assert flight.done()
    assert 2 == (await one.grant()).token_version


async def test_an_idle_grant_is_kept_alive_once(one: Refreshing) -> None:
    """Before Zoom ends it, and not again until it has been idle as long."""
    refresher = one.refresher()
    assert 0 == await keep_alive(one.context, refresher)
    one.later += IDLE_SECONDS + 1
    assert (1, 1) == (await keep_alive(one.context, refresher), one.asked())
    assert (0, 1) == (await keep_alive(one.context, refresher), one.asked())


async def test_keeping_alive_respects_the_wait_and_the_dead(one: Refreshing) -> None:
    """What failed a moment ago is not due, nor is a grant that Zoom has ended."""
    refresher = one.refresher()
    one.later += IDLE_SECONDS + 1
    one.fault("token_unavailable", times=1)
    assert 1 == await keep_alive(one.context, refresher)
    assert 0 == await keep_alive(one.context, refresher)
    one.later += 60
    one.fault("token_refused")
    assert 1 == await keep_alive(one.context, refresher)
    one.later += 600
    assert 0 == await keep_alive(one.context, refresher)
    assert 2 == one.asked()


async def test_a_set_of_another_users_is_never_vended(one: Refreshing) -> None:
    """A refresh must not change whose tokens these are: the grant stops, and the host is told."""
    one.fault("user_of_another")

    with pytest.raises(InvalidGrant, match="another Zoom user's"):
        await one.refresher().refresh(one.grant_id)
    grant = await one.grant()
    assert (Phase.NEEDS_REAUTHORIZATION, 1) == (grant.phase, len(await one.notices()))
    assert "the refreshed tokens are another Zoom user's" == grant.reason


async def test_an_owner_that_cannot_be_read_now_changes_nothing(one: Refreshing) -> None:
    """The new set is safe in the store before its owner is asked for, and stays."""
    before = await one.grant()
    one.fault("user_unavailable")

    await one.refresher().refresh(one.grant_id)
    after = await one.grant()
    assert (Phase.ACTIVE, before.token_version + 1) == (after.phase, after.token_version)


@pytest.mark.parametrize(
    "fault",
    [
        *("token_type_null", "token_type_missing", "token_type_capital"),
        *("token_expires_in_text", "token_expires_in_float", "token_expires_in_zero"),
        *("token_expires_in_null", "token_expires_in_missing", "token_expires_in_negative"),
        *("token_expires_in_huge", "token_scope_list", "token_scope_null", "token_scope_absent"),
        *("token_scope_missing", "token_scope_reordered", "token_extra_members"),
        *("token_byte_order_mark", "token_indented", "token_created"),
    ],
)
async def test_an_oddly_spelled_response_loses_no_grant(tmp_path: Path, fault: str) -> None:
    """The next refresh token is taken from it, the scopes stay, and the next refresh works."""
    async with refreshing(tmp_path, new_sqlite(tmp_path / "odd.db")) as one:
        before = await one.grant()
        one.fault(fault, times=1)
        await one.refresher().refresh(one.grant_id)
        odd = await one.grant()
        assert (before.token_version + 1, before.tokens.scopes, Phase.ACTIVE) == (
            odd.token_version,
            odd.tokens.scopes,
            odd.phase,
        )
        assert before.tokens.refresh_token != odd.tokens.refresh_token
        assert 0 < odd.tokens.access_expires_at - odd.tokens.received_at <= 3600
        await one.refresher().refresh(one.grant_id)
        assert Phase.ACTIVE is (await one.grant()).phase


@pytest.mark.parametrize("fault", ["token_refresh_token_null", "token_refresh_token_empty"])
async def test_without_a_new_refresh_token_the_old_one_is_kept(tmp_path: Path, fault: str) -> None:
    """Null and an empty string are no refresh token (RFC 6749 section 6)."""
    async with refreshing(tmp_path, new_sqlite(tmp_path / "odd.db")) as one:
        before = await one.grant()
        one.fault(fault, times=1)
        await one.refresher().refresh(one.grant_id)
        after = await one.grant()
        assert before.tokens.refresh_token == after.tokens.refresh_token
        assert before.tokens.access_token != after.tokens.access_token


async def test_a_response_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    """A form-encoded answer is refused; the host hears of the grant that it has cost."""
    async with refreshing(tmp_path, new_sqlite(tmp_path / "odd.db")) as one:
        one.fault("token_form_encoded", times=1)
        with pytest.raises(PeerError):
            await one.refresher().refresh(one.grant_id)
        one.later += 3600
        with pytest.raises(InvalidGrant):
            await one.refresher().refresh(one.grant_id)
        names = [notice.name for notice in await one.all_notices()]
        assert NEEDS_REAUTHORIZATION in names
