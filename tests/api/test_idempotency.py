"""Idempotency keys: a repeated request gets the same response and has no further effect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from lifecycle.linking import claim, handoff_of
from service_kit import Kit, running

pytestmark = pytest.mark.anyio

BODY = {"subject": "tenant:jane", "challenge": "c" * 43}


@pytest.fixture
async def kit(tmp_path: Path, database_url: str) -> AsyncIterator[Kit]:
    """A running service on every kind of store."""
    async with running(tmp_path, linking="host", database_url=database_url) as found:
        yield found


async def ask(api: httpx.AsyncClient, key: str, **changes: str) -> httpx.Response:
    """A link request with an idempotency key."""
    return await api.post(
        "/v1/link-requests", json={**BODY, **changes}, headers={"idempotency-key": key}
    )


async def test_a_repeated_request_gets_the_same_response(kit: Kit) -> None:
    """Byte for byte, marked as a replay, and only one link request was made."""
    async with await kit.api("link") as api:
        first, second = await ask(api, "k-1"), await ask(api, "k-1")
        assert (201, first.content) == (second.status_code, second.content)
        assert (None, "true") == (
            first.headers.get("idempotent-replay"),
            second.headers.get("idempotent-replay"),
        )
        assert first.content != (await ask(api, "k-2")).content
        assert first.json()["install_url"].encode() not in await kit_database(kit)


async def kit_database(kit: Kit) -> bytes:
    """Every byte that the store has written, where that is a file of ours."""
    if not kit.settings.database_url.startswith("sqlite"):
        return b""
    folder = Path(kit.settings.database_url.removeprefix("sqlite:///")).parent
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


async def test_another_request_under_the_same_key_is_a_conflict(kit: Kit) -> None:
    """A key stands for one request."""
    async with await kit.api("link") as api:
        await ask(api, "k-1")
        response = await ask(api, "k-1", subject="tenant:ravi")
        assert (409, "idempotency_key_reused") == (response.status_code, response.json()["code"])


async def test_the_key_of_another_api_key_is_another_key(kit: Kit) -> None:
    """Two hosts may use the same text and learn nothing of each other."""
    async with await kit.api("link") as one, await kit.api("link") as other:
        first, second = await ask(one, "k-1"), await ask(other, "k-1")
        assert first.status_code == second.status_code == 201
        assert first.content != second.content


async def test_many_at_once_are_done_once(kit: Kit) -> None:
    """One call succeeds; the others repeat its response or are told that it is under way."""
    async with await kit.api("link") as api:
        responses = await asyncio.gather(*(ask(api, "k-1") for _ in range(12)))
        assert {201, 409} >= {response.status_code for response in responses}
        assert 1 == len({response.content for response in responses if response.status_code == 201})
        for response in responses:
            if response.status_code == 409:
                assert "idempotency_key_in_use" == response.json()["code"]


async def test_a_refusal_is_not_kept(kit: Kit) -> None:
    """A refused request changed nothing, so it may be repeated."""
    async with await kit.api("link") as api:
        assert 422 == (await ask(api, "k-1", challenge="short")).status_code
        assert 201 == (await ask(api, "k-1")).status_code


async def test_an_invalid_idempotency_key(kit: Kit) -> None:
    """Empty, too long, twice, or with blanks: 422; without a live API key: 401 as ever."""
    async with await kit.api("link") as api:
        for bad in ("", "a b", "k" * 256):
            assert 422 == (await ask(api, bad)).status_code
        twice = [("idempotency-key", "a"), ("idempotency-key", "b")]
        response = await api.post("/v1/link-requests", json=BODY, headers=twice)
        assert 422 == response.status_code
        del api.headers["authorization"]
        assert 401 == (await ask(api, "k-1")).status_code


async def test_it_expires_after_a_day(kit: Kit) -> None:
    """Housekeeping deletes expired responses."""
    context = kit.service.context
    async with await kit.api("link") as api:
        first = await ask(api, "k-1")
        async with context.store.transaction() as tx:
            assert 0 == await tx.idempotency.delete_expired(now=context.now())
            assert 1 == await tx.idempotency.delete_expired(now=context.now() + 86401)
        assert first.content != (await ask(api, "k-1")).content


async def test_a_response_without_a_body_is_repeated_without_one(kit: Kit) -> None:
    """A 204 has neither content nor a length (RFC 9110 section 8.6)."""
    async with await kit.api("link") as api:
        claimed = (await claim(api, await handoff_of(kit, api, "tenant:jane"))).json()["claim"]
        for replay in (None, "true"):
            done = await api.post(
                f"/v1/claims/{claimed}/decline", headers={"idempotency-key": "k-1"}
            )
            assert (204, b"", replay) == (
                done.status_code,
                done.content,
                done.headers.get("idempotent-replay"),
            )
            assert "content-length" not in done.headers
