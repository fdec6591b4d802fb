from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from sqlalchemy import LargeBinary

from paraph.errors import SealBroken, UnknownEncryptionKey
from paraph.model.deployment import SealedValue
from paraph.model.event import KeptEvent
from paraph.sealing.key_ring import KeyRing
from paraph.sealing.row import Sealing
from paraph.secret import Secret
from paraph.storage.database import Database, open_store
from paraph.storage.stores.sealed_columns import SEALED_COLUMNS
from paraph.storage.tables import metadata
from paraph.storage.transaction import Transaction
from storage import sample
from storage.sample import NEW_KEY, OLD_KEY, ring
from tampering import tamper

pytestmark = pytest.mark.anyio

# Binary columns that hold a hash or a digest, which no key can open.
HASHES = {
    "links.handoff_hash",
    "links.claim_hash",
    "link_requests.request_hash",
    "used_states.state_hash",
    "tombstones.identity_hash",
    "audit_entries.previous",
    "audit_entries.digest",
    "api_keys.secret_hash",
    "given_answers.request_hash",
    "notice_counters.identity_hash",
}
# Of the tables of events, a new database has this one alone.
OLDER_TABLES = {"events.body", "former_events.body"}
PLACES = [place for place in SEALED_COLUMNS if place not in OLDER_TABLES]
SEVERAL = {"stored_keys.sealed": 5, "data_keys.sealed": 3}
OLD_ALONE = {place: {"old": SEVERAL.get(place, 1)} for place in PLACES}


async def fill(store: Database) -> None:
    """One row in every table that seals something."""
    async with store.transaction() as tx:
        await tx.grants.add(sample.grant())
        await tx.data_keys.add_missing(sample.grant().identity, os.urandom)
        await tx.events.add(sample.event())
        await tx.ownerless.add(sample.ownerless())
        await tx.revocations.add(sample.revocation())
        await tx.idempotency.begin(
            "answer", request_hash=b"h", now=0, expires_at=9, abandoned_before=0
        )
        await tx.idempotency.finish("answer", status=201, body=b"{}")


@pytest.fixture
async def turned(database_url: str) -> AsyncIterator[Database]:
    """A store that was filled under the old key, open under both; the new one seals."""
    old = await open_store(database_url, ring(OLD_KEY), randomness=os.urandom)
    await fill(old)
    await old.close()
    both = ring(NEW_KEY, OLD_KEY)
    store = await open_store(database_url, both, randomness=os.urandom)
    both.seal_with("new")
    yield store
    await store.close()


async def counts(store: Database, *keys: str) -> dict[str, dict[str, int]]:
    """What every key protects."""
    async with store.reading() as tx:
        return {place: dict(await tx.sealed.counts(place, keys)) for place in tx.sealed.places}


async def outdated(store: Database, place: str) -> list[SealedValue]:
    """What of a column must be sealed anew."""
    async with store.reading() as tx:
        return list(await tx.sealed.outdated(place, after="", limit=9))


async def reseal_all(store: Database) -> int:
    """Everything, column by column."""
    done = 0
    for place in PLACES:
        for value in await outdated(store, place):
            async with store.transaction() as tx:
                done += await tx.sealed.reseal(value)
    return done


def test_every_binary_column_is_sealed_and_listed_or_a_known_hash() -> None:
    """A sealed column that re-encryption does not know would keep an old key for ever."""
    binary = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }

    assert binary == set(SEALED_COLUMNS) | HASHES


async def test_counts_tell_what_each_key_protects(turned: Database) -> None:
    """By column; a key that protects nothing has no number."""
    assert await counts(turned, "new", "old") == OLD_ALONE


async def test_counts_find_a_key_that_was_not_named(turned: Database) -> None:
    """A value whose key is not in the ring must not be overlooked: it needs that key."""
    assert await counts(turned, "new") == OLD_ALONE


async def test_everything_opens_without_the_old_key_afterwards(
    turned: Database, database_url: str
) -> None:
    """Sealed anew, column by column, the content is the same and the old key is needed no more."""
    before = dict(turned.hash_keys)
    assert 15 == await reseal_all(turned)
    assert 0 == await reseal_all(turned)
    assert {"new"} == {key for one in (await counts(turned, "new", "old")).values() for key in one}
    await turned.close()

    # The turn itself, which a rotation writes, is not what is tested here.
    both = ring(NEW_KEY, OLD_KEY)
    store = await open_store(database_url, both, randomness=os.urandom)
    assert before == dict(store.hash_keys)
    both._roots.pop("old")
    both._cipher.cache_clear()
    async with store.reading() as tx:
        assert sample.grant() == await tx.grants.get("grant-1")
        assert sample.event() == await stored(tx, "event-1")
        assert [sample.ownerless()] == list(await tx.ownerless.due(now=1_000, limit=9))
        assert [sample.revocation()] == list(await tx.revocations.due(now=1_000, limit=9))
    await store.close()


async def stored(tx: Transaction, event_id: str) -> KeptEvent:
    """An event as it was given to the store, without its position."""
    event = await tx.events.get(event_id)
    assert event is not None
    return replace(event, position=0)


async def bodies(url: str) -> dict[str, bytes]:
    """The sealed bodies of all events, by id."""
    rows = await tamper(url, "SELECT event_id, body FROM kept_events")
    return {event_id: bytes(body) for event_id, body in rows}


async def test_event_bodies_are_sealed_with_the_key_of_their_day(database_url: str) -> None:
    """Both ways of keeping an event use the key of the day on which it came, and so do all days."""
    store = await open_store(database_url, ring(OLD_KEY), randomness=os.urandom)
    early = sample.event("early", received_at=86_400 * 20_000 - 1)
    late = sample.event("late", received_at=86_400 * 20_000)
    async with store.transaction() as tx:
        await tx.grants.add(sample.grant())
        await tx.events.add(early)
    await store.keep_events([late], client_id=sample.CLIENT)
    days = {key: KeyRing.day_of(body) for key, body in (await bodies(database_url)).items()}
    assert {"event-early": 19_999, "event-late": 20_000} == days
    async with store.reading() as tx:
        assert [early, late] == [await stored(tx, f"event-{one}") for one in ("early", "late")]
    await store.close()


async def test_a_body_of_an_earlier_version_opens_and_gets_its_day(
    turned: Database, database_url: str
) -> None:
    """An undated body opens; sealed anew it has the key of the day on which it came."""
    sealing = Sealing(ring(OLD_KEY), turned.database_id)
    event = sample.event()
    undated = sealing.seal("events.body", event.event_id, event.body or b"")
    value = f"X'{undated.hex()}'" if "sqlite" in database_url else f"'\\x{undated.hex()}'"
    await tamper(database_url, f"UPDATE kept_events SET body = {value}")
    async with turned.reading() as tx:
        assert event == await stored(tx, event.event_id)
    await reseal_all(turned)
    (body,) = (await bodies(database_url)).values()
    assert (0, "new") == (KeyRing.day_of(body), KeyRing.key_id_of(body))
    async with turned.reading() as tx:
        assert event == await stored(tx, event.event_id)


async def test_a_row_that_was_written_meanwhile_is_left_alone(turned: Database) -> None:
    """Between reading and sealing anew a refresh came: its tokens stay."""
    (value,) = await outdated(turned, "grants.access_token")
    async with turned.transaction() as tx:
        await tx.grants.replace_tokens(
            "grant-1", sample.tokens("2"), expected_version=1, phase=sample.grant().phase
        )

        assert not await tx.sealed.reseal(value)
        found = await tx.grants.get("grant-1")
    assert found is not None
    assert Secret("canary-access-token-2") == found.tokens.access_token


async def test_a_row_that_is_gone_stays_gone(turned: Database) -> None:
    """Sealing anew never brings a removed row back."""
    (value,) = await outdated(turned, "grants.access_token")
    async with turned.transaction() as tx:
        await tx.grants.delete("grant-1")

        assert not await tx.sealed.reseal(value)
        assert await tx.grants.get("grant-1") is None


async def test_a_value_that_does_not_open_is_logged_and_left(turned: Database) -> None:
    """A missing key and a damaged value are two things, and neither is overwritten."""
    (value,) = await outdated(turned, "grants.access_token")
    foreign = SealedValue(value.place, value.row, value.sealed.replace(b"old", b"odd"))
    moved = SealedValue(value.place, ("grant-2",), value.sealed)
    async with turned.transaction() as tx:
        with pytest.raises(UnknownEncryptionKey):
            await tx.sealed.reseal(foreign)
        with pytest.raises(SealBroken):
            await tx.sealed.reseal(moved)

    assert [value] == await outdated(turned, "grants.access_token")


async def test_outdated_values_come_by_row_and_in_portions(store: Database) -> None:
    """Behind a row, at most so many: a walk goes on where it was."""
    async with store.transaction() as tx:
        for mark in ("1", "2", "3"):
            await tx.grants.add(sample.grant(mark))
    store._sealing.ring._roots["new"] = bytes(32)
    store._sealing.ring.seal_with("new")

    async with store.reading() as tx:
        found = await tx.sealed.outdated("grants.profile", after="grant-1", limit=1)

    assert [("grant-2", sample.CLIENT, sample.ACCOUNT, "user-2")] == [one.row for one in found]
