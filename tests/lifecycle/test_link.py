"""Linking: the one who finishes must be the one who started, and says yes to both accounts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from lifecycle.linking import NONCE, challenge_of, claim, confirm, handoff_of, install_url, link
from paraph.lifecycle.link import expire_pending
from paraph.lifecycle.link_request import open_request
from paraph.secret import Secret
from service_kit import JANE, RAVI, Kit, agree_as, running

pytestmark = pytest.mark.anyio


@pytest.fixture
async def kit(tmp_path: Path, database_url: str) -> AsyncIterator[Kit]:
    """A service that links to a host, on every kind of store."""
    async with running(tmp_path, linking="host", database_url=database_url) as kit:
        yield kit


async def test_the_whole_way(kit: Kit) -> None:
    """Link request, proofs, handoff, claim, confirm: active, with six proofs."""
    api = await kit.api()
    handoff = await handoff_of(kit, api, "tenant:ada")
    claimed = (await claim(api, handoff)).json()
    assert (claimed["subject"], claimed["zoom"]["user_id"]) == ("tenant:ada", JANE)
    assert claimed["replaces"] == []
    assert (await api.get("/v1/installations")).json()["installations"] == []
    installed = (await confirm(api, claimed["claim"], "tenant:ada")).json()
    words = {one["name"]: one["word"] for one in installed["proofs"]}
    assert (installed["phase"], len(words), words["confirmation"]) == ("active", 6, "host")


async def test_a_cross_site_request_starts_nothing(kit: Kit) -> None:
    """Sent by another site: a page with a button, and the request is still there."""
    api = await kit.api()
    url = await install_url(api, "tenant:ada")
    async with kit.browser() as browser:
        page = await browser.get(url, headers={"sec-fetch-site": "cross-site"})
        assert page.status_code == 200
        assert len(browser.cookies) == 0
        assert parse_qs(urlsplit(url).query)["request"][0] not in page.text
        assert (await browser.get(url)).status_code == 303


async def test_without_a_request_the_host_decides(kit: Kit) -> None:
    """A start without a link request goes to the host, which signs the person in."""
    async with kit.browser() as browser:
        for path in ("/install", "/marketplace"):
            answer = await browser.get(path)
            assert (
                answer.status_code,
                answer.headers["location"],
            ) == (303, "https://host.example/zoom/start")


async def test_a_handoff_in_another_session_is_refused(kit: Kit) -> None:
    """Another session's verifier opens nothing, and spoils nothing for the owner."""
    api = await kit.api()
    handoff = await handoff_of(kit, api, "tenant:ada")
    assert (await claim(api, handoff, "m" * 43)).status_code == 404
    assert (await claim(api, handoff, "short")).status_code == 404
    assert (await claim(api, "x" * 43)).status_code == 404
    assert (await claim(api, handoff)).status_code == 200
    assert (await claim(api, handoff)).status_code == 404


async def test_another_subject_cannot_confirm(kit: Kit) -> None:
    """Only the subject that started may confirm."""
    api = await kit.api()
    code = (await claim(api, await handoff_of(kit, api, "tenant:ada"))).json()["claim"]
    assert (await confirm(api, code, "tenant:ben")).status_code == 404
    assert (await confirm(api, code, "tenant:ada")).status_code == 200
    assert (await confirm(api, code, "tenant:ada")).status_code == 404


async def test_declining_ends_the_grant(kit: Kit) -> None:
    """No: the link goes, and since nobody else needs it the grant is revoked at Zoom."""
    from paraph.operations.housekeeping import revoke_due

    api = await kit.api()
    code = (await claim(api, await handoff_of(kit, api, "tenant:ada"))).json()["claim"]
    assert (await api.post(f"/v1/claims/{code}/decline")).status_code == 204
    await revoke_due(kit.service.context)
    assert kit.zoom.simulator.ledger.grants == {}


async def test_an_unconfirmed_link_is_declined_by_time(kit: Kit) -> None:
    """After ten minutes it is as if the person had said no."""
    api = await kit.api()
    code = (await claim(api, await handoff_of(kit, api, "tenant:ada"))).json()["claim"]
    context = kit.service.context
    later = replace(context, clock=lambda: context.clock() + 601)
    assert await expire_pending(later) == 1
    assert (await confirm(api, code, "tenant:ada")).status_code == 404


async def test_a_handoff_lives_a_minute(kit: Kit) -> None:
    """After sixty seconds a handoff opens nothing."""
    from paraph.errors import NotFound
    from paraph.lifecycle.link import claim as open_handoff

    api = await kit.api()
    handoff = await handoff_of(kit, api, "tenant:ada")
    context = kit.service.context
    later = replace(context, clock=lambda: context.clock() + 61)
    with pytest.raises(NotFound):
        await open_handoff(later, handoff=Secret(handoff), verifier=NONCE)


async def test_a_re_consent_keeps_the_link_active_throughout(kit: Kit) -> None:
    """The link neither moves nor pauses, and declining the new one does not end it."""
    api = await kit.api()
    before = await link(kit, api, "tenant:ada")
    code = (await claim(api, await handoff_of(kit, api, "tenant:ada"))).json()["claim"]
    (during,) = (await api.get("/v1/installations")).json()["installations"]
    assert (before, "active") == (during["id"], during["phase"])
    assert (await api.post(f"/v1/claims/{code}/decline")).status_code == 204
    (after,) = (await api.get("/v1/installations")).json()["installations"]
    assert before == after["id"]
    (grant,) = kit.zoom.simulator.ledger.grants.values()
    (kept,) = await kit.installations()
    assert grant.access_token == kept.grant.tokens.access_token.reveal()


async def test_moving_to_another_subject_needs_an_explicit_yes(kit: Kit) -> None:
    """The same Zoom user for another subject: refused without `move`, and said who loses it."""
    api = await kit.api()
    first = await link(kit, api, "tenant:ada")
    claimed = (await claim(api, await handoff_of(kit, api, "tenant:ben"))).json()
    assert [first] == [one["installation_id"] for one in claimed["replaces"]]
    assert (await confirm(api, claimed["claim"], "tenant:ben")).status_code == 409
    (still,) = (await api.get("/v1/installations")).json()["installations"]
    assert still["subject"] == "tenant:ada"
    assert (await confirm(api, claimed["claim"], "tenant:ben", move=True)).status_code == 200
    (moved,) = (await api.get("/v1/installations")).json()["installations"]
    assert moved["subject"] == "tenant:ben"


async def test_moving_to_another_zoom_user_ends_the_old_grant(kit: Kit) -> None:
    """A subject that connects another Zoom user leaves nothing of the first one behind."""
    api = await kit.api()
    await link(kit, api, "tenant:ada")
    agree_as(kit.zoom, RAVI)
    await link(kit, api, "tenant:ada", move=True)
    (one,) = (await api.get("/v1/installations")).json()["installations"]
    assert one["zoom"]["user_id"] == RAVI


async def test_a_key_sees_only_its_subjects(kit: Kit) -> None:
    """Outside a key's prefix and scopes: 404 and 403, as if there were nothing."""
    whole = await kit.api()
    installation = await link(kit, whole, "tenant:ada")
    other = await kit.api("read", "link", subject_prefix="rival:")
    assert (await other.get("/v1/installations")).json()["installations"] == []
    assert (await other.get(f"/v1/installations/{installation}")).status_code == 404
    body = {"subject": "tenant:ada", "challenge": challenge_of(NONCE)}
    assert (await other.post("/v1/link-requests", json=body)).status_code == 404
    reader = await kit.api("read")
    assert (await reader.post("/v1/link-requests", json=body)).status_code == 403


async def test_a_limited_key_learns_and_ends_nothing_of_another_tenant(kit: Kit) -> None:
    """The same Zoom user at two tenants: the second one's key neither names nor moves the first."""
    whole = await kit.api()
    first = await link(kit, whole, "tenant:ada")
    rival = await kit.api("link", subject_prefix="rival:")
    claimed = await claim(rival, await handoff_of(kit, rival, "rival:eve"))
    assert [] == claimed.json()["replaces"]
    assert "tenant:ada" not in claimed.text
    refused = await confirm(rival, claimed.json()["claim"], "rival:eve", move=True)
    assert (409, "link_conflict") == (refused.status_code, refused.json()["code"])
    (still,) = (await whole.get("/v1/installations")).json()["installations"]
    assert (first, "tenant:ada") == (still["id"], still["subject"])


async def test_a_key_of_another_tenant_spoils_no_handoff_and_no_claim(kit: Kit) -> None:
    """With the handoff, the nonce and even the claim in hand: 404, and the owner goes on."""
    owner = await kit.api(subject_prefix="tenant:")
    rival = await kit.api("link", subject_prefix="rival:")
    handoff = await handoff_of(kit, owner, "tenant:ada")
    assert 404 == (await claim(rival, handoff)).status_code
    code = (await claim(owner, handoff)).json()["claim"]
    assert 404 == (await rival.post(f"/v1/claims/{code}/decline")).status_code
    assert 200 == (await confirm(owner, code, "tenant:ada")).status_code


async def test_a_flood_of_invented_requests_meets_a_rate_limit(
    kit: Kit,
) -> None:
    """Too many from one address: 429 before the store is asked, and a live link stays live."""
    api = await kit.api()
    url = await install_url(api, "tenant:ada")
    async with kit.browser() as browser:
        answers = [await browser.get(f"/install?request={'x' * 43}") for _ in range(200)]
        assert {404, 429} == {answer.status_code for answer in answers}
        assert 429 == (await browser.get(url)).status_code
    code = Secret(parse_qs(urlsplit(url).query)["request"][0])
    assert "tenant:ada" == (await open_request(kit.service.context, code)).subject


async def test_what_is_not_confirmed_is_no_installation_yet(kit: Kit) -> None:
    """By its id nobody reads or ends it: with it would go what another subject has."""
    api = await kit.api("link", "read", "remove")
    active = await link(kit, api, "tenant-a:ada")
    await handoff_of(kit, api, "tenant-b:bob")
    async with kit.service.context.store.reading() as tx:
        (pending,) = await tx.links.expired(now=10**11, limit=9)
    async with await kit.api("read", "remove", "vend", subject_prefix="tenant-b:") as limited:
        for key in (limited, api):
            for method in ("GET", "DELETE"):
                answer = await key.request(method, f"/v1/installations/{pending.link_id}")
                assert 404 == answer.status_code
        vended = await limited.post(
            f"/v1/installations/{pending.link_id}/access-token", json={"subject": "tenant-b:bob"}
        )
        assert 404 == vended.status_code
    assert 200 == (await api.get(f"/v1/installations/{active}")).status_code
