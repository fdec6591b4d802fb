from __future__ import annotations

from dataclasses import replace

import pytest

from paraph.model.installation import Installation
from paraph.storage.database import Database
from storage.sample import ACCOUNT, CLIENT, grant, link, pending_link

pytestmark = pytest.mark.anyio


@pytest.fixture
async def installed(store: Database) -> Database:
    """Installations 1 to 3, a pending one in 4, and one of another client in 5."""
    elsewhere = replace(grant("3").identity, account_id="elsewhere")
    foreign = replace(grant("5").identity, client_id="foreign")
    async with store.transaction() as tx:
        for one in (grant("1"), grant("2"), grant("3", identity=elsewhere), grant("4")):
            await tx.grants.add(one)
        await tx.grants.add(grant("5", identity=foreign))
        # Inserted against their order, so that the order is the store's work.
        for mark in "321":
            await tx.links.add(link(mark))
        await tx.links.add(pending_link("4"))
        await tx.links.add(link("5", client_id="foreign", subject="subject-1"))
    return store


async def test_an_installation_is_a_grant_with_its_link(installed: Database) -> None:
    """By the link's id, whatever its phase."""
    async with installed.reading() as tx:
        assert Installation(grant("1"), link("1")) == await tx.installations.get("link-1")
        assert Installation(grant("4"), pending_link("4")) == await tx.installations.get("link-4")
        assert await tx.installations.get("link-9") is None


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, "123"),
        ({"subject": "subject-2"}, "2"),
        ({"subject": "SUBJECT-2"}, ""),
        ({"subject_prefix": "subject-"}, "123"),
        ({"subject_prefix": "subject-3"}, "3"),
        ({"subject_prefix": "subject-1", "subject": "subject-2"}, ""),
        ({"subject_prefix": "%"}, ""),
        ({"subject_prefix": "subject_"}, ""),
        ({"account_id": ACCOUNT}, "12"),
        ({"account_id": ACCOUNT.lower()}, ""),
        ({"user_id": "user-3"}, "3"),
        ({"account_id": ACCOUNT, "user_id": "user-3"}, ""),
        ({"after": "link-1"}, "23"),
        ({"after": "link-3"}, ""),
    ],
)
async def test_a_page_holds_what_was_asked_for(
    installed: Database, filters: dict[str, str], found: str
) -> None:
    """This client's active ones, filtered literally and byte for byte, in order of their id."""
    async with installed.reading() as tx:
        page = await tx.installations.page(CLIENT, **filters)  # type: ignore[arg-type]  # No filter names `limit`.

    assert [f"link-{mark}" for mark in found] == [one.link.link_id for one in page]


async def test_a_prefix_is_compared_byte_for_byte(installed: Database) -> None:
    """A key limited to the tenant `Subject-` must not see the tenant `subject-`."""
    async with installed.reading() as tx:
        assert [] == list(await tx.installations.page(CLIENT, subject_prefix="SUBJECT-"))


async def test_pages_follow_each_other(installed: Database) -> None:
    """The last id of one page is where the next begins; nothing is skipped or repeated."""
    seen: list[str] = []
    async with installed.reading() as tx:
        while page := await tx.installations.page(CLIENT, after=seen[-1] if seen else "", limit=1):
            seen += [one.link.link_id for one in page]

    assert ["link-1", "link-2", "link-3"] == seen


async def test_active_installations_by_id(installed: Database) -> None:
    """Those of the given links that are active, ordered by id; others are left out."""
    async with installed.reading() as tx:
        found = await tx.installations.active(["link-2", "link-4", "unknown", "link-1"])
        assert [] == list(await tx.installations.active([]))

    assert [Installation(grant(mark), link(mark)) for mark in "12"] == list(found)
