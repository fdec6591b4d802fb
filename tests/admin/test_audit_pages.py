"""The audit by page."""

from __future__ import annotations

import re
import sqlite3

import pytest

from admin.operators import Desk
from paraph.admin.audit_pages import PAGE
from paraph.lifecycle import audit

pytestmark = pytest.mark.anyio


async def test_newest_first_page_by_page(signed_in: Desk) -> None:
    """Each entry once, down to the first."""
    context = signed_in.kit.service.context
    async with context.store.transaction() as tx:
        for number in range(PAGE * 2):
            await audit.record(tx, context, "test.done", number=str(number))
    path, seen = "/admin/audit", []
    while path:
        page = (await signed_in.get(path)).text
        seen += [int(one) for one in re.findall(r'class="number">([0-9]+)<', page)]
        older = re.search(r'href="(/admin/audit\?before=[0-9]+)">Older</a>', page)
        path = older[1] if older else ""
    assert list(range(len(seen), 0, -1)) == seen
    assert len(seen) > PAGE * 2


async def test_the_chain_is_verified_on_request(signed_in: Desk) -> None:
    """It is whole; once an entry was changed, the page names it."""
    whole = await signed_in.press("/admin/audit/verify")
    assert (200, True) == (whole.status_code, "The chain is whole" in whole.text)
    database = signed_in.kit.settings.database_url.removeprefix("sqlite:///")
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE audit_entries SET action = 'x' WHERE sequence = 2")
    connection.close()
    broken = await signed_in.press("/admin/audit/verify")
    assert "The chain is broken at entry 2" in broken.text


@pytest.mark.parametrize("before", ["0", "1", "999999999999999999"])
async def test_any_number_is_a_position(signed_in: Desk, before: str) -> None:
    """Before the first entry there is nothing; after the last one stand the newest."""
    assert 200 == (await signed_in.get(f"/admin/audit?before={before}")).status_code


@pytest.mark.parametrize("before", ["-1", "x", "1e3", "9999999999999999999", "%00", "%C2%B2"])
async def test_a_position_that_is_not_a_number_is_not_found(signed_in: Desk, before: str) -> None:
    """It is a 404, never an error of the database."""
    assert 404 == (await signed_in.get(f"/admin/audit?before={before}")).status_code
