"""Ciphertexts that somebody swaps in the database itself open nowhere, on either kind."""

from __future__ import annotations

import os

import pytest

from paraph.errors import SealBroken, UnknownEncryptionKey
from paraph.model.phase import Phase
from paraph.sealing.key_ring import KeyRing
from paraph.storage.database import Database, open_store
from storage import sample
from storage.sample import NEW_KEY, OLD_KEY, ring
from tampering import tamper

pytestmark = pytest.mark.anyio


async def fill(store: Database) -> None:
    """Two tenants, and one row of everything that is sealed."""
    async with store.transaction() as tx:
        for mark in ("1", "2"):
            await tx.grants.add(sample.grant(mark))
            await tx.events.add(sample.event(mark))
            await tx.ownerless.add(sample.ownerless(mark))
            await tx.revocations.add(sample.revocation(mark))


def swap(table: str, key: str, *columns: str) -> str:
    """SQL that gives the second row the columns of the first."""
    first, second = f"{key.removesuffix('_id')}-1", f"{key.removesuffix('_id')}-2"
    values = ", ".join(
        f"{one} = (SELECT {one} FROM {table} WHERE {key} = '{first}')" for one in columns
    )
    return f"UPDATE {table} SET {values} WHERE {key} = '{second}'"


@pytest.mark.parametrize(
    "statement",
    [
        swap("grants", "grant_id", "access_token"),
        swap("grants", "grant_id", "refresh_token"),
        swap("grants", "grant_id", "profile"),
        swap("grants", "grant_id", "access_token", "refresh_token", "profile"),
        "UPDATE grants SET refresh_token = access_token",
        "UPDATE grants SET access_token = refresh_token",
        "UPDATE grants SET profile = access_token",
        "UPDATE grants SET client_id = 'another-client'",
        "UPDATE grants SET account_id = 'another-account'",
        "UPDATE grants SET user_id = 'somebody-else' WHERE grant_id = 'grant-2'",
        "UPDATE grants SET access_token = (SELECT token FROM revocations LIMIT 1)",
        "UPDATE grants SET access_token = (SELECT body FROM kept_events LIMIT 1)",
    ],
)
async def test_a_swapped_grant_does_not_open(
    store: Database, database_url: str, statement: str
) -> None:
    """Another row's, column's, table's or tenant's: a broken seal, and no token comes out."""
    await fill(store)
    await tamper(database_url, statement)

    async with store.reading() as tx:
        with pytest.raises(SealBroken):
            await tx.grants.get("grant-2")


async def test_a_swapped_event_does_not_open(store: Database, database_url: str) -> None:
    """Bodies are bound to their rows as well."""
    await fill(store)
    await tamper(database_url, swap("kept_events", "event_id", "body"))

    async with store.reading() as tx:
        with pytest.raises(SealBroken):
            await tx.events.get("event-2")


async def test_a_damaged_row_does_not_hold_up_the_others(
    store: Database, database_url: str
) -> None:
    """What waits in a queue, or is gone through in the background, is opened one by one."""
    await fill(store)
    await tamper(
        database_url,
        swap("ownerless_tokens", "ownerless_id", "tokens"),
        swap("revocations", "revocation_id", "token"),
        swap("grants", "grant_id", "access_token"),
    )

    async with store.reading() as tx:
        assert [sample.ownerless("1")] == list(await tx.ownerless.due(now=5_000, limit=9))
        assert [sample.revocation("1")] == list(await tx.revocations.due(now=5_000, limit=9))
        assert [sample.grant("1")] == list(
            await tx.grants.in_phase(Phase.ACTIVE, now=10**11, limit=9)
        )


async def test_a_value_of_another_database_does_not_open(
    store: Database, database_url: str, other_database_url: str
) -> None:
    """The same ids under the same key, in a database next door."""
    await fill(store)
    other = await open_store(other_database_url, ring(), randomness=os.urandom)
    await fill(other)
    await other.close()
    ((sealed,),) = await tamper(
        other_database_url, "SELECT access_token FROM grants WHERE grant_id = 'grant-1'"
    )
    literal = f"X'{sealed.hex()}'" if database_url.startswith("sqlite") else f"'\\x{sealed.hex()}'"
    await tamper(
        database_url, f"UPDATE grants SET access_token = {literal} WHERE grant_id = 'grant-1'"
    )

    async with store.reading() as tx:
        with pytest.raises(SealBroken):
            await tx.grants.get("grant-1")


async def test_no_flipped_bit_opens(store: Database, database_url: str) -> None:
    """Anywhere in the ciphertext; only a changed key id may mean "try later"."""
    await fill(store)
    select = "SELECT access_token FROM grants WHERE grant_id = 'grant-1'"
    ((sealed,),) = await tamper(database_url, select)
    for place in range(0, len(sealed), 5):
        spoiled = bytearray(sealed)
        spoiled[place] ^= 4
        value = spoiled.hex()
        literal = f"X'{value}'" if database_url.startswith("sqlite") else f"'\\x{value}'"
        await tamper(
            database_url, f"UPDATE grants SET access_token = {literal} WHERE grant_id = 'grant-1'"
        )
        async with store.reading() as tx:
            with pytest.raises((SealBroken, UnknownEncryptionKey)):
                await tx.grants.get("grant-1")


async def test_nothing_secret_stands_in_the_database(store: Database, database_url: str) -> None:
    """Every value of every table, scanned for what went in; what is sealed names its key."""
    await fill(store)
    tables = [
        "grants",
        "kept_events",
        "ownerless_tokens",
        "revocations",
        "stored_keys",
        "audit_entries",
    ]
    found = [
        (table, value)
        for table in tables
        for row in await tamper(database_url, f"SELECT * FROM {table}")
        for value in row
        if b"canary" in (value if isinstance(value, bytes) else str(value).encode())
    ]
    sealed = await tamper(database_url, "SELECT access_token, refresh_token, profile FROM grants")

    assert [] == found
    assert {b"\x01\x03old"} == {bytes(value)[:5] for row in sealed for value in row}


async def test_after_a_rotation_every_value_names_the_new_key(database_url: str) -> None:
    """Seen in the database itself: the old key's id stands nowhere any more."""
    old = await open_store(database_url, ring(OLD_KEY), randomness=os.urandom)
    await fill(old)
    await old.close()
    both = ring(NEW_KEY, OLD_KEY)
    store = await open_store(database_url, both, randomness=os.urandom)
    both.seal_with("new")
    async with store.reading() as tx:
        places = tx.sealed.places
    for place in places:
        async with store.reading() as tx:
            outdated = await tx.sealed.outdated(place, after="", limit=99)
        async with store.transaction() as tx:
            for value in outdated:
                assert await tx.sealed.reseal(value)
    await store.close()

    assert {"new"} == await _names(database_url)


async def _names(url: str) -> set[str]:
    queries = [
        "SELECT access_token, refresh_token, profile FROM grants",
        "SELECT tokens FROM ownerless_tokens",
        "SELECT token FROM revocations",
        "SELECT body FROM kept_events",
        "SELECT sealed FROM stored_keys",
    ]
    values = [v for query in queries for row in await tamper(url, query) for v in row]
    return {KeyRing.key_id_of(bytes(value)) for value in values}
