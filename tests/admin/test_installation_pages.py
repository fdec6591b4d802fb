"""Installations by page."""

from __future__ import annotations

import pytest

from admin.operators import Desk
from service_kit import ACCOUNT, JANE

pytestmark = pytest.mark.anyio


async def test_what_is_installed(signed_in: Desk) -> None:
    """Subject, Zoom ids, phase and proofs are shown."""
    page = (await signed_in.get("/admin/installations")).text
    for text in (f"zoom:{ACCOUNT}:{JANE}", ">active<", ACCOUNT, JANE, "pkce", "scopes"):
        assert text in page


async def test_behind_the_last_there_are_no_more(signed_in: Desk) -> None:
    """The page says that there are no more; an invalid cursor is not found."""
    page = (await signed_in.get("/admin/installations?after=zzzz")).text
    assert "No more." in page and JANE not in page
    assert 404 == (await signed_in.get("/admin/installations?after=%00")).status_code
