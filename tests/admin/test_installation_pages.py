"""Installations by page."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from admin.operators import Desk
from paraph.admin import timeline
from paraph.lifecycle import audit
from paraph.model.event import EventStatus
from service_kit import ACCOUNT, JANE, RAVI

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


async def _path(desk: Desk) -> str:
    (one,) = await desk.kit.installations()
    return f"/admin/installations/{one.link.link_id}"


async def test_one_installation_with_its_timeline(signed_in: Desk) -> None:
    """Proofs, refreshes, events and notices of this user are on one page; no secret, no e-mail."""
    context = signed_in.kit.service.context
    (one,) = await signed_in.kit.installations()
    dead = await signed_in.keep(1, user_id=JANE, concerned=(JANE,))
    foreign = await signed_in.keep(2, user_id=RAVI, concerned=(RAVI,))
    async with context.store.transaction() as tx:
        person = context.identifier(ACCOUNT, JANE)
        await audit.record(tx, context, "grant.refreshed", person=person)
        await audit.record(tx, context, "grant.renewed", person=context.identifier(ACCOUNT, RAVI))
    page = (await signed_in.get(await _path(signed_in))).text
    for text in (
        f"/admin/events/{dead}",
        "raised: CanaryCause",
        "Proof: state",
        "Proof: pkce",
        "grant.<wbr>refreshed",
        "installation.<wbr>activated",
        "notice of this service",
    ):
        assert text in page, text
    for text in (foreign, "grant.<wbr>renewed", one.grant.email, "canary-topic"):
        assert text not in page, text
    assert one.grant.tokens.access_token.reveal() not in page


async def test_the_timeline_page_by_page(signed_in: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each entry stands on exactly one page, also where many are of one second."""
    monkeypatch.setattr(timeline, "PAGE", 4)
    kept = [
        await signed_in.keep(
            number,
            user_id=JANE,
            concerned=(JANE,),
            received_at=signed_in.began - 500 - number // 6,
            status=EventStatus.FORWARDED,
        )
        for number in range(12)
    ]
    path, seen, lines = await _path(signed_in), [], 0
    for _ in range(99):
        page = (await signed_in.get(path)).text
        seen += re.findall(r'href="/admin/events/([0-9a-f]{64})"', page)
        lines += page.count('<li class="proof">')
        older = re.search(r'href="([^"]+)">Older</a>', page)
        if older is None:
            break
        path = older[1]
    assert sorted(kept) == sorted(seen)
    assert 5 == lines


@pytest.mark.parametrize("before", ["x", "-1", "1.99999", "9" * 12, "%00"])
async def test_an_invalid_position_is_not_found(signed_in: Desk, before: str) -> None:
    """The page repeats nothing of it."""
    assert 404 == (await signed_in.get(f"{await _path(signed_in)}?before={before}")).status_code


async def test_an_installation_of_another_app_is_not_found(signed_in: Desk) -> None:
    """Neither its page nor its export exists here; an unknown id is the same 404."""
    context, path = signed_in.kit.service.context, await _path(signed_in)
    (one,) = await signed_in.kit.installations()
    other = replace(
        one.grant, grant_id="other", identity=replace(one.grant.identity, client_id="x")
    )
    async with context.store.transaction() as tx:
        await tx.grants.add(other)
        await tx.links.add(replace(one.link, link_id="foreign", grant_id="other", client_id="x"))
    assert 200 == (await signed_in.get(path)).status_code
    for wanted in ("foreign", "unknown"):
        assert 404 == (await signed_in.get(f"/admin/installations/{wanted}")).status_code
        assert 404 == (await signed_in.press(f"/admin/installations/{wanted}/export")).status_code


async def test_the_export_is_a_file_and_audited(signed_in: Desk) -> None:
    """It needs the session's CSRF token, names the operator, and holds no token."""
    (one,) = await signed_in.kit.installations()
    path = f"{await _path(signed_in)}/export"
    assert 403 == (await signed_in.client.post(path, data={"csrf_token": "0" * 64})).status_code
    assert "user.exported" not in [action for action, _ in await signed_in.audited()]
    exported = await signed_in.press(path)
    assert exported.headers["content-disposition"].startswith("attachment;")
    assert JANE == exported.json()["zoom"]["user_id"]
    assert one.grant.email == exported.json()["grant"]["email"]
    assert one.grant.tokens.access_token.reveal() not in exported.text
    action, details = (await signed_in.audited())[-1]
    assert ("user.exported", True) == (action, bool(details["operator"]))
