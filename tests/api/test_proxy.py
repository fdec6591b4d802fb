"""The proxy: Zoom's API for a host that never sees a token."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api.installed import Installed, installed
from scripted_zoom import JANE_HERSELF, Scripted
from vector_files import cases

pytestmark = pytest.mark.anyio

# After a refresh the service itself asks whose the new token is.
OWNER_READ = Scripted(content=JANE_HERSELF)
EXPIRED = Scripted(401, {"code": 124, "message": "Access token is expired."})


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Installed]:
    """An installed service."""
    async with installed(tmp_path) as found:
        yield found


async def test_a_call_goes_through(one: Installed) -> None:
    """The call reaches Zoom unchanged, with the token, and Zoom's response is returned."""
    one.rest.script.append(
        Scripted(200, {"meetings": []}, [("x-ratelimit-remaining", "29"), ("etag", '"1"')])
    )
    response = await one.call("GET", "/v2/users/me/meetings?page_size=30&q=%C3%A9")
    assert (200, {"meetings": []}) == (response.status_code, response.json())
    assert ("zoom", "29", '"1"') == tuple(
        response.headers.get(name) for name in ("paraph-answer", "x-ratelimit-remaining", "etag")
    )
    seen = one.rest.seen[0]
    assert ("GET", "/v2/users/me/meetings?page_size=30&q=%C3%A9") == (seen.method, seen.target)
    token = (await one.stored()).tokens.access_token.reveal()
    assert f"Bearer {token}" == seen.header("authorization")


async def test_a_uuid_with_slashes_arrives_encoded_twice(one: Installed) -> None:
    """No layer decodes or encodes a meeting's UUID on its way to Zoom."""
    path = "/v2/past_meetings/%252Fajx%252FqU1Q1yYq2Vd1q3Xig%253D%253D/participants"
    one.rest.script.append(Scripted(200, {"participants": []}))
    assert 200 == (await one.call("GET", path)).status_code
    assert [path] == [seen.target for seen in one.rest.seen]


async def test_the_traversal_corpus_is_never_forwarded(one: Installed) -> None:
    """Over the whole stack no hostile path leads anywhere: 403 or 404, and Zoom sees nothing."""
    statuses = {}
    for case in (parameters.values[0] for parameters in cases("api_path")):
        if case["result"] == "invalid":
            raw = (one.zoom_path + case["path"]).encode("latin-1")
            sent = await raw_get(one, raw, case["query"].encode("latin-1"))
            statuses[case["comment"]] = sent[0]["status"]
    assert {403, 404} >= set(statuses.values())
    assert [] == one.rest.seen


async def raw_get(one: Installed, raw_path: bytes, query: bytes = b"") -> list[Any]:
    """A GET whose path no client library has touched; gives the ASGI messages of the response."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": raw_path.decode("latin-1"),
        "raw_path": raw_path,
        "query_string": query,
        "headers": [(b"authorization", one.api.headers["authorization"].encode())],
    }
    await one.kit.service.private(scope, receive, send)
    return sent


async def test_credentials_and_hop_by_hop_headers_stay_behind(one: Installed) -> None:
    """Neither way does a cookie, a credential or a header of the connection pass."""
    one.rest.script.append(
        Scripted(
            headers=[
                ("set-cookie", "a=b"),
                ("www-authenticate", "Bearer"),
                ("authorization", "Bearer leaked"),
                ("server", "zoom"),
                ("location", "https://evil.example/"),
                ("connection", "close"),
                ("paraph-answer", "paraph"),
            ]
        )
    )
    response = await one.call(
        "GET",
        "/v2/users/me",
        headers={
            "cookie": "session=1",
            "proxy-authorization": "Basic x",
            "x-forwarded-for": "10.0.0.1",
            "x-api-key": "k",
            "te": "trailers",
            "upgrade": "h2c",
            "referer": "https://host.example/",
            "accept": "application/json",
        },
    )
    seen = one.rest.seen[0]
    assert {"host", "accept", "accept-encoding", "connection", "user-agent", "authorization"} == {
        name for name, _ in seen.headers
    }
    assert one.api.headers["authorization"] != seen.header("authorization")
    for name in ("set-cookie", "www-authenticate", "authorization", "server", "location"):
        assert None is response.headers.get(name)
    assert ["zoom"] == response.headers.get_list("paraph-answer")


@pytest.mark.parametrize("name", ["accept", "content-type", "if-match", "range"])
async def test_a_header_that_is_not_text_is_never_forwarded(one: Installed, name: str) -> None:
    """Bytes that libraries read differently are refused in headers that are forwarded."""
    for value in (b"\xff\xfe", b"\xc3\xa4"):
        response = await one.call("GET", "/v2/users/me", headers=[(name.encode(), value)])
        assert (400, "usage") == (response.status_code, response.json()["code"])
    assert [] == one.rest.seen
    response = await one.call("GET", "/v2/users/me", headers=[(b"x-other", b"\xff")])
    assert 200 == response.status_code


async def test_a_redirect_is_not_followed(one: Installed) -> None:
    """A redirect becomes a problem document, and the token is sent to no other host."""
    one.rest.script.append(Scripted(302, headers=[("location", f"{one.rest.url}/elsewhere")]))
    one.rest.script.append(Scripted(302, headers=[("location", f"{one.rest.url}/elsewhere")]))
    response = await one.call("POST", "/v2/users/me/meetings", json={})
    assert (503, "transport") == (response.status_code, response.json()["code"])
    assert ["/v2/users/me/meetings"] == [seen.target for seen in one.rest.seen]


@pytest.mark.parametrize("status", [300, 304, 305, 306])
async def test_a_3xx_that_is_no_redirect_is_forwarded(one: Installed, status: int) -> None:
    """A 304 answers a question about an etag, and has no body whatever length it announces."""
    one.rest.script.append(Scripted(status, headers=[("etag", '"v2"')], pieces=[b""]))
    response = await one.call("GET", "/v2/users/me", headers={"if-none-match": '"v2"'})
    assert (status, '"v2"', b"") == (
        response.status_code,
        response.headers["etag"],
        response.content,
    )
    assert '"v2"' == one.rest.seen[0].header("if-none-match")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_forwarded(one: Installed, status: int) -> None:
    """Each of those that a client would follow ends as a problem."""
    for _ in range(2):
        one.rest.script.append(Scripted(status, headers=[("Location", "https://evil.example/")]))
    response = await one.call("GET", "/v2/users/me")
    assert (503, "transport") == (response.status_code, response.json()["code"])
    assert "location" not in response.headers


async def test_the_allow_list_counts(tmp_path: Path) -> None:
    """A call that no rule covers is a 403 and is not forwarded."""
    async with installed(tmp_path, proxy_allow=("GET /v2/users/me",)) as one:
        assert 200 == (await one.call("GET", "/v2/users/me")).status_code
        for method, path in (("DELETE", "/v2/users/me"), ("GET", "/v2/users/me/meetings")):
            response = await one.call(method, path)
            assert (403, "call_refused") == (response.status_code, response.json()["code"])
        assert 1 == len(one.rest.seen)


async def test_an_expired_token_is_refreshed_once_and_the_call_repeated(one: Installed) -> None:
    """401 with code 124: one refresh, the same call again, with its body, whatever the method."""
    before = (await one.stored()).tokens.access_token.reveal()
    one.rest.script.extend([EXPIRED, OWNER_READ, Scripted(201, {"id": 1})])
    response = await one.call("POST", "/v2/users/me/meetings", json={"topic": "x"})
    assert 201 == response.status_code
    first, _, second = one.rest.seen
    assert first.body == second.body == b'{"topic":"x"}'
    assert f"Bearer {before}" == first.header("authorization") != second.header("authorization")
    refreshes = [
        e for e in one.kit.token_requests() if ["grant_type", "refresh_token"] in e["form"]
    ]
    assert 1 == len(refreshes)


async def test_a_token_that_stays_refused_is_no_401_to_the_host(one: Installed) -> None:
    """After the fresh token is refused too: 424, no third call, no 401 like a bad key's."""
    one.rest.script.extend([EXPIRED, OWNER_READ, EXPIRED, EXPIRED])
    response = await one.call("GET", "/v2/users/me/meetings")
    assert (424, "resource_error") == (response.status_code, response.json()["code"])
    assert 2 == len(one.rest.calls("/v2/users/me/meetings"))


async def test_a_missing_scope_is_forwarded_without_a_refresh(one: Installed) -> None:
    """Zoom's refusal is forwarded if a refresh cannot help."""
    refusal = {"code": 4711, "message": "Invalid access token, does not contain scopes:[x:y]."}
    one.rest.script.append(Scripted(400, refusal))
    response = await one.call("GET", "/v2/users/me")
    assert (400, refusal, "zoom") == (
        response.status_code,
        response.json(),
        response.headers["paraph-answer"],
    )
    assert 1 == len(one.kit.token_requests())


async def test_a_dead_grant_is_reported(one: Installed) -> None:
    """Zoom refuses token and refresh: 409 with reason and reauthorize URL; then no calls."""
    one.kit.zoom.simulator.ledger.clear()
    one.rest.script.append(EXPIRED)
    for _ in range(2):
        response = await one.call("GET", "/v2/users/me")
        assert (409, "needs_reauthorization") == (response.status_code, response.json()["code"])
        assert "https://app.example/install" == response.json()["reauthorize_url"]
        assert response.json()["reason"]
    assert 1 == len(one.rest.seen)
    shown = (await one.api.get(f"/v1/installations/{one.id}")).json()
    assert "needs_reauthorization" == shown["phase"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_short_rate_limit_is_waited_for(tmp_path: Path, method: str) -> None:
    """An idempotent call waits for a limit per second, and the host sees only the response."""
    async with installed(tmp_path, proxy_allow=("* /v2/**",)) as one:
        reset = [("x-ratelimit-type", "QPS"), ("x-ratelimit-reset", str(int(time.time())))]
        one.rest.script.append(Scripted(429, {"code": 429}, reset))
        response = await one.call(method, "/v2/meetings/1")
        assert (200, 2) == (response.status_code, len(one.rest.seen))


async def test_a_rate_limited_post_is_forwarded(one: Installed) -> None:
    """A POST is not repeated: 429 with Retry-After in seconds."""
    one.rest.script.append(Scripted(429, {"code": 429}, [("retry-after", "1")]))
    response = await one.call("POST", "/v2/users/me/meetings", json={})
    assert (429, "1", 1) == (
        response.status_code,
        response.headers["retry-after"],
        len(one.rest.seen),
    )


@pytest.mark.parametrize("style", ["iso", "http-date", "reset", "seconds"])
async def test_every_style_of_a_wait_becomes_seconds(one: Installed, style: str) -> None:
    """Whichever way Zoom says when, the host reads Retry-After in seconds (RFC 9110 10.2.3)."""
    when = time.gmtime(time.time() + 3600)
    headers = {
        "iso": ("retry-after", time.strftime("%Y-%m-%dT%H:%M:%SZ", when)),
        "http-date": ("retry-after", time.strftime("%a, %d %b %Y %H:%M:%S GMT", when)),
        "reset": ("x-ratelimit-reset", str(int(time.time()) + 3600)),
        "seconds": ("retry-after", "3600"),
    }
    one.rest.script.append(Scripted(429, {"code": 429}, [headers[style]]))
    response = await one.call("GET", "/v2/users/me")
    assert 429 == response.status_code
    assert 3590 <= int(response.headers["retry-after"]) <= 3600
    assert 1 == len(one.rest.seen)


async def test_a_failing_get_is_tried_once_more_and_a_post_is_not(one: Installed) -> None:
    """After a 503 a GET is repeated; a POST may have had an effect and is not."""
    one.rest.script.append(Scripted(503))
    assert 200 == (await one.call("GET", "/v2/users/me")).status_code
    one.rest.script.append(Scripted(503))
    assert 503 == (await one.call("POST", "/v2/users/me/meetings", json={})).status_code
    assert ["GET", "GET", "POST"] == [seen.method for seen in one.rest.seen]


async def test_large_bodies_stream_both_ways(one: Installed) -> None:
    """Ten mebibytes up and down, in pieces, byte for byte, under the announced length."""
    large = bytes(range(256)) * 40960
    pieces = [large[i : i + 65536] for i in range(0, len(large), 65536)]
    one.rest.script.append(Scripted(pieces=pieces, headers=[("content-type", "video/mp4")]))
    response = await one.call(
        "POST", "/v2/users/me/meetings", content=large, headers={"content-type": "video/mp4"}
    )
    assert (200, "video/mp4") == (response.status_code, response.headers["content-type"])
    assert large == response.content
    seen = one.rest.seen[0]
    assert large == seen.body
    assert (str(len(large)), None) == (
        seen.header("content-length"),
        seen.header("transfer-encoding"),
    )


async def test_a_truncated_response_stays_truncated(one: Installed) -> None:
    """A body that Zoom did not finish is not finished here either."""
    one.rest.script.append(Scripted(200, pieces=[b"beginning"], cut=True))
    sent = await raw_get(one, f"{one.zoom_path}/v2/users/me".encode())
    assert 200 == sent[0]["status"]
    assert all(message["more_body"] for message in sent[1:])


async def test_an_announced_flood_is_refused_before_it_is_read(one: Installed) -> None:
    """A body over the limit, in or out, is a problem document and is not held in memory."""
    response = await one.call(
        "POST", "/v2/users/me/meetings", headers={"content-length": "99999999999"}, content=b""
    )
    assert 413 == response.status_code
    one.rest.script.append(Scripted(200, pieces=[], headers=[("content-length", str(1 << 40))]))
    response = await one.call("POST", "/v2/users/me/meetings", json={})
    assert (502, "answer_too_large") == (response.status_code, response.json()["code"])


async def test_the_subject_header_must_fit(one: Installed) -> None:
    """A call with a subject succeeds only for that subject's installation."""
    good = {"paraph-subject": "zoom:AbcDEFghiJKLmnoPQRst01:KDcuGIm1QgePTO8WbOqwIQ"}
    assert 200 == (await one.call("GET", "/v2/users/me", headers=good)).status_code
    for bad in ("someone", "", "%ff"):
        response = await one.call("GET", "/v2/users/me", headers={"paraph-subject": bad})
        assert (404, "not_found") == (response.status_code, response.json()["code"])
    assert 1 == len(one.rest.seen)


async def test_the_subject_header_is_refused_outside_the_proxy(one: Installed) -> None:
    """A call that was bound to a subject never becomes another call by its path."""
    path = f"/v1/installations/{one.id}"
    for method, target in (
        ("GET", path),
        ("DELETE", path),
        ("POST", f"{path}/access-token"),
        ("GET", "/v1/installations"),
        ("GET", "/v1/audit"),
        ("POST", "/v1/link-requests"),
        ("GET", "/v1/nothing"),
    ):
        for name in ("paraph-subject", "Paraph-Subject", "paraph-answer"):
            response = await one.api.request(method, target, headers={name: "jane"})
            assert (422, "malformed") == (response.status_code, response.json()["code"])
    assert 200 == (await one.api.get(path)).status_code


async def test_a_query_for_a_credential_is_never_forwarded(one: Installed) -> None:
    """No wildcard of the allow-list passes a query field that hands out a credential."""
    for query in (
        "include_fields=download_access_token",
        "a;zak=1",
        "include_fields%5B%5D=Download%5FAccess%5FToken",
    ):
        response = await one.call("GET", f"/v2/meetings/5/recordings?{query}")
        assert (403, "call_refused") == (response.status_code, response.json()["code"])
    assert [] == one.rest.seen


async def test_after_removal_nothing_is_called(one: Installed) -> None:
    """A removed installation is a 404 at once."""
    assert 200 == (await one.api.delete(f"/v1/installations/{one.id}")).status_code
    assert 404 == (await one.call("GET", "/v2/users/me")).status_code
    assert [] == one.rest.seen
