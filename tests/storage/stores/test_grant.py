from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from paraph.errors import Conflict
from paraph.model.grant import Grant, RefreshAttempt
from paraph.model.phase import Phase
from paraph.storage.database import Database
from storage.sample import ACCOUNT, CLIENT, grant, link, pending_link, tokens

pytestmark = pytest.mark.anyio


async def _get(store: Database, grant_id: str = "grant-1") -> Grant | None:
    async with store.reading() as tx:
        return await tx.grants.get(grant_id)


async def _add(store: Database, *grants: Grant) -> None:
    async with store.transaction() as tx:
        for one in grants:
            await tx.grants.add(one)


@pytest.mark.parametrize(
    "kept",
    [
        grant(),
        grant(tokens=tokens(refresh_token=None, zoom_time=None, scopes=frozenset())),
        grant(granted_zoom_time=None, email="", display_name="", reason="why"),
    ],
)
async def test_a_grant_comes_back_as_it_went(store: Database, kept: Grant) -> None:
    """By id and by identity, with every optional part there or not."""
    await _add(store, kept)

    assert kept == await _get(store)
    async with store.reading() as tx:
        assert kept == await tx.grants.find(kept.identity)


@pytest.mark.parametrize("part", ["client_id", "account_id", "user_id"])
async def test_an_identity_is_compared_byte_for_byte(store: Database, part: str) -> None:
    """Ids that differ in case alone are different people, who may both install."""
    kept = grant()
    swapped = getattr(kept.identity, part).swapcase()
    other = grant("2", identity=replace(kept.identity, **{part: swapped}))
    await _add(store, kept)

    async with store.reading() as tx:
        assert await tx.grants.find(other.identity) is None
    await _add(store, other)
    async with store.reading() as tx:
        assert other == await tx.grants.find(other.identity)


@pytest.mark.parametrize(
    "second", [grant(grant_id="grant-2"), grant("2", grant_id="grant-1")], ids=["identity", "id"]
)
async def test_a_second_grant_conflicts(store: Database, second: Grant) -> None:
    """One row for an identity and one for an id."""
    await _add(store, grant())

    with pytest.raises(Conflict):
        await _add(store, second)

    assert grant() == await _get(store)


async def test_grants_of_an_account(store: Database) -> None:
    """All of one client's grants in one account, oldest first, and nobody else's."""
    elsewhere = replace(grant("4").identity, account_id="other")
    foreign = replace(grant("5").identity, client_id="other")
    await _add(
        store,
        grant("1", granted_at=30),
        grant("2", granted_at=10),
        grant("3", granted_at=20),
        grant("4", identity=elsewhere),
        grant("5", identity=foreign),
    )

    async with store.reading() as tx:
        found = await tx.grants.in_account(CLIENT, ACCOUNT)
    assert ["grant-2", "grant-3", "grant-1"] == [one.grant_id for one in found]


async def test_the_grants_of_a_user_are_found_in_every_account(store: Database) -> None:
    """Oldest first, of this client and user alone."""
    here = grant("1").identity
    await _add(store, grant("1", granted_at=1_300), grant("2"))
    await _add(store, grant("3", identity=replace(here, account_id="another"), granted_at=1_200))
    await _add(store, grant("4", identity=replace(here, client_id="another")))

    async with store.reading() as tx:
        found = await tx.grants.of_user(CLIENT, here.user_id)
    assert ["grant-3", "grant-1"] == [one.grant_id for one in found]


async def test_tokens_are_replaced_at_the_expected_version(store: Database) -> None:
    """The new set, the phase and a version more, while consent and profile stay."""
    await _add(store, grant(phase=Phase.UNDECIDED, reason="doubt"))

    async with store.transaction() as tx:
        done = await tx.grants.replace_tokens(
            "grant-1", tokens("new"), expected_version=1, phase=Phase.ACTIVE
        )
    assert done
    assert grant(tokens=tokens("new"), token_version=2) == await _get(store)


async def test_a_late_token_set_changes_nothing(store: Database) -> None:
    """Where the version has moved on or the row is gone, nothing is written."""
    await _add(store, grant(token_version=2))

    async with store.transaction() as tx:
        for grant_id, version in (("grant-1", 1), ("grant-1", 3), ("grant-2", 2)):
            assert not await tx.grants.replace_tokens(
                grant_id, tokens("late"), expected_version=version, phase=Phase.ACTIVE
            )
    assert grant(token_version=2) == await _get(store)


async def test_of_parallel_token_sets_one_is_kept(store: Database) -> None:
    """Eight writers that read the same version: one wins."""
    await _add(store, grant())

    async def write(mark: str) -> bool:
        async with store.transaction() as tx:
            return await tx.grants.replace_tokens(
                "grant-1", tokens(mark), expected_version=1, phase=Phase.ACTIVE
            )

    done = await asyncio.gather(*(write(str(number)) for number in range(8)))

    assert 1 == done.count(True)
    winner = str(done.index(True))
    assert grant(tokens=tokens(winner), token_version=2) == await _get(store)


async def test_a_new_consent_is_written_whole(store: Database) -> None:
    """Tokens, profile, times and phase are the new ones, and the version goes up by one."""
    await _add(store, grant(token_version=7, phase=Phase.NEEDS_REAUTHORIZATION, reason="died"))
    consent = grant(
        tokens=tokens("new"), email="new@people.example", granted_at=2_000, granted_zoom_time=None
    )

    async with store.transaction() as tx:
        await tx.grants.renew_consent(consent)
    assert replace(consent, token_version=8) == await _get(store)


async def test_a_consent_for_a_removed_grant_conflicts(store: Database) -> None:
    """The caller must learn that there is nothing to renew."""
    with pytest.raises(Conflict):
        async with store.transaction() as tx:
            await tx.grants.renew_consent(grant())


@pytest.mark.parametrize(("version", "done"), [(None, True), (1, True), (2, False)])
async def test_a_phase_changes_alone(store: Database, version: int | None, *, done: bool) -> None:
    """Phase and reason, at the expected version when one is given; tokens and version stay."""
    await _add(store, grant())

    async with store.transaction() as tx:
        changed = await tx.grants.set_phase(
            "grant-1", Phase.UNDECIDED, reason="doubt", expected_version=version
        )
        assert not await tx.grants.set_phase("grant-2", Phase.UNDECIDED)
    expected = grant(phase=Phase.UNDECIDED, reason="doubt") if done else grant()
    assert (done, expected) == (changed, await _get(store))


async def test_deleting_a_grant_deletes_its_links_and_no_other(store: Database) -> None:
    """Row, tokens and links go together, once."""
    async with store.transaction() as tx:
        await tx.grants.add(grant("1"))
        await tx.grants.add(grant("2"))
        await tx.links.add(link("1"))
        await tx.links.add(pending_link("3", grant_id="grant-1"))
        await tx.links.add(link("2"))

    async with store.transaction() as tx:
        assert [0, None] == [await tx.grants.delete("grant-1") for _ in range(2)]
        left = [await tx.links.get(f"link-{mark}") for mark in "123"]
    assert [None, link("2"), None] == left
    assert (None, grant("2")) == (await _get(store, "grant-1"), await _get(store, "grant-2"))


async def test_grants_in_a_phase(store: Database) -> None:
    """Some of those in the phase, oldest first, without those that are not to be asked about."""
    await _add(
        store,
        grant("1", granted_at=30, phase=Phase.UNDECIDED),
        grant("2", granted_at=10, phase=Phase.UNDECIDED),
        grant("3", granted_at=20, phase=Phase.UNDECIDED),
        grant("4", granted_at=5),
        grant("5", granted_at=6, phase=Phase.UNDECIDED),
        grant("6", granted_at=7, phase=Phase.UNDECIDED),
    )
    async with store.transaction() as tx:
        for mark, lease_until, next_attempt_at in (("5", 60, 0), ("6", 0, 60)):
            attempt = RefreshAttempt(
                f"grant-{mark}", grant(mark).token_version, "", 1, lease_until, 0, next_attempt_at
            )
            assert await tx.refreshes.begin(attempt, now=1)

    async with store.reading() as tx:
        found = await tx.grants.in_phase(Phase.UNDECIDED, now=50, limit=2)
        later = await tx.grants.in_phase(Phase.UNDECIDED, now=60, limit=9)
    assert 5 == len(later)
    assert ["grant-2", "grant-3"] == [one.grant_id for one in found]
