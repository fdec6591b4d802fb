"""Redirects and vends are answered on the fast path as on the ASGI path, byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from api.installed import SUBJECT, installed
from paraph.errors import StorageError
from paraph.http.fast_path.batch import Batch, FindRoute
from paraph.lifecycle.api_key import create_key, revoke_key
from paraph.service.fast_routes import private_fast_routes, public_fast_routes
from service.connection_kit import ITERATIONS, Transport, connection
from service_kit import Kit, running

pytestmark = pytest.mark.anyio


async def told(
    app: Any, find_route: FindRoute | None, pieces: Sequence[bytes]
) -> tuple[bytes, bool]:
    """All that is written, until nothing more comes; and whether the connection has ended."""
    async with connection(app, find_route) as (serving, transport):
        for piece in pieces:
            if not transport.closed:
                serving.data_received(piece)
            written = None
            while written != transport.written:
                written = transport.written
                for _ in range(ITERATIONS):
                    await asyncio.sleep(0)
                await asyncio.sleep(0.02)
        return transport.written, transport.closed


def get(target: bytes, *headers: bytes, method: bytes = b"GET") -> bytes:
    """A request without a body."""
    return b"\r\n".join(
        [b"%b %b HTTP/1.1" % (method, target), b"host: app.example", *headers, b"", b""]
    )


REDIRECT = b"/oauth/redirect"
FORGED = REDIRECT + b"?code=" + b"c" * 33 + b"&state=" + b"s" * 43
OURS = b"cookie: __Host-paraph-1785369054-" + b"A" * 22 + b"=abc"
REDIRECTS = {
    "forged": get(FORGED),
    "forged twice at once": get(FORGED) * 2,
    "without state": get(REDIRECT + b"?code=abc"),
    "no query": get(REDIRECT),
    "an empty query": get(REDIRECT + b"?"),
    "a no": get(REDIRECT + b"?error=access_denied&state=abc"),
    "a no without state": get(REDIRECT + b"?error=access_denied"),
    "twice the state": get(FORGED + b"&state=x"),
    "a broken escape": get(FORGED + b"%zz"),
    "an encoded name": get(REDIRECT + b"?c%6fde=a&st%61te=b"),
    "too long": get(FORGED + b"x" * 5000),
    "a fragment": get(FORGED + b"#x"),
    "high bytes": get(FORGED + b"\xff\xe9"),
    "two question marks": get(FORGED + b"?state=2"),
    "a cookie of ours": get(FORGED, OURS),
    "two cookies of ours": get(FORGED, OURS, OURS),
    "other cookies": get(FORGED, b"cookie: a=b; c"),
    "a prefetch": get(FORGED, b"sec-purpose: prefetch"),
    "a body": get(FORGED, b"content-length: 3") + b"abc",
    "chunks": get(FORGED, b"transfer-encoding: chunked") + b"0\r\n\r\n",
    "another method": get(FORGED, method=b"HEAD"),
    "a post": get(FORGED, b"content-length: 0", method=b"POST"),
    "another spelling": get(b"/oauth/%72edirect?code=a&state=b"),
    "a slash more": get(b"/oauth/redirect/?code=a&state=b"),
    "an absolute target": get(b"http://app.example" + FORGED),
    "in clear": get(FORGED, b"x-forwarded-proto: http"),
    "closes": get(FORGED, b"connection: close"),
    "expects": get(FORGED, b"expect: 100-continue"),
    "version 1.0": get(FORGED).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "upgrade": get(FORGED, b"connection: upgrade", b"upgrade: websocket"),
    "garbage behind": get(FORGED) + b"\0\0\r\n\r\n",
    "a page behind": get(FORGED) + get(b"/healthz"),
    "behind a page": get(b"/healthz") + get(FORGED),
}


@asynccontextmanager
async def trusting(folder: Path) -> AsyncIterator[Kit]:
    """A service behind a proxy on this machine."""
    from ipaddress import ip_network

    async with running(folder, trusted_proxies=(ip_network("127.0.0.0/8"),)) as kit:
        yield kit


async def test_redirects_are_answered_alike(tmp_path: Path) -> None:
    """Each of these, whole and in two pieces; and refusals are counted alike."""
    async with trusting(tmp_path) as kit:
        service = kit.service
        for name, raw in REDIRECTS.items():
            for pieces in ([raw], [raw[:40], raw[40:]]):
                asgi = await told(service.public, None, pieces)
                assert (
                    await told(service.public, public_fast_routes(service.public), pieces) == asgi
                ), name
        assert kit.token_requests() == []


async def test_a_forged_redirect_makes_no_scope(tmp_path: Path) -> None:
    """The fast path is really taken: ASGI hears nothing of a forged redirect."""

    async def deaf(_scope: Any, _receive: Any, _send: Any) -> None:
        raise AssertionError("ASGI was asked")

    async with running(tmp_path) as kit:
        written, closed = await told(deaf, public_fast_routes(kit.service.public), [get(FORGED)])
    assert (written[:24], closed) == (b"HTTP/1.1 400 Bad Request", False)


async def test_vends_are_answered_alike(tmp_path: Path) -> None:
    """The token, and each reason why there is none; whole, in pieces, and behind each other."""
    async with installed(tmp_path) as one:
        kit = one.kit
        path = f"/v1/installations/{one.id}/access-token".encode()
        keys = {
            scope: (await create_key(kit.service.context, label="t", scopes=[scope])).reveal()
            for scope in ("vend", "read")
        }
        limited = await create_key(
            kit.service.context, label="t", scopes=["vend"], subject_prefix="other"
        )

        def post(body: bytes, key: str = keys["vend"], at: bytes = path, *more: bytes) -> bytes:
            headers = [b"authorization: Bearer " + key.encode(), *more]
            length = b"content-length: %d" % len(body)
            return get(at, *headers, length, method=b"POST") + body

        good = b'{"subject":"%b"}' % SUBJECT.encode()
        cases = {
            "a token": post(good),
            "two tokens": post(good) * 2,
            "another subject": post(b'{"subject":"somebody"}'),
            "no json": post(b"nothing"),
            "bytes": post(b"\xff\xfe"),
            "no body": post(b""),
            "more than asked for": post(b'{"subject":"a","more":1}'),
            "another scope": post(good, keys["read"]),
            "other subjects": post(good, limited.reveal()),
            "an unknown key": post(good, keys["vend"][:-1] + "x"),
            "no key": post(good, "nobody"),
            "two keys": post(good, keys["vend"], path, b"authorization: Bearer x"),
            "an unknown installation": post(good, at=b"/v1/installations/none/access-token"),
            "an id that is none": post(good, at=b"/v1/installations/a%20b/access-token"),
            "a query": post(good, at=path + b"?x=1"),
            "a header without meaning": post(good, keys["vend"], path, b"Paraph-Subject: a"),
            "too long": post(b" " * 5000),
            "too long, behind noughts": post(good + b" " * 5000).replace(
                b"content-length: ", b"content-length: 000000"
            ),
            "a read behind": post(good) + get(b"/metrics", method=b"POST"),
            "by get": get(path, b"authorization: Bearer " + keys["vend"].encode()),
            "chunks": get(
                path,
                b"authorization: Bearer " + keys["vend"].encode(),
                b"transfer-encoding: chunked",
                method=b"POST",
            )
            + b"%x\r\n%b\r\n0\r\n\r\n" % (len(good), good),
        }
        service = kit.service
        routes = private_fast_routes(service.api)
        for name, raw in cases.items():
            for pieces in ([raw], [raw[:-3], raw[-3:]], [raw[:30], raw[30:]]):
                asgi = await told(service.private, None, pieces)
                assert await told(service.private, routes, pieces) == asgi, name
        written, _ = await told(service.private, routes, [cases["a token"]])
        assert written.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"cache-control: no-store" in written
        odd = cases["a header without meaning"]
        written, _ = await told(service.private, routes, [odd])
        assert written.startswith(b"HTTP/1.1 422 ")


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(
    ("error", "status"),
    [(RuntimeError("a-canary"), b"500"), (StorageError("a-canary"), b"503")],
    ids=["nobody foresaw it", "the database is away"],
)
async def test_a_read_that_fails_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, status: bytes, *, later: bool
) -> None:
    """On the fast path as on the ASGI path, and read once: no stack trace, no second wait."""
    async with running(tmp_path) as kit:
        key = await create_key(kit.service.context, label="t", scopes=["vend"])
        asked: list[Any] = []

        def broken(questions: Any) -> Any:
            asked.append(questions)
            if not later:
                raise error
            failed = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            return failed

        monkeypatch.setattr(kit.service.context.store, "look_up_access", broken)
        raw = get(
            b"/v1/installations/x/access-token",
            b"authorization: Bearer " + key.reveal().encode(),
            b"content-length: 2",
            method=b"POST",
        )
        service = kit.service
        asgi = await told(service.private, None, [raw + b"{}"])
        fast = await told(service.private, private_fast_routes(service.api), [raw + b"{}"])
    assert fast == asgi
    assert len(asked) == 2
    assert fast[0].startswith(b"HTTP/1.1 %b " % status)
    assert b"a-canary" not in fast[0]


async def test_a_batch_is_read_once_and_each_batch_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One statement, after all have arrived, reads for all; a later batch sees later changes."""
    async with installed(tmp_path) as one:
        service = one.kit.service
        store, batch = service.context.store, Batch()
        keys = [await create_key(service.context, label="t", scopes=["vend"]) for _ in range(2)]
        path = f"/v1/installations/{one.id}/access-token".encode()
        body = b'{"subject":"%b"}' % SUBJECT.encode()
        vends = [
            get(
                path,
                b"authorization: Bearer " + key.reveal().encode(),
                b"content-length: %d" % len(body),
                method=b"POST",
            )
            + body
            for key in keys
        ]
        asked: list[int] = []
        look_up_access = store.look_up_access

        def count(questions: Sequence[tuple[str, str]]) -> Any:
            asked.append(len(questions))
            return look_up_access(questions)

        monkeypatch.setattr(store, "look_up_access", count)

        async def statuses(lines: Sequence[tuple[Any, Transport]]) -> list[bytes]:
            before = [len(transport.written) for _, transport in lines]
            for (serving, _), vend in zip(lines, vends, strict=True):
                serving.data_received(vend)
            assert asked == [], "nothing is read before the batch has ended"
            for _ in range(ITERATIONS):
                await asyncio.sleep(0)
            return [
                transport.written[start + 9 : start + 12]
                for (_, transport), start in zip(lines, before, strict=True)
            ]

        async with (
            connection(service.private, private_fast_routes(service.api), batch=batch) as first,
            connection(service.private, private_fast_routes(service.api), batch=batch) as second,
        ):
            assert await statuses([first, second]) == [b"200", b"200"]
            assert asked == [2]
            await revoke_key(service.context, keys[0].reveal().split("_")[1])
            asked.clear()
            assert await statuses([first, second]) == [b"401", b"200"]
            async with store.transaction() as tx:
                await tx.grants.delete((await one.stored()).grant_id)
            asked.clear()
            assert await statuses([first, second]) == [b"401", b"404"]


async def test_the_fast_path_follows_the_path_of_public_url(tmp_path: Path) -> None:
    """Below a path it answers the same URLs, and those without the path are not its own."""
    async with running(tmp_path, public_url="https://app.example/zoom") as kit:
        find = public_fast_routes(kit.service.public)
        assert find(b"/zoom/webhook") is not None
        assert find(b"/zoom/oauth/redirect?code=a") is not None
        assert find(b"/webhook") is None
        assert find(b"/oauth/redirect?code=a") is None
        forged = get(b"/zoom" + FORGED)
        fast, _ = await told(kit.service.public, find, [forged])
        plain, _ = await told(kit.service.public, None, [forged])
        assert b" 400 " in fast.partition(b"\r\n")[0]
        assert fast == plain
