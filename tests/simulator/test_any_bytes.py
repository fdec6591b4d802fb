"""Any bytes at any endpoint: never a 500 that nobody asked for.

`make fuzz-simulator` runs these with 20 000 examples, a plain test run with a few.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from paraph.simulator.app import create_app, create_simulator
from paraph.simulator.engine import Consent, Simulator
from paraph.simulator.pytest_plugin import SimulatedZoom
from paraph.simulator.state.world import Account, App, User, World, Zoom, default_world
from simulator.openapi import _GRANTS, _PARAMETERS, openapi_of, routes_of

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))
# What the simulator says when its own code has failed; no fault says it.
FAILED = b"The simulator has failed."
QUIET = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]


def fuzz(share: float) -> settings:
    """Settings for a part of all examples."""
    return settings(
        max_examples=max(3, int(EXAMPLES * share)),
        deadline=None,
        suppress_health_check=QUIET,
        database=None,
    )


# ---------------------------------------------------------------- without a socket

awkward = st.sampled_from(
    ["", "me", "null", "[", "http://[", "http://a:99999/", "%", "%zz", "\x00", "\ud800", "a" * 3000]
)
text = st.one_of(awkward, st.text(max_size=40))
header_bytes = st.one_of(
    st.binary(max_size=60).map(lambda raw: raw.replace(b"\n", b"").replace(b"\r", b"")),
    st.sampled_from(
        [b"Bearer x", b"Basic !!!!", b"Basic Og==", b"Basic /w==", b"application/json"]
    ),
)
header_names = st.sampled_from(
    [
        *(b"authorization", b"cookie", b"content-type", b"origin", b"host", b"accept"),
        *(b"sec-fetch-site", b"content-length", b"x-zm-request-id", b"referer"),
    ]
)


@st.composite
def paths(draw: st.DrawFn, simulator: Simulator) -> tuple[str, str]:
    """A method and a path that there is, its parameters filled in with anything."""
    method, path = draw(st.sampled_from(routes_of(simulator)))
    parts = path.split("/")
    # A server decodes a path with replacements, so that no lone surrogate comes this far.
    whole = text.map(lambda value: value.encode("utf-8", "replace").decode())
    fill = st.one_of(whole, st.sampled_from([simulator.world.apps[0].client_id, "me"]))
    return method, "/".join(draw(fill) if part.startswith("{") else part for part in parts)


def parameters(simulator: Simulator) -> st.SearchStrategy[str]:
    """A query or a form with known names, and values that lead some way."""
    app = simulator.world.apps[0]
    names = st.sampled_from([*_PARAMETERS, "grant_type", "client_assertion", "index"])
    values = st.one_of(
        text,
        st.sampled_from([*_GRANTS, app.client_id, app.client_secret, *app.redirect_uris, "code"]),
        st.sampled_from([user.id for user in simulator.world.users]),
    )
    pairs = st.lists(st.tuples(names, values), max_size=8)
    return pairs.map(lambda found: urlencode(found, errors="surrogatepass"))


async def ask(
    app: Any, method: str, path: str, *, query: bytes, headers: Any, body: bytes
) -> bytes:
    """The answer of an application to one request, as status and body."""
    sent: list[Any] = []
    received = [
        {"type": "http.request", "body": body[: len(body) // 2], "more_body": True},
        {"type": "http.request", "body": body[len(body) // 2 :], "more_body": False},
    ]

    async def receive() -> Any:
        return received.pop(0) if received else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogatepass"),
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
    }
    async with asyncio.timeout(20):
        await app(scope, receive, send)
    assert sent, "no answer at all"
    status = b"%d " % sent[0]["status"]
    return status + b"".join(message.get("body", b"") for message in sent[1:])


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One event loop for all examples of a module."""
    running = asyncio.new_event_loop()
    yield running
    running.close()


@given(data=st.data())
@fuzz(0.5)
def test_any_request_gets_a_response(loop: asyncio.AbstractEventLoop, data: st.DataObject) -> None:
    """Whatever stands in path, query, headers and body, the answer is no failure."""
    simulator = create_simulator(default_world())
    if data.draw(st.booleans()):
        simulator.consent = Consent("approve", simulator.world.users[0].id)
    method, path = data.draw(paths(simulator))
    query = data.draw(st.one_of(parameters(simulator).map(str.encode), st.binary(max_size=80)))
    form = parameters(simulator).map(str.encode)
    body = data.draw(st.one_of(form, st.binary(max_size=300), st.just(b"{}"), st.just(b"[" * 9000)))
    headers = data.draw(st.lists(st.tuples(header_names, header_bytes), max_size=4))
    fitting = [
        (b"host", b"127.0.0.1"),
        (b"origin", b"http://127.0.0.1"),
        (
            b"content-type",
            data.draw(st.sampled_from([b"application/json", b"application/x-www-form-urlencoded"])),
        ),
    ]
    chosen = [*fitting, *headers] if data.draw(st.booleans()) else headers
    response = loop.run_until_complete(
        ask(create_app(simulator), method, path, query=query, headers=chosen, body=body)
    )
    assert not response.startswith(b"500")


def worlds() -> st.SearchStrategy[World]:
    """Worlds that the control API takes, with values that nobody would write."""
    # JSON and TOML cannot say a lone surrogate.
    sayable = text.map(lambda value: value.encode("utf-8", "replace").decode())
    url = st.one_of(
        st.sampled_from(["http://127.0.0.1:9/", "http://[", "x", "", "https://a.example/?b=c#d"]),
        sayable,
    )
    app = st.builds(
        App,
        client_id=st.just("cid"),
        client_secret=sayable,
        webhook_secret=sayable,
        kind=st.sampled_from(["general", "server-to-server"]),
        account_id=sayable,
        redirect_uris=st.lists(url, max_size=2),
        allow_list=st.lists(url, max_size=2),
        strict_mode=st.booleans(),
        subdomain_strict_mode=st.booleans(),
        install_type=st.sampled_from(["APP_DIRECTORY", "LANDING_PAGE"]),
        landing_url=url,
        event_url=st.just(""),
        deauthorization_url=st.just(""),
        scopes=st.lists(sayable, max_size=2),
        optional_scopes=st.lists(sayable, max_size=2),
        level=st.sampled_from(["user", "account"]),
        public=st.booleans(),
        published=st.booleans(),
        home_url=url,
        token_format=st.sampled_from(["jwt", "opaque"]),
    )
    user = st.builds(
        User, id=sayable, account_id=st.just("acc"), email=sayable, display_name=sayable
    )
    return st.builds(
        World,
        accounts=st.just([Account(id="acc")]),
        users=st.lists(user, max_size=2),
        apps=app.map(lambda one: [one]),
        zoom=st.builds(
            Zoom,
            strict=st.booleans(),
            localhost_redirects=st.sampled_from(["allowed", "refused"]),
            api_url=url,
        ),
    )


@given(data=st.data(), world=worlds())
@fuzz(0.2)
def test_any_world_can_be_lived_in(
    loop: asyncio.AbstractEventLoop, data: st.DataObject, world: World
) -> None:
    """In a world of any strings, console, listing, authorization, tokens and events all answer."""
    simulator = create_simulator(world)
    simulator.consent = Consent(data.draw(st.sampled_from(["ask", "approve", "deny"])), "")
    app = create_app(simulator)
    one = world.apps[0]
    uri = data.draw(st.sampled_from([*one.redirect_uris, "https://other.example/", "http://["]))
    query = urlencode(
        {"response_type": "code", "client_id": "cid", "redirect_uri": uri, "state": "s"},
        errors="surrogatepass",
    ).encode()
    form = urlencode(
        {
            "grant_type": data.draw(st.sampled_from(_GRANTS)),
            "client_id": "cid",
            "client_secret": one.client_secret,
            "account_id": "acc",
            "code_verifier": "v",
            "redirect_uri": uri,
            "code": next(iter(simulator.ledger.codes), "x"),
        },
        errors="surrogatepass",
    ).encode()
    own = [(b"host", b"localhost"), (b"origin", b"http://localhost")]
    as_form = [*own, (b"content-type", b"application/x-www-form-urlencoded")]
    as_json = [*own, (b"content-type", b"application/json")]
    for method, path, asked, headers, body in (
        ("GET", "/oauth/authorize", query, own, b""),
        ("POST", "/oauth/token", b"", as_form, form),
        ("POST", "/oauth/devicecode", b"client_id=cid", as_form, b""),
        ("GET", "/marketplace/cid", b"", own, b""),
        ("GET", "/", b"", own, b""),
        ("GET", "/_simulator/world", b"", own, b""),
        (
            "POST",
            "/_simulator/events",
            b"",
            as_json,
            b'{"client_id":"cid","event":"meeting.started"}',
        ),
        ("GET", "/_simulator/deliveries", b"", own, b""),
    ):
        response = loop.run_until_complete(
            ask(app, method, path, query=asked, headers=headers, body=body)
        )
        assert not response.startswith(b"500"), (method, path)


# ---------------------------------------------------------------- over sockets


def exchange_bytes(url: str, request: bytes) -> bytes:
    """What a server answers to raw bytes, until it closes or says no more."""
    host, _, port = url.removeprefix("http://").partition(":")
    response = b""
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                response += piece
        except (ConnectionError, TimeoutError):
            return response
    return response


@st.composite
def raw_requests(draw: st.DrawFn, simulator: Simulator) -> bytes:
    """A request as bytes: well formed, or spoilt in one place, or nothing of the kind."""
    method, path = draw(paths(simulator))
    target = path.encode("utf-8", "surrogatepass").replace(b" ", b"%20")
    query = draw(st.one_of(parameters(simulator).map(str.encode), st.binary(max_size=60)))
    body = draw(st.one_of(parameters(simulator).map(str.encode), st.binary(max_size=200)))
    headers = draw(st.lists(st.tuples(header_names, header_bytes), max_size=3))
    length = draw(st.sampled_from([len(body), len(body) + 5, 0, -1]))
    lines = [
        method.encode() + b" " + target + b"?" + query + b" HTTP/1.1",
        b"host: 127.0.0.1",
        b"content-length: %d" % length,
        *(name + b": " + value for name, value in headers),
    ]
    raw = b"\r\n".join(lines) + b"\r\n\r\n" + body
    if draw(st.booleans()):
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + draw(st.binary(max_size=8)) + raw[at + draw(st.integers(0, 4)) :]
    return raw


@given(data=st.data())
@fuzz(0.15)
def test_any_bytes_on_a_socket(shared_zoom: SimulatedZoom, data: st.DataObject) -> None:
    """Whatever bytes a connection brings, the server answers without failing, or closes."""
    shared_zoom.reset()
    request = data.draw(st.one_of(raw_requests(shared_zoom.simulator), st.binary(max_size=300)))
    response = exchange_bytes(shared_zoom.url, request)
    assert b"HTTP/1.1 500" not in response and FAILED not in response


# ---------------------------------------------------------------- from the document

DOCUMENT = openapi_of(create_simulator(default_world()))
OPERATIONS = [(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def schema() -> Any:
    """The document as schemathesis reads it."""
    return schemathesis.openapi.from_dict(DOCUMENT)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_any_call_of_the_document(
    schema: Any, shared_zoom: SimulatedZoom, method: str, path: str
) -> None:
    """For every operation, what fits its schema and what does not is answered without failing."""
    operation = schema[path][method]
    fitting, other = (
        operation.as_strategy(generation_mode=mode)
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    )

    @fuzz(0.15 / 40)
    @given(case=st.one_of(fitting, other))
    def run(case: schemathesis.Case[Any]) -> None:
        shared_zoom.reset()
        response = case.call(base_url=shared_zoom.url, allow_redirects=False, timeout=10)
        assert response.status_code != 500, response.text

    run()
