from __future__ import annotations

import asyncio

import pytest

from paraph.errors import Conflict
from paraph.model.link import Link
from paraph.model.phase import Phase
from paraph.storage.database import Database
from storage.sample import CLIENT, grant, link, link_request, pending_link

pytestmark = pytest.mark.anyio

REQUEST = link_request()
HANDOFF = b"handoff-1"


@pytest.fixture
async def granted(store: Database) -> Database:
    """A store with grants 1 and 2."""
    async with store.transaction() as tx:
        await tx.grants.add(grant("1"))
        await tx.grants.add(grant("2"))
    return store


async def _add(store: Database, *links: Link) -> None:
    async with store.transaction() as tx:
        for one in links:
            await tx.links.add(one)


async def test_a_request_can_be_looked_at_and_is_taken_once(store: Database) -> None:
    """Looking uses nothing; taking does."""
    async with store.transaction() as tx:
        await tx.links.add_request(REQUEST)
        for _ in range(2):
            assert REQUEST == await tx.links.peek_request(REQUEST.request_hash, now=1_299)
        assert REQUEST == await tx.links.take_request(REQUEST.request_hash, now=1_299)
        assert await tx.links.take_request(REQUEST.request_hash, now=1_299) is None
        assert await tx.links.peek_request(REQUEST.request_hash, now=1_299) is None


async def test_an_expired_or_unknown_request_is_none(store: Database) -> None:
    """At its expiry it is over, and another hash finds nothing."""
    async with store.transaction() as tx:
        await tx.links.add_request(REQUEST)
        for request_hash, now in ((REQUEST.request_hash, 1_300), (b"unknown", 1_000)):
            assert await tx.links.peek_request(request_hash, now=now) is None
            assert await tx.links.take_request(request_hash, now=now) is None


async def test_of_parallel_takers_one_gets_the_request(store: Database) -> None:
    """A request is one install, however many browsers open it."""
    async with store.transaction() as tx:
        await tx.links.add_request(REQUEST)

    async def take() -> object:
        async with store.transaction() as tx:
            return await tx.links.take_request(REQUEST.request_hash, now=1_000)

    taken = await asyncio.gather(*(take() for _ in range(20)))

    assert [REQUEST] == [one for one in taken if one is not None]


async def test_expired_requests_are_deleted(store: Database) -> None:
    """Those whose time has run out, and no others."""
    async with store.transaction() as tx:
        await tx.links.add_request(REQUEST)
        assert [0, 1, 0] == [
            await tx.links.delete_expired_requests(now=now) for now in (1_299, 1_300, 1_300)
        ]


@pytest.mark.parametrize("kept", [link(), pending_link(), pending_link(proofs=())])
async def test_a_link_comes_back_as_it_went(granted: Database, kept: Link) -> None:
    """With its proofs in order, hashes and times."""
    await _add(granted, kept)

    async with granted.reading() as tx:
        assert kept == await tx.links.get("link-1")
        assert await tx.links.get("link-2") is None


@pytest.mark.parametrize(
    "second",
    [link("2", grant_id="grant-1"), link("2", subject="subject-1"), link("2", link_id="link-1")],
    ids=["grant", "subject", "id"],
)
async def test_a_second_active_link_conflicts(granted: Database, second: Link) -> None:
    """One active link for a grant, one for a subject: decided by the database, not by a look."""
    await _add(granted, link("1"))

    with pytest.raises(Conflict):
        await _add(granted, second)
    async with granted.reading() as tx:
        assert link("1") == await tx.links.get("link-1")


async def test_of_parallel_links_one_becomes_active(granted: Database) -> None:
    """Eight confirmations for one grant at once: one link."""
    links = [link(str(number), grant_id="grant-1") for number in range(8)]

    outcomes = await asyncio.gather(*(_add(granted, one) for one in links), return_exceptions=True)

    assert [Conflict] * 7 == [type(one) for one in outcomes if one is not None]


async def test_pending_links_do_not_stand_in_each_others_way(granted: Database) -> None:
    """Only active ones are unique; another client's subject of the same name is another."""
    await _add(
        granted,
        link("1"),
        pending_link("2", grant_id="grant-1", subject="subject-1"),
        pending_link("3", grant_id="grant-1", subject="subject-1"),
        link("4", grant_id="grant-2", subject="subject-1", client_id="other"),
    )

    async with granted.reading() as tx:
        assert link("1") == await tx.links.active_for_grant("grant-1")


async def test_activating_a_pending_link_beside_an_active_one_conflicts(granted: Database) -> None:
    """The rule holds for updates too, and the pending link stays as it was."""
    waiting = pending_link("2", grant_id="grant-1")
    await _add(granted, link("1"), waiting)

    with pytest.raises(Conflict):
        async with granted.transaction() as tx:
            await tx.links.update(link("2", grant_id="grant-1"))
    async with granted.reading() as tx:
        assert waiting == await tx.links.get("link-2")


async def test_a_link_needs_its_grant(granted: Database) -> None:
    """A link to a grant that was removed meanwhile is a lost race."""
    with pytest.raises(Conflict):
        await _add(granted, link("3"))


async def test_active_links_are_found_either_way(granted: Database) -> None:
    """By grant and by client and subject, byte for byte; pending ones are not found."""
    await _add(granted, link("1"), pending_link("2"))

    async with granted.reading() as tx:
        assert link("1") == await tx.links.active_for_grant("grant-1")
        assert await tx.links.active_for_grant("grant-2") is None
        assert link("1") == await tx.links.active_for_subject(CLIENT, "subject-1")
        for client, subject in (
            (CLIENT, "Subject-1"),
            (CLIENT, "subject-2"),
            ("other", "subject-1"),
        ):
            assert await tx.links.active_for_subject(client, subject) is None
        needed = [await tx.links.any_for_grant(f"grant-{mark}") for mark in "123"]
    assert [True, True, False] == needed


async def test_a_handoff_is_found_while_it_lives(granted: Database) -> None:
    """Looking does not use it; at its expiry, or on an active link, it is none."""
    await _add(granted, pending_link(), link("2", handoff_hash=b"left", handoff_expires_at=9_000))

    async with granted.reading() as tx:
        for _ in range(2):
            assert pending_link() == await tx.links.find_handoff(HANDOFF, now=1_059)
        for handoff, now in ((HANDOFF, 1_060), (b"handoff-2", 1_000), (b"left", 1_000)):
            assert await tx.links.find_handoff(handoff, now=now) is None


async def test_of_parallel_claims_one_uses_the_handoff(granted: Database) -> None:
    """The handoff goes, the winner's claim is set, and everybody else gets False."""
    await _add(granted, pending_link())

    async def use(claim_hash: bytes) -> bool:
        async with granted.transaction() as tx:
            return await tx.links.use_handoff("link-1", claim_hash=claim_hash)

    used = await asyncio.gather(*(use(f"claim-{number}".encode()) for number in range(20)))

    assert 1 == used.count(True)
    claim_hash = f"claim-{used.index(True)}".encode()
    claimed = pending_link(handoff_hash=None, handoff_expires_at=None, claim_hash=claim_hash)
    async with granted.reading() as tx:
        assert claimed == await tx.links.find_claim(claim_hash, now=1_599)
        assert await tx.links.find_claim(claim_hash, now=1_600) is None
        assert await tx.links.find_claim(b"claim-x", now=1_000) is None
        assert await tx.links.find_handoff(HANDOFF, now=1_000) is None


async def test_a_claim_of_a_confirmed_link_is_over(granted: Database) -> None:
    """Only a pending link can be confirmed or declined."""
    await _add(granted, link(claim_hash=b"claim", expires_at=9_000))

    async with granted.reading() as tx:
        assert await tx.links.find_claim(b"claim", now=1_000) is None


async def test_a_link_is_written_again(granted: Database) -> None:
    """What `update` is given is what stands there; a link that is gone is a `Conflict`."""
    await _add(granted, pending_link())
    async with granted.transaction() as tx:
        await tx.links.update(link(subject="subject-9"))
        assert link(subject="subject-9") == await tx.links.get("link-1")
        with pytest.raises(Conflict):
            await tx.links.update(link("2"))


async def test_a_link_is_deleted_once(granted: Database) -> None:
    """False when somebody else did."""
    await _add(granted, link())
    async with granted.transaction() as tx:
        assert [True, False] == [await tx.links.delete("link-1") for _ in range(2)]


async def test_pending_links_run_out(granted: Database) -> None:
    """Pending ones at or behind their time, the oldest first, at most so many."""
    await _add(
        granted,
        link("1", expires_at=1),
        pending_link("2", expires_at=30),
        pending_link("3", grant_id="grant-1", expires_at=10),
        pending_link("4", grant_id="grant-1", expires_at=20),
        pending_link("5", grant_id="grant-1", expires_at=31),
    )

    async with granted.reading() as tx:
        found = [one.link_id for one in await tx.links.expired(now=30, limit=9)]
        some = [one.link_id for one in await tx.links.expired(now=30, limit=1)]
    assert (["link-3", "link-4", "link-2"], ["link-3"]) == (found, some)
    assert Phase.PENDING is pending_link().phase
