"""The search by an id."""

from __future__ import annotations

import pytest

from admin.operators import Desk
from service_kit import ACCOUNT, JANE

pytestmark = pytest.mark.anyio


async def test_each_kind_of_id_leads_to_its_page(signed_in: Desk) -> None:
    """An event by its beginning; an installation by its own id, its user, account and subject."""
    event_id = await signed_in.keep(0xABCDEF << 200, received_at=1_000)
    (one,) = await signed_in.kit.installations()
    installation = f"/admin/installations/{one.link.link_id}"
    for wanted, place in (
        (event_id[:20], f"/admin/events/{event_id}"),
        (one.link.link_id, installation),
        (JANE, installation),
        (ACCOUNT, installation),
        (one.link.subject, installation),
        (f"  {JANE} ", installation),
    ):
        found = await signed_in.client.get("/admin/search", params={"id": wanted})
        assert (303, place) == (found.status_code, found.headers.get("location")), wanted


@pytest.mark.parametrize("wanted", ["", "nothing-has-this", "%%%%", "<script>", JANE.lower()])
async def test_an_unknown_id_finds_nothing(signed_in: Desk, wanted: str) -> None:
    """Ids are compared byte for byte, and the text is escaped."""
    page = await signed_in.client.get("/admin/search", params={"id": wanted})
    assert 200 == page.status_code
    assert ("Enter the complete id" if not wanted else "Nothing has the id") in page.text
    assert "<script>" not in page.text and ACCOUNT not in page.text


@pytest.mark.parametrize("wanted", ["\0", "a\nb", "x" * 256])
async def test_what_is_no_id_is_refused(signed_in: Desk, wanted: str) -> None:
    """Control characters never reach a database, and a text has a limit."""
    page = await signed_in.client.get("/admin/search", params={"id": wanted})
    assert 404 == page.status_code
