"""Installations over the management API: pages, one, removal; and the audit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.installed import SUBJECT, Installed, installed
from paraph.operations.housekeeping import revoke_due
from service_kit import ACCOUNT, JANE

pytestmark = pytest.mark.anyio


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Installed]:
    """An installed service."""
    async with installed(tmp_path) as found:
        yield found


async def test_found_by_subject_by_zoom_ids_and_by_id(one: Installed) -> None:
    """The same installation, whichever way it is asked for; no token in it."""
    shown = (await one.api.get(f"/v1/installations/{one.id}")).json()
    assert (one.id, SUBJECT, "active", JANE) == (
        shown["id"],
        shown["subject"],
        shown["phase"],
        shown["zoom"]["user_id"],
    )
    for query in ({"subject": SUBJECT}, {"account_id": ACCOUNT, "user_id": JANE}):
        page = (await one.api.get("/v1/installations", params=query)).json()
        assert {"installations": [shown], "next": None} == page
    assert [] == (await one.api.get("/v1/installations?user_id=x")).json()["installations"]
    tokens = (await one.stored()).tokens
    assert tokens.access_token.reveal() not in str(shown)


@pytest.mark.parametrize("query", ["&" * 4000, "a=b&" * 40, "%61=&" * 800, "a=" + "%" * 2000])
async def test_the_parts_of_a_query_are_counted_first(one: Installed, query: str) -> None:
    """FastAPI parses the whole query before it requires the key, so its length is limited first."""
    response = await one.api.get(f"/v1/installations?{query}", headers={"authorization": ""})
    assert (422, "malformed") == (response.status_code, response.json()["code"])


async def test_the_longest_subject_is_found_in_escapes_alone(one: Installed) -> None:
    """A subject of 255 characters of four bytes each is a query like any other."""
    response = await one.api.get("/v1/installations", params={"subject": "\U0001f600" * 255})
    assert (200, []) == (response.status_code, response.json()["installations"])


async def test_another_tenants_key_sees_nothing(one: Installed) -> None:
    """Outside a key's prefix there is a 404 for everything, the same as for an unknown id."""
    async with await one.kit.api("read", "remove", "proxy", subject_prefix="b:") as foreign:
        unknown = await foreign.get("/v1/installations/AAAAAAAAAAAAAAAAAAAAAA")
        assert 404 == unknown.status_code
        for response in (
            await foreign.get(f"/v1/installations/{one.id}"),
            await foreign.delete(f"/v1/installations/{one.id}"),
            await foreign.get(f"/v1/installations/{one.id}/zoom/v2/users/me"),
        ):
            assert unknown.content == response.content
        assert [] == (await foreign.get("/v1/installations")).json()["installations"]
        assert 403 == (await foreign.get("/v1/audit")).status_code


async def test_the_export_of_a_user_needs_an_unlimited_key(one: Installed) -> None:
    """It holds the user's installation and no token; a limited key and unknown ids get nothing."""
    ids = {"account_id": ACCOUNT, "user_id": JANE}
    exported = await one.api.post("/v1/user-export", json=ids)
    assert (200, one.id) == (exported.status_code, exported.json()["links"][0]["installation_id"])
    tokens = (await one.stored()).tokens
    assert tokens.access_token.reveal() not in exported.text
    unknown = await one.api.post("/v1/user-export", json={**ids, "user_id": JANE.lower()})
    assert 404 == unknown.status_code
    async with await one.kit.api("read", subject_prefix=SUBJECT) as limited:
        assert 403 == (await limited.post("/v1/user-export", json=ids)).status_code


async def test_an_export_is_never_repeated_from_a_stored_response(one: Installed) -> None:
    """After a removal the same idempotency key gets the present data; each call is audited."""
    headers = {"idempotency-key": "export-1"}
    ids = {"account_id": ACCOUNT, "user_id": JANE}
    first = await one.api.post("/v1/user-export", json=ids, headers=headers)
    assert (200, one.id) == (first.status_code, first.json()["links"][0]["installation_id"])
    await one.api.delete(f"/v1/installations/{one.id}")
    second = await one.api.post("/v1/user-export", json=ids, headers=headers)
    assert (200, [], None) == (
        second.status_code,
        second.json()["links"],
        second.headers.get("idempotent-replay"),
    )
    async with one.kit.service.context.store.reading() as tx:
        entries = await tx.audit.page(after=0, limit=99)
    assert 2 == [entry.action for entry in entries].count("user.exported")


@pytest.mark.parametrize("name", ["account_id", "user_id"])
async def test_two_ids_in_one_are_refused(one: Installed, name: str) -> None:
    """No id of Zoom's has a space; so a list of users is an error, not an unknown user."""
    ids = {"account_id": ACCOUNT, "user_id": JANE, name: "user-1 user-2"}
    assert 422 == (await one.api.post("/v1/user-export", json=ids)).status_code


async def test_removal_is_dead_here_at_once_and_then_at_zoom(one: Installed) -> None:
    """A receipt, then 404 for every call; the token is revoked at Zoom as well."""
    token = (await one.vend()).json()["access_token"]
    receipt = (await one.api.delete(f"/v1/installations/{one.id}")).json()
    assert (one.id, "removed by the host", 1) == (
        receipt["installation_id"],
        receipt["reason"],
        receipt["destroyed"]["grants"],
    )
    for response in (
        await one.vend(),
        await one.api.get(f"/v1/installations/{one.id}"),
        await one.api.delete(f"/v1/installations/{one.id}"),
    ):
        assert 404 == response.status_code
    await revoke_due(one.kit.service.context)
    assert one.kit.zoom.simulator.ledger.by_access_token(token)[0] is None


async def test_a_revocation_waits_for_a_zoom_that_is_away(one: Installed) -> None:
    """Removal does not wait for Zoom; the revocation is kept until it is done."""
    one.kit.zoom.stop()
    assert 200 == (await one.api.delete(f"/v1/installations/{one.id}")).status_code
    assert 404 == (await one.vend()).status_code
    context = one.kit.service.context
    await revoke_due(context)
    async with context.store.reading() as tx:
        waiting = await tx.revocations.due(now=context.now() + 3600, limit=9)
    assert 1 == len(waiting)


async def test_a_scope_for_each_act(one: Installed) -> None:
    """A call without its scope is a 403 and changes nothing."""
    async with await one.kit.api("link") as linker:
        statuses = [
            (await linker.get("/v1/installations")).status_code,
            (await linker.get(f"/v1/installations/{one.id}")).status_code,
            (await linker.delete(f"/v1/installations/{one.id}")).status_code,
            (await linker.get(f"/v1/installations/{one.id}/zoom/v2/users/me")).status_code,
            (await linker.get("/v1/audit")).status_code,
            (await linker.post("/v1/audit/verify", json={})).status_code,
        ]
    assert [403] * 6 == statuses
    assert 200 == (await one.vend()).status_code


async def test_the_audit_is_paged_and_verified(one: Installed) -> None:
    """Every entry once, in order; the chain is whole, and a head that the log kept is compared."""
    page = (await one.api.get("/v1/audit?limit=1")).json()
    entries = page["entries"]
    while page["next"] is not None:
        page = (await one.api.get(f"/v1/audit?limit=1&after={page['next']}")).json()
        entries += page["entries"]
    assert list(range(1, len(entries) + 1)) == [entry["sequence"] for entry in entries]
    assert "link.activated" in {entry["action"] for entry in entries}
    assert SUBJECT not in str(entries)
    assert (await one.api.post("/v1/audit/verify")).json()["whole"]
    verdict = (await one.api.post("/v1/audit/verify", json={})).json()
    assert (True, len(entries)) == (verdict["whole"], verdict["entries"])
    heads = {"heads": {"1": "0" * 64}}
    verdict = (await one.api.post("/v1/audit/verify", json=heads)).json()
    assert (False, 1) == (verdict["whole"], verdict["broken_at"])


async def test_the_document_needs_a_key_and_is_openapi_3_1(one: Installed) -> None:
    """Every route is in it, vending and proxy included."""
    document = (await one.api.get("/v1/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert {
        "/v1/link-requests",
        "/v1/handoffs/claim",
        "/v1/installations/{installation_id}/access-token",
        "/v1/installations/{installation_id}/zoom/v2/{path}",
        "/v1/audit/verify",
    } <= set(document["paths"])
    response = await one.api.get("/v1/openapi.json", headers={"authorization": "Bearer x"})
    assert (401, "application/problem+json") == (
        response.status_code,
        response.headers["content-type"],
    )


async def test_text_that_no_database_can_store_is_malformed(
    tmp_path: Path, database_url: str
) -> None:
    """A NUL in an id or a cursor is refused as such, and no store is said to be down."""
    async with installed(tmp_path, database_url=database_url) as one:
        for name in ("after", "subject", "account_id", "user_id"):
            response = await one.api.get(f"/v1/installations?{name}=a%00")
            assert (422, "malformed") == (response.status_code, response.json()["code"]), name
        events = await one.api.get("/v1/events?after=a%00")
        assert (422, "malformed") == (events.status_code, events.json()["code"])
        for method in ("GET", "DELETE"):
            response = await one.api.request(method, "/v1/installations/a%00")
            assert (422, "malformed") == (response.status_code, response.json()["code"])
