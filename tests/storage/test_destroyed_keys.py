"""Bodies under data keys: a removal changes no row, and from its commit on there is no body."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from paraph.errors import SealBroken
from paraph.model.event import EventStatus, KeptEvent, Outcome
from paraph.sealing.row import Sealing
from paraph.storage.database import Database, open_store
from paraph.storage.stores.events.event_keys import living_keys
from storage import sample
from storage.key_kit import get, install, is_readable, keep, remove
from storage.sample import ACCOUNT, CLIENT
from tampering import tamper

pytestmark = pytest.mark.anyio

NOW = 2_000
JANE, BOB, STRANGER = "user-1", "user-2", "user-9"


async def claim(store: Database, limit: int = 99) -> Sequence[KeptEvent]:
    """Claim what is due."""
    async with store.transaction() as tx:
        return (await tx.events.claim(now=NOW, until=NOW + 60, limit=limit, urgent=False)).events


async def test_the_key_ring_alone_opens_no_body(store: Database, database_url: str) -> None:
    """A body names its data key in its row, and is no ciphertext of the key ring."""
    await install(store, "1")
    event = await keep(store, "1", JANE)

    ((body, sealed_for),) = await tamper(database_url, "SELECT body, sealed_for FROM kept_events")
    ((key_id,),) = await tamper(
        database_url, f"SELECT key_id FROM data_keys WHERE user_id = '{JANE}' AND account_id <> ''"
    )
    assert f'["{key_id}"]' == sealed_for
    with pytest.raises(SealBroken):
        Sealing(sample.ring(), store.database_id).open("events.body", event.event_id, body)
    assert await is_readable(store, event)


@pytest.mark.parametrize("users", [(), (JANE,), (JANE, STRANGER)])
async def test_no_body_is_left_at_the_commit(store: Database, users: tuple[str, ...]) -> None:
    """The last grant of an account: its events have no body, and the row is as it was."""
    await install(store, "1")
    event = await keep(store, "1", *users)
    assert await is_readable(store, event)

    assert 3 == await remove(store, "1")

    assert not await is_readable(store, event)


async def test_each_body_goes_with_its_own_user(store: Database) -> None:
    """A user's events go with the user; the account's, and those of others, stay."""
    await install(store, "1", "2")
    of_jane, of_bob = await keep(store, "1", JANE), await keep(store, "2", BOB)
    of_both, of_account = await keep(store, "3", JANE, BOB), await keep(store, "4")
    every = of_jane, of_bob, of_both, of_account

    # The key of the account has another grant behind it.
    assert 2 == await remove(store, "1")

    assert [False, True, True, True] == [await is_readable(store, one) for one in every]
    assert 3 == await remove(store, "2")
    assert [False] * 4 == [await is_readable(store, one) for one in every]


async def test_an_owner_whose_grant_has_no_key_yet_keeps_the_body(store: Database) -> None:
    """Grants of an earlier version get keys later: until then no other owner's key seals alone."""
    await install(store, "1")
    bob = sample.grant("2")
    async with store.transaction() as tx:
        await tx.grants.add(bob)
    before = await keep(store, "1", JANE, BOB)
    async with store.transaction() as tx:
        assert 2 == await tx.data_keys.add_missing(bob.identity, os.urandom)
    after = await keep(store, "2", JANE, BOB)

    await remove(store, "1")
    async with store.transaction() as tx:
        assert 0 == await tx.events.purge_user(CLIENT, JANE, account_ids=[ACCOUNT])
    assert [True, True] == [await is_readable(store, one) for one in (before, after)]

    async with store.transaction() as tx:
        await tx.grants.delete(bob.grant_id)
        assert 1 == await tx.events.purge_user(CLIENT, BOB, account_ids=[ACCOUNT])
    assert [False, False] == [await is_readable(store, one) for one in (before, after)]


async def test_events_without_an_account_go_with_the_users_last_grant(store: Database) -> None:
    """A user who was moved to another account keeps them; another user's removal counts not."""
    await install(store, "1", "2")
    await install(store, "1", account_id="another-account")
    event = await keep(store, "1", JANE, account_id="")

    await remove(store, "2")
    await remove(store, "1")
    assert await is_readable(store, event)

    await remove(store, "1", "another-account")
    assert not await is_readable(store, event)


async def test_what_was_destroyed_is_not_counted_or_listed(store: Database) -> None:
    """Waiting events and dead letters leave the counts and the lists of their status at once."""
    await install(store, "1", "2")
    waiting, dead = await keep(store, "1", JANE), await keep(store, "2", JANE)
    other = await keep(store, "3", BOB)
    (claimed,) = [one for one in await claim(store) if one.event_id == dead.event_id]
    async with store.transaction() as tx:
        await tx.events.give_up(claimed, failure="the host said no")

    await remove(store, "1")

    async with store.reading() as tx:
        backlog = await tx.events.backlog()
        lists = [
            await tx.events.page(status=one) for one in (EventStatus.RECEIVED, EventStatus.DEAD)
        ]
        shown = await tx.events.page()
    assert (1, 0) == (backlog.waiting, backlog.dead)
    assert [[other.event_id], []] == [[one.event_id for one in some] for some in lists]
    destroyed = {one.event_id: (one.status, one.failure) for one in shown}
    as_purged = EventStatus.FORWARDED, "purged"
    assert as_purged == destroyed[waiting.event_id] == destroyed[dead.event_id]


async def test_a_destroyed_dead_letter_is_not_delivered_again(store: Database) -> None:
    """Its account still has a grant, and even so there is nothing to deliver."""
    await install(store, "1", "2")
    event = await keep(store, "1", JANE)
    await remove(store, "1")

    async with store.transaction() as tx:
        assert not await tx.events.redeliver(event.event_id, client_id=CLIENT, now=NOW)


async def test_a_claim_takes_no_destroyed_event(store: Database, log: io.StringIO) -> None:
    """The claim names those that it found; they are purged with other due ones, and counted."""
    await install(store, "1", "2")
    gone = [await keep(store, str(number), JANE) for number in range(5)]
    there = await keep(store, "6", BOB)
    await remove(store, "1")

    async with store.transaction() as tx:
        found = await tx.events.claim(now=NOW, until=NOW + 60, limit=2, urgent=False)
        await tx.events.purge_destroyed(found.destroyed, now=NOW)
    assert [there.event_id] == [one.event_id for one in found.events]
    assert found.destroyed
    (line,) = [json.loads(one) for one in log.getvalue().splitlines() if "events.purged" in one]
    assert 5 == line["count"]
    assert [] == await claim(store)
    assert {(EventStatus.FORWARDED, "purged", 0)} == {
        (one.status, one.failure, one.attempts) for one in [await get(store, one) for one in gone]
    }


async def test_living_events_wait_for_no_destroyed_ones(store: Database) -> None:
    """The first claim takes those behind any number of destroyed events, the oldest first."""
    await install(store, "1", "2")
    gone = [await keep(store, str(number), JANE) for number in range(20)]
    behind = [await keep(store, str(number), BOB) for number in (31, 32)]
    await remove(store, "1")

    async with store.transaction() as tx:
        found = await tx.events.claim(now=NOW, until=NOW + 60, limit=4, urgent=False)
    assert [one.event_id for one in behind] == [one.event_id for one in found.events]
    # Those of both ends of the queue, each once: 4 of the oldest, and 2 before the living ones.
    assert (6, 6) == (len(found.destroyed), len(set(found.destroyed)))
    assert {0} == {one.attempts for one in [await get(store, one) for one in gone]}


async def test_destroyed_events_of_an_ordered_account_are_purged_together(store: Database) -> None:
    """In order of the account a claim sees only the first of them; all are purged at once."""
    await install(store, "1", "2")
    for number in range(5):
        await keep(store, str(number), JANE)
    there = await keep(store, "6", BOB)
    await remove(store, "1")

    async with store.transaction() as tx:
        found = await tx.events.claim(now=NOW, until=NOW + 60, limit=9, urgent=False, ordered=True)
        await tx.events.purge_destroyed(found.destroyed, now=NOW)
        again = await tx.events.claim(now=NOW, until=NOW + 60, limit=9, urgent=False, ordered=True)
    assert (0, 1) == (len(found.events), len(found.destroyed))
    assert [there.event_id] == [one.event_id for one in again.events]
    assert [] == list(again.destroyed)


async def test_a_claimed_event_is_opened_with_the_keys_that_exist(store: Database) -> None:
    """The body is opened when its recipients are read: a removal in between leaves none."""
    await install(store, "1")
    event = await keep(store, "1", JANE)
    (claimed,) = await claim(store)
    assert claimed.body is None
    found = await store.read_recipients(claimed, client_id=CLIENT, user_ids=[JANE])
    assert found is not None
    assert event.body == store.open_body(claimed, found.keys)

    await remove(store, "1")

    found = await store.read_recipients(claimed, client_id=CLIENT, user_ids=[JANE])
    assert found is not None
    assert ([], {}) == (list(found.installations), found.keys)
    assert None is store.open_body(claimed, found.keys)


async def test_a_new_installation_does_not_bring_old_bodies_back(store: Database) -> None:
    """The keys of a user who installs again are others; new events are sealed with them."""
    await install(store, "1", "2")
    before = await keep(store, "1", JANE)
    await remove(store, "1")
    await install(store, "1")
    after = await keep(store, "2", JANE)

    assert [False, True] == [await is_readable(store, one) for one in (before, after)]


async def test_another_replica_seals_with_the_present_key(
    store: Database, database_url: str
) -> None:
    """A replica that has sealed with a user's former key uses the new one at once."""
    other = await open_store(database_url, sample.ring(), randomness=os.urandom)
    try:
        await keep(other, "1", JANE)
        await install(store, "1")
        first = await keep(other, "2", JANE)
        await remove(store, "1")
        await install(store, "1")
        second = await keep(other, "3", JANE)
        assert [False, True] == [await is_readable(store, one) for one in (first, second)]
    finally:
        await other.close()


async def test_events_of_no_grant_are_purged_one_by_one(store: Database) -> None:
    """Without a data key the body is sealed with the key ring, and deleted by the removal."""
    events = [await keep(store, "1"), await keep(store, "2", STRANGER)]
    await install(store, "1")
    events.append(await keep(store, "3", STRANGER))
    assert [True] * 3 == [await is_readable(store, one) for one in events]

    async with store.transaction() as tx:
        await tx.grants.delete(f"grant-1-{ACCOUNT}")
        assert 3 == await tx.events.purge_account(ACCOUNT)

    assert [False] * 3 == [await is_readable(store, one) for one in events]


async def test_a_key_that_cannot_be_opened_refuses_no_event(
    store: Database, database_url: str, log: io.StringIO
) -> None:
    """Its owner's events are sealed as those of no grant, and purged like them; others are kept."""
    await install(store, "1", "2")
    damaged = "UPDATE data_keys SET sealed = substr(sealed, 1, length(sealed) - 1)"
    await tamper(database_url, f"{damaged} WHERE user_id = '{JANE}'")
    of_jane, of_bob = await keep(store, "1", JANE), await keep(store, "2", BOB)

    assert [True, True] == [await is_readable(store, one) for one in (of_jane, of_bob)]
    assert "data_key.not_opened" in log.getvalue()
    await remove(store, "1")
    async with store.transaction() as tx:
        assert 1 == await tx.events.purge_user(CLIENT, JANE, account_ids=[ACCOUNT])
    assert [False, True] == [await is_readable(store, one) for one in (of_jane, of_bob)]


async def test_deauthorizations_and_notices_outlive_the_removal(store: Database) -> None:
    """They name no owner: paraph carries the first out after it, and the host reads the second."""
    await install(store, "1")
    removal = sample.event("1", urgent=True)
    await store.keep_events([removal], client_id=CLIENT)
    async with store.transaction() as tx:
        await tx.events.add(sample.event("2", notice=True))
    await remove(store, "1")

    for one in (removal, sample.event("2")):
        assert await is_readable(store, one)


async def test_the_body_of_a_duplicate_stays_as_it_is(store: Database) -> None:
    """Zoom's retry after a removal does not bring a destroyed body back."""
    await install(store, "1")
    event = await keep(store, "1", JANE)
    await remove(store, "1")
    await install(store, "1")

    again = replace(event, arrival=event.arrival + 7)
    assert [Outcome.DUPLICATE] == await store.keep_events([again], client_id=CLIENT)
    assert not await is_readable(store, event)


async def test_an_event_of_more_users_than_sqlite_takes_parameters(store: Database) -> None:
    """An operator opens it, whatever the number of its data keys."""
    key_ids = [f"key-{number}" for number in range(33_000)]
    async with store.reading() as tx:
        assert {} == await living_keys(tx.events._connection, key_ids)


@pytest.mark.parametrize("damage", ['["half', "{}", "[1]", "null", '"text"', ""])
async def test_a_damaged_list_of_keys_is_a_dead_letter_and_blocks_no_other(
    store: Database, database_url: str, log: io.StringIO, damage: str
) -> None:
    """Its row is listed, counted and logged with the reason; the other events are claimed."""
    await install(store, "1")
    bad, good = await keep(store, "1", JANE), await keep(store, "2", JANE)
    await tamper(
        database_url,
        f"UPDATE kept_events SET sealed_for = '{damage}' WHERE event_id = '{bad.event_id}'"
        " RETURNING 1",
    )

    assert [good.event_id] == [one.event_id for one in await claim(store)]

    async with store.reading() as tx:
        (dead,) = await tx.events.page(status=EventStatus.DEAD)
        backlog = await tx.events.backlog()
    assert (bad.event_id, 1, 1) == (dead.event_id, backlog.waiting, backlog.dead)
    assert "seal_broken: the column sealed_for is damaged" == dead.failure
    assert 1 == log.getvalue().count("event.not_opened")


async def test_a_batch_has_many_owners(store: Database) -> None:
    """Users and accounts with keys and without, in one batch."""
    await install(store, *"12345")
    await install(store, "6", account_id="another-account")
    events = []
    for number in range(200):
        user, account_id = f"user-{number % 9}", ("", ACCOUNT, "another-account")[number % 3]
        users = () if number % 5 == 0 else (user, f"user-{number % 7}")
        owners = tuple((account_id, one) for one in users) or ((account_id, ""),)
        events.append(
            sample.event(
                str(number),
                account_id=account_id,
                concerned=users,
                owners=owners,
                arrival=10**9 + number,
            )
        )

    outcomes = await store.keep_events(events, client_id=CLIENT)

    assert {Outcome.KEPT} == set(outcomes)
    for event in events[::17]:
        assert await is_readable(store, event)


async def test_a_data_key_that_cannot_be_opened_refuses_no_event(
    store: Database, database_url: str
) -> None:
    """Damaged, or without its encryption key: the event is kept, and a removal finds it."""
    await install(store, "1", "2")
    await tamper(
        database_url, f"UPDATE data_keys SET user_id = 'moved' WHERE user_id = '{JANE}' RETURNING 1"
    )
    await tamper(
        database_url,
        f"UPDATE data_keys SET user_id = '{JANE}' WHERE user_id = '{BOB}' RETURNING 1",
    )
    event, other = await keep(store, "1", JANE), await keep(store, "2")

    assert [True, True] == [await is_readable(store, one) for one in (event, other)]
    async with store.transaction() as tx:
        assert 1 == await tx.events.purge_user(CLIENT, JANE, account_ids=[ACCOUNT])
    assert [False, True] == [await is_readable(store, one) for one in (event, other)]
