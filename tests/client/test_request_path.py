"""No caller's id or path reaches another call of the service than the one that was meant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from paraph.calls.arguments import caller_headers
from paraph.client import AsyncClient, Client
from paraph.client.request_path import demand_intended, service_url, zoom_path
from paraph.errors import CallRefused, NotFound, UsageError
from vector_files import cases

OWN, OTHER = "Own0000000000000000000", "Other00000000000000000"
HOSTILE_PATHS = (
    "/../../Other/zoom/v2/users/me",
    f"/v2/../../../{OTHER}",
    f"/../../{OTHER}",
    "/users/..",
    "/users/./me",
    "/users/%2e%2e/me",
    "/users/.%2E/me",
    "/users/%252e%252e/me",
    "/meetings/a%252Fb",
    "/users/%252Fajx%252FqU1Q1yYq2Vd1q3Xig%253D%253D",
    "/users/..%2f..%2fme",
    "/users\\..\\me",
    "/users/..;/me",
    "/users//me",
    "//users/me",
    "",
    "/",
    "users/me",
    "/users/me?x=1",
    "/users/me#x",
    "/users/me\r\nX: y",
    "/users/\x00",
    "/users/\x7f",
    "/users/\u2024\u2024/me",
    "https://evil.example/v2/users/me",
    "//evil.example/v2/users/me",
    "@evil.example/v2/users",
)
HOSTILE_IDS = (
    "",
    ".",
    "..",
    "%2e%2e",
    "a/b",
    "a\\b",
    "a?b",
    "a#b",
    "a\nb",
    "ä",
    "a" * 129,
    "a%2Fb",
)


class Recorder:
    """A service that notes every request and answers each of them."""

    def __init__(self) -> None:
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Note one request."""
        self.seen.append(request)
        return httpx.Response(200, json={}, headers={"paraph-answer": "zoom"})


def synchronous(service: Recorder, name: str, *args: Any, on: str = "", **more: Any) -> None:
    """Make a call with the synchronous client; `on` is the id of an installation."""
    with Client("http://service:8001", "key", transport=httpx.MockTransport(service)) as client:
        target: Any = client.installation("jane", installation_id=on) if on else client
        getattr(target, name)(*args, **more)


def asynchronous(service: Recorder, name: str, *args: Any, on: str = "", **more: Any) -> None:
    """Make a call with the asynchronous client; `on` is the id of an installation."""

    async def work() -> None:
        transport = httpx.MockTransport(service)
        async with AsyncClient("http://service:8001", "key", transport=transport) as client:
            target: Any = client.installation("jane", installation_id=on) if on else client
            await getattr(target, name)(*args, **more)

    asyncio.run(work())


Call = Callable[..., None]
BOTH = pytest.mark.parametrize("call", [synchronous, asynchronous])


@BOTH
def test_a_hostile_path_is_never_sent(call: Call) -> None:
    """A path that a library or a server could read as another one is refused before it leaves."""
    service = Recorder()
    for method in ("GET", "DELETE"):
        for path in HOSTILE_PATHS:
            with pytest.raises(CallRefused):
                call(service, "request", method, path, on=OWN)
    assert [] == service.seen


@BOTH
def test_a_hostile_id_is_never_sent(call: Call) -> None:
    """An id is one segment of plain characters in every call that takes one."""
    service = Recorder()
    for hostile in HOSTILE_IDS:
        calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
            ("status", (), {"on": hostile or "."}),
            ("remove", (), {"on": hostile or "."}),
            ("access_token", (), {"on": hostile or "."}),
            ("confirm", (hostile,), {"subject": "jane"}),
            ("decline", (hostile,), {}),
            ("get", ("/users/me",), {"on": hostile or "."}),
            ("claim", (hostile,), {"nonce": "n" * 43}),
        ]
        for name, args, more in calls:
            with pytest.raises(NotFound):
                call(service, name, *args, **more)
    assert [] == service.seen


@BOTH
def test_a_header_of_the_clients_own_is_refused(call: Call) -> None:
    """A caller's header changes neither whose call it is nor where it ends."""
    service = Recorder()
    for name in ("Authorization", "HOST", "Paraph-Subject", "paraph-anything", "Cookie"):
        with pytest.raises(CallRefused):
            call(service, "request", "GET", "/users/me", headers={name: "x"}, on=OWN)
    assert [] == service.seen


@BOTH
def test_a_method_is_one_word(call: Call) -> None:
    """A method with blanks or line ends would be a request of the caller's own making."""
    service = Recorder()
    for method in ("", "GET /v1/audit", "GET\r\nX: y", "G\u00cbT", "GET/"):
        with pytest.raises(CallRefused):
            call(service, "request", method, "/users/me", on=OWN)
    assert [] == service.seen


@BOTH
def test_a_plain_path_arrives_as_it_is_written(call: Call) -> None:
    """Every character that Zoom's ids need arrives byte for byte, with the query behind it."""
    service = Recorder()
    for path in ("/v2/users/jane+x%40b.example", "/users/a~b_c-d.e@f=g:h,i", "/files/.hidden"):
        call(service, "get", path, {"a": "b/../c?d#e"}, on=OWN)
        whole = path if path.startswith("/v2/") else f"/v2{path}"
        raw = service.seen[-1].url.raw_path.partition(b"?")[0].decode()
        assert f"/v1/installations/{OWN}/zoom{whole}" == raw
        assert "b/../c?d#e" == service.seen[-1].url.params["a"]


@pytest.mark.parametrize("case", cases("api_path"))
def test_client_and_service_refuse_the_same_paths(case: dict[str, Any]) -> None:
    """The client sends no path that the service's own rule refuses."""
    if case["query"] or len(case["path"]) > 1024 or not case["path"].startswith("/v2/"):
        return
    try:
        taken = zoom_path(case["path"])
    except CallRefused:
        taken = ""
    assert (case["path"] if case["result"] == "valid" else "") == taken


@pytest.mark.parametrize(
    "url",
    ["", "service:8001", "ftp://service", "http://", "http://u:p@service", "http://s/?a=b", "//s"],
)
def test_the_services_url_is_a_plain_one(url: str) -> None:
    """Credentials, a query or a missing host in the URL are named at once."""
    with pytest.raises(UsageError):
        service_url(url)


def variations() -> Iterator[str]:
    """URLs that a library could have made of a path."""
    yield "http://service:8001/v1/installations/b"
    yield "http://service:8001/v1/installations"
    yield "https://service:8001/v1/installations/a"
    yield "http://service:8002/v1/installations/a"
    yield "http://other:8001/v1/installations/a"


def test_a_url_that_came_out_differently_is_refused() -> None:
    """The URL that was built is compared with the one that was meant, whatever the library does."""
    base = service_url("http://service:8001/")
    path = "/v1/installations/a"
    demand_intended(httpx.Request("GET", f"http://service:8001{path}?x=1"), base, path)
    for url in variations():
        with pytest.raises(CallRefused):
            demand_intended(httpx.Request("GET", url), base, path)


@pytest.mark.parametrize(
    ("name", "value"),
    [("x-a", "b\r\nparaph-subject: c"), ("x\r\ny", "z"), ("authorization ", "z"), ("", "z")],
)
def test_a_header_is_one_header(name: str, value: str) -> None:
    """A name is a word, and a value has no line end."""
    with pytest.raises(CallRefused):
        caller_headers({name: value})


@pytest.mark.parametrize("url", ["http://127.0.0.1:8001?", "http://127.0.0.1:8001#"])
def test_the_services_url_ends_with_no_mark(url: str) -> None:
    """An empty query would change every URL that is made from it."""
    with pytest.raises(UsageError):
        service_url(url)
