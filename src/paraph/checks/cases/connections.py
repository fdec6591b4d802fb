"""Group `platform`, part 3: upgraded connections, peers that never read, headers of proxies."""

from __future__ import annotations

import os
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import urlsplit

from paraph.checks.cases.webhook_requests import request_of
from paraph.checks.harness.case import case
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.http.browser import Browser
from paraph.checks.harness.http.response import Response
from paraph.checks.harness.install_steps import try_begin
from paraph.checks.harness.webhook_steps import (
    control_delivery,
    effects,
    known_user,
    marked_delivery,
    post,
)
from paraph.checks.verdict import HookMissingError

_DEAF_PEERS = 64
# More than the buffers in between hold for a peer that announces a small window; at least enough
# for most of them.
_UNREAD, _LEAST_UNREAD = 400_000, 100_000
_MOST_REQUESTS = 400
# The requests of all deaf peers together should be about this many seconds of work for the app.
# An app that is only busy with them responds when it is done, which one that waits never does.
_WORK, _WORKED_OFF_WITHIN = 15.0, 90.0
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
UPGRADES = {
    "h2c": "upgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
    "websocket": (
        "upgrade: websocket\r\nsec-websocket-version: 13\r\n"
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    ),
    "an unknown protocol": "upgrade: check/1\r\n",
}


def upgrade(url: str, method: str, protocol: str, inner: bytes, *, chunked: bool) -> list[bytes]:
    """Build an upgrade request whose body is a complete request; return its head and body."""
    parts = urlsplit(url)
    length = "transfer-encoding: chunked" if chunked else f"content-length: {len(inner)}"
    head = (
        f"{method} {parts.path or '/'} HTTP/1.1\r\nhost: {parts.netloc}\r\n"
        f"connection: Upgrade\r\n{UPGRADES[protocol]}{length}\r\n\r\n"
    )
    body = f"{len(inner):x}\r\n".encode() + inner + b"\r\n0\r\n\r\n" if chunked else inner
    return [head.encode(), body]


def answered_twice(received: bytes) -> bool:
    """Return True if the body was processed as a request; a refusal to read it does not count."""
    statuses = [int(one) for one in _STATUS.findall(received) if not one.startswith(b"1")]
    return len(statuses) > 1 and statuses[1] not in {400, 408, 431, 501, 505}


@case("net-upgrade")
def _upgraded(t: CaseContext) -> None:
    base = t.environment.base + "/"
    endpoint = t.environment.url("webhook")
    user = known_user(t) if endpoint else None
    markers = []
    tries = [
        (method, protocol, chunked, pause)
        for method in ("GET", "POST")
        for protocol in UPGRADES
        for chunked in (False, True)
        for pause in (0.0, 0.3)
    ]

    def strike(one: tuple[str, str, bool, float]) -> bool:
        method, protocol, chunked, pause = one
        inner = f"GET / HTTP/1.1\r\nhost: {urlsplit(base).netloc}\r\n\r\n".encode()
        outer = base
        if endpoint:
            marker, delivery = marked_delivery(t, user)
            markers.append(marker)
            inner = b"".join(request_of(endpoint, delivery))
            outer = endpoint if method == "POST" else base
        pieces = upgrade(outer, method, protocol, inner, chunked=chunked)
        sender = t.sender()
        response = sender.raw(outer, *pieces, timeout=3, pause=pause, whole=True)
        return answered_twice(b"HTTP/1.1 %d\r\n" % response.status + response.body)

    # Each one lasts its whole timeout if the app keeps the connection open.
    with ThreadPoolExecutor(len(tries)) as pool:
        ran = [one for one, twice in zip(tries, pool.map(strike, tries), strict=True) if twice]
    method, protocol, chunked, _ = ran[0] if ran else ("", "", False, 0.0)
    what = f"{method}, {protocol}, {'chunked' if chunked else 'with a length'}"
    t.expect(not ran, f"the body of a request to upgrade ({what}) is run as a request")
    if endpoint and t.hooks.has("events"):
        control_delivery(t, user)
        t.expect(
            not any(effects(t, one) for one in markers),
            "a delivery in the body of an upgrade had effect",
        )


def requests_per_peer(size: int, seconds: float) -> int:
    """Return the number of requests whose responses a deaf peer never reads.

    Args:
        size: bytes of a response; enough of them fill the buffers.
        seconds: the time that the app takes for one, so that a slow app is not merely overloaded.
    """
    affordable = int(_WORK / (_DEAF_PEERS * max(seconds, 0.0001)))
    wanted = min(_UNREAD // size + 1, max(_LEAST_UNREAD // size + 1, affordable))
    return min(_MOST_REQUESTS, wanted)


def _largest_page(t: CaseContext) -> tuple[str, int]:
    """Find the page with the largest response; return its URL and size in bytes."""
    urls = [t.url("start"), t.environment.base + "/", t.environment.absolute("/no-such-page")]
    urls += [t.environment.absolute(one) for one in t.target.urls.pages]
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(t.environment.base))
    found = {}
    for url in urls:
        if url.startswith(f"{origin}/"):
            response = t.direct.send("GET", url)
            found[url] = len(response.everything()) + 20 if response.status else 0
    return max(found.items(), key=lambda one: one[1])


def _never_read(t: CaseContext, url: str, count: int) -> list[socket.socket]:
    parts = urlsplit(url)
    request = f"GET {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\n\r\n".encode()
    requests = request * count
    sender = t.sender()
    held = []
    for _ in range(_DEAF_PEERS):
        connection = sender.connect(url, narrow=True)
        held.append(connection)
        connection.settimeout(0.5)
        # If the server stops reading, its buffers are full, which is the state wanted here.
        with suppress(OSError):
            connection.sendall(requests)
    return held


@case("net-unread-responses")
def _unread(t: CaseContext) -> None:
    t.demand_addresses()
    url, size = _largest_page(t)
    t.control(size, "no page got a response")
    endpoint = t.environment.url("webhook")
    user = known_user(t) if endpoint else None
    before = t.direct.send("GET", url)
    held = _never_read(t, url, requests_per_peer(size, before.seconds))
    beside = f"beside {_DEAF_PEERS} peers that never read"
    honest = t.sender()
    try:
        for wait in (_WORKED_OFF_WITHIN, 0.0, 0.0):
            response = honest.send("GET", url, timeout=wait)
            said = f"got status {response.status}" if response.status else "got no response"
            t.expect(response.status == before.status, f"{beside} a request for a page {said}")
            if endpoint:
                delivery = marked_delivery(t, user)[1]
                headers, body = delivery.headers(), delivery.body
                response = honest.send("POST", endpoint, headers=headers, body=body)
                said = f"got status {response.status}" if response.status else "got no response"
                t.expect(200 <= response.status < 300, f"{beside} an honest delivery {said}")
    finally:
        for one in held:
            one.close()


_CLIENT, _NEAR_PROXY = "203.0.113.7", "127.0.0.2"
_STARTS = 400
_SPOOFED = 12
_CLAIMS = (
    *("x-forwarded-for", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"),
    *("forwarded", "x-forwarded-for: list"),
)


def _delivered(t: CaseContext, schemes: str, addresses: str) -> Response:
    """Send an honest delivery as the last proxy would forward it."""
    delivery = marked_delivery(t)[1]
    delivery.more = [("x-forwarded-proto", schemes), ("x-forwarded-for", addresses)]
    return post(t, delivery)


def _accepted(response: Response) -> bool:
    return 200 <= response.status < 300


@case("net-forwarded-list", variant="behind_proxies")
def _list(t: CaseContext) -> None:
    t.url("webhook")
    one = _delivered(t, "https", _CLIENT)
    t.control(_accepted(one), f"behind one proxy an honest delivery got status {one.status}")
    chain = f"{_CLIENT}, {_NEAR_PROXY}"
    for schemes in ("https, http", "https,http", "https , http", "https, https", "HTTPS, HTTP"):
        response = _delivered(t, schemes, chain)
        t.expect(
            _accepted(response),
            f"behind two proxies ({schemes}) an honest delivery got status {response.status}",
        )
    if _accepted(_delivered(t, "http", _CLIENT)):
        return
    # Each proxy appends, so values that the client forged come before the genuine ones.
    for addresses in (f"127.0.0.1, {_CLIENT}", f"198.51.100.1, {_CLIENT}"):
        response = _delivered(t, "https, http", addresses)
        t.expect(not _accepted(response), "a client's own X-Forwarded-Proto is believed")


def _start(t: CaseContext, browser: Browser) -> bool:
    """Begin an authorization; return False if the app reports that its rate limit is reached."""
    if try_begin(t, browser):
        return True
    page = browser.page
    limited = page is not None and page.status in {429, 503}
    t.control(limited, "the start neither leads to Zoom nor says that it is limited")
    return False


def _until_limited(t: CaseContext, browser: Browser) -> bool:
    browser.more = []
    return any(not _start(t, browser) for _ in range(_STARTS))


def _claim(name: str) -> tuple[str, str]:
    """Return a header in which the client claims another address."""
    address = f"203.0.{os.urandom(1)[0]}.{os.urandom(1)[0]}"
    if name == "forwarded":
        return name, f"for={address}"
    if name.endswith("list"):
        return "x-forwarded-for", f"{address}, 127.0.0.1"
    return name, address


@case("net-forwarded-limits")
def _limits(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    if not _until_limited(t, browser):
        raise HookMissingError(f"no limit is seen within {_STARTS} starts of one address")
    for name in _CLAIMS:
        for _ in range(2):
            t.control(_until_limited(t, browser), "the limit of starts is not reached again")
            passed = 0
            for _ in range(_SPOOFED):
                browser.more = [_claim(name)]
                passed += _start(t, browser)
            if passed < _SPOOFED:
                break
            # The rate limit may have expired in between, but hardly twice in a row.
        t.expect(passed < _SPOOFED, f"a client that names itself in {name} is not limited")
