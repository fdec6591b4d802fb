"""The client against a real service on real sockets, each rule for both of its kinds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from api.installed import SUBJECT, Installed, installed
from api.private_socket import private_url
from paraph.client import AsyncClient, Client
from paraph.client.problem import problem_for
from paraph.errors import (
    ApiKeyMissing,
    CallRefused,
    LinkConflict,
    NeedsReauthorization,
    NotFound,
    ParaphError,
    ServiceUnreachable,
    StorageError,
    UsageError,
)
from scripted_zoom import Scripted
from service_kit import JANE, PUBLIC_URL, RAVI, agree_as, running

pytestmark = pytest.mark.anyio
NONCE = "n" * 43
OTHER = "m" * 43


class Asynchronous:
    """Drives the asynchronous client."""

    def __init__(self, url: str, key: str) -> None:
        self.client = AsyncClient(url, key)

    async def do(self, name: str, *args: Any, **more: Any) -> Any:
        """Call a method to its end."""
        result = getattr(self.client, name)(*args, **more)
        if isinstance(result, AsyncIterator):
            return [one async for one in result]
        return await result

    async def use(self, name: str, *args: Any, subject: str = SUBJECT, **more: Any) -> Any:
        """Call a method of a subject's installation."""
        return await getattr(self.client.installation(subject), name)(*args, **more)

    async def close(self) -> None:
        """Close all connections."""
        await self.client.close()


class Synchronous:
    """Drives the synchronous client, in a thread as its users do."""

    def __init__(self, url: str, key: str) -> None:
        self.client = Client(url, key)

    async def do(self, name: str, *args: Any, **more: Any) -> Any:
        """Call a method to its end."""

        def work() -> Any:
            result = getattr(self.client, name)(*args, **more)
            return list(result) if isinstance(result, Iterator) else result

        return await asyncio.to_thread(work)

    async def use(self, name: str, *args: Any, subject: str = SUBJECT, **more: Any) -> Any:
        """Call a method of a subject's installation."""
        method = getattr(self.client.installation(subject), name)
        return await asyncio.to_thread(method, *args, **more)

    async def close(self) -> None:
        """Close all connections."""
        self.client.close()


Driver = Asynchronous | Synchronous


@pytest.fixture(params=[Asynchronous, Synchronous])
def kind(request: pytest.FixtureRequest) -> type[Driver]:
    """Both kinds."""
    kind: type[Driver] = request.param
    return kind


@contextlib.asynccontextmanager
async def driven(
    folder: Path, kind: type[Driver], **changes: Any
) -> AsyncIterator[tuple[Installed, Driver]]:
    """An installed service, and a client of it."""
    async with installed(folder, **changes) as one, private_url(one.kit.service) as url:
        key = one.api.headers["authorization"].removeprefix("Bearer ")
        client = kind(url, key)
        try:
            yield one, client
        finally:
            await client.close()


async def test_what_is_installed(tmp_path: Path, kind: type[Driver]) -> None:
    """Found by each filter, with its proofs, page by page."""
    async with driven(tmp_path, kind) as (one, client):
        agree_as(one.kit.zoom, RAVI)
        one.rest.ordinary = Scripted(content={"id": RAVI, "account_id": "AbcDEFghiJKLmnoPQRst01"})
        async with one.kit.browser() as browser:
            await one.kit.install(browser)
        found = await client.do("installations", page_size=1)
        assert {JANE, RAVI} == {each.zoom.user_id for each in found}
        jane = await client.use("status")
        assert ("active", SUBJECT) == (jane.phase, jane.subject)
        assert [jane] == await client.do("installations", subject=SUBJECT)
        assert [jane] == await client.do("installations", user_id=JANE)
        assert jane.proofs


async def test_vending_and_calling(tmp_path: Path, kind: type[Driver]) -> None:
    """A token that no repr shows; calls of Zoom with its response unchanged, errors too."""
    async with driven(tmp_path, kind) as (one, client):
        token = await client.use("access_token")
        assert token.access_token not in repr(token)
        assert (await one.stored()).tokens.access_token.reveal() == token.access_token
        for path in ("/users/me", "/v2/users/me"):
            response = await client.use("request", "GET", path)
            assert (200, JANE) == (response.status, response.json()["id"])
        one.rest.script.append(Scripted(404, {"code": 1001}))
        response = await client.use("get", "/users/x", a="b c")
        assert (404, {"code": 1001}) == (response.status, response.json())
        assert "/v2/users/x?a=b+c" == one.rest.seen[-1].target
        one.rest.script.append(Scripted(429, {}, [("retry-after", "77")]))
        response = await client.use("post", "/users/me/meetings", {"topic": "x"})
        assert (429, 77) == (response.status, response.retry_after)


async def test_linking_a_signed_in_user(tmp_path: Path, kind: type[Driver]) -> None:
    """The four steps of a host: request, claim with the session's nonce only, confirm; decline."""
    async with running(tmp_path, linking="host") as kit, private_url(kit.service) as url:
        api = await kit.api("link", "read")
        client = kind(url, api.headers["authorization"].removeprefix("Bearer "))
        handoffs = []
        for _ in range(2):
            made = await client.do("request_link", "tenant:jane", nonce=NONCE, return_to="p-1")
            assert made.install_url not in repr(made)
            async with kit.browser() as browser:
                back = await kit.install(browser, made.install_url.removeprefix(PUBLIC_URL))
            handoffs.append(parse_qs(urlsplit(back.headers["location"]).query)["handoff"][0])
        with pytest.raises(NotFound):
            await client.do("claim", handoffs[0], nonce=OTHER)
        claim = await client.do("claim", handoffs[0], nonce=NONCE)
        assert ("tenant:jane", JANE, ()) == (claim.subject, claim.zoom.user_id, claim.replaces)
        with pytest.raises(NotFound):
            await client.do("confirm", claim.claim, subject="tenant:ravi")
        confirmed = await client.do("confirm", claim, subject="tenant:jane")
        assert "active" == confirmed.phase
        second = await client.do("claim", handoffs[1], nonce=NONCE)
        assert None is await client.do("decline", second)
        assert [confirmed] == await client.do("installations")
        await client.close()
        await api.aclose()


async def test_removal_and_audit(tmp_path: Path, kind: type[Driver]) -> None:
    """A receipt; the audit holds it, in order, and verifies."""
    async with driven(tmp_path, kind) as (one, client):
        receipt = await client.use("remove")
        assert (one.id, 1) == (receipt.installation_id, receipt.destroyed["grants"])
        entries = await client.do("audit", page_size=1)
        assert "grant.removed" == entries[-1].action
        verdict = await client.do("verify_audit", {1: entries[0].digest})
        assert (True, len(entries)) == (verdict.whole, verdict.entries)
        document = await client.do("openapi")
        assert document["openapi"].startswith("3.1")
        with pytest.raises(NotFound):
            await client.use("remove")


async def test_every_refusal_is_an_exception_of_its_own(tmp_path: Path, kind: type[Driver]) -> None:
    """Each reaction of a caller has its own class."""
    async with driven(tmp_path, kind) as (one, client):
        with pytest.raises(NotFound) as missing:
            await client.use("access_token", subject="someone")
        assert (404, "not_found") == (missing.value.status, missing.value.code)
        assert missing.value.remedy
        with pytest.raises(CallRefused):
            await client.use("delete", "/users/me")
        with pytest.raises(CallRefused):
            await client.use("get", "/users/a b")
        with pytest.raises(UsageError):
            await client.do("request_link", "a\x00b", nonce=NONCE)
        one.kit.zoom.simulator.ledger.clear()
        await one.expire()
        with pytest.raises(NeedsReauthorization) as dead:
            await client.use("access_token")
        assert "https://app.example/install" == dead.value.reauthorize_url
        assert dead.value.reason
        async with private_url(one.kit.service) as url:
            stranger = kind(url, "paraph_000000000000_" + "x" * 43)
            with pytest.raises(ApiKeyMissing):
                await stranger.use("status")
            await stranger.close()
        with pytest.raises(ServiceUnreachable):
            await client_without_service(kind)


async def client_without_service(kind: type[Driver]) -> None:
    """A call to a port without a listener."""
    client = kind("http://127.0.0.1:9", "key")
    try:
        await client.use("status")
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (409, "link_conflict", LinkConflict),
        (503, "storage", StorageError),
        (418, "teapot", UsageError),
    ],
)
def test_problems_become_classes(status: int, code: str, expected: type[ParaphError]) -> None:
    """By code where there is a class for it, else by status; all under the root of the errors."""
    problem = problem_for(status, {"code": code, "title": "t"}, retry_after="7")
    assert (expected, 7) == (type(problem), problem.retry_after)
    assert isinstance(problem, ParaphError)


@pytest.mark.parametrize("members", [["reauthorize_url", "mend_url"], ["mend_url"]])
def test_the_old_name_of_the_reauthorize_url_warns(members: list[str]) -> None:
    """`mend_url` still works with a warning; a service of version 0.1 sends only that member."""
    document = {"code": "needs_reauthorization", **dict.fromkeys(members, "https://a.example/x")}
    problem = problem_for(409, document, retry_after=None)
    assert isinstance(problem, NeedsReauthorization)
    assert "https://a.example/x" == problem.reauthorize_url
    with pytest.warns(DeprecationWarning, match="use reauthorize_url"):
        assert "https://a.example/x" == problem.mend_url
