"""Group `platform`, part 2: networks, limits, errors, and private pages."""

from __future__ import annotations

import re
import socket
import ssl
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlencode, urljoin, urlsplit

from paraph.checks.harness.case import case
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.http.markup import find_form
from paraph.checks.harness.http.response import Response
from paraph.checks.harness.install_steps import authorize, try_begin
from paraph.checks.harness.stored import is_shown, stored_size
from paraph.checks.harness.webhook_steps import (
    control_delivery,
    event_body,
    known_user,
    marked_delivery,
    post,
    signed_delivery,
)
from paraph.checks.verdict import HookMissingError

_FLOOD = 600
_GROWTH = 6_000_000
_PRIVATE = (
    *("/docs", "/redoc", "/openapi.json", "/swagger.json", "/metrics", "/debug", "/.env"),
    *("/.git/config", "/admin", "/admin/", "/actuator", "/server-status", "/phpinfo.php"),
    *("/graphql", "/_debug", "/v1/installations", "/api/v1/installations", "/internal"),
)
_VERSIONS = re.compile(
    r"(?:python|werkzeug|gunicorn|uvicorn|express|node|nginx|apache|php|django|flask|twin)[/ ]\d"
)


@case("net-forwarded")
def _forwarded(t: CaseContext) -> None:
    stranger = t.browser(t.subject())
    private = t.target.urls.private_pages or ["/admin", "/metrics", "/internal"]
    pages = [t.environment.absolute(one) for one in private]
    base = t.environment.base + "/"
    plain = t.direct.send("GET", base)
    _expect_no_detour(t, t.url("start"), plain)
    for page in pages:
        closed = stranger.request("GET", page)
        t.control(closed.status >= 300 or not closed.status, f"{page} is open as it is")
        for name, value in (
            *(("x-forwarded-for", "127.0.0.1"), ("x-real-ip", "127.0.0.1")),
            *(("forwarded", "for=127.0.0.1;proto=https"), ("x-client-ip", "10.0.0.1")),
            *(("x-forwarded-uri", "/healthz"), ("x-original-url", "/healthz")),
            *(("x-forwarded-host", "localhost"), ("x-forwarded-proto", "https")),
            ("x-remote-user", "admin"),
        ):
            response = stranger.request("GET", page, headers=[(name, value)])
            t.expect(not 200 <= response.status < 300, f"{name}: {value} opens {page}")
        _expect_no_detour(t, page, plain)


def _expect_no_detour(t: CaseContext, page: str, plain: Response) -> None:
    """Check that no header makes the server respond for another path."""
    path = urlsplit(page).path
    for name in ("x-original-url", "x-rewrite-url", "x-forwarded-uri"):
        response = t.direct.send("GET", plain.url, headers=[(name, path)])
        same = response.status == plain.status and response.location == plain.location
        t.expect(same or response.status >= 400, f"{name}: {path} leads to another page")


@case("net-plain-http", variant="tls")
def _plain(t: CaseContext) -> None:
    plain = t.url("plain")
    browser = t.browser(t.subject())
    returned = authorize(t, browser)
    parts = urlsplit(returned)
    before = t.zoom.mark()
    cookies = browser.jar.header(returned, cross_site=True, safe=True)
    url = urljoin(plain, f"{parts.path}?{parts.query}")
    response = t.direct.send("GET", url, headers=[("cookie", cookies)])
    t.expect(
        response.status < 500,
        f"an authorization response over plain http got status {response.status}",
    )
    t.expect(
        not 200 <= response.status < 300, "an authorization response over plain http was accepted"
    )
    t.expect_no_exchange(before, "an authorization response over plain http")
    if t.environment.url("webhook"):
        _, delivery = marked_delivery(t)
        endpoint = urljoin(plain, urlsplit(t.url("webhook")).path)
        response = post(t, delivery, url=endpoint)
        t.expect(not 200 <= response.status < 300, "a delivery over plain http was accepted")


def _shakes(t: CaseContext, version: ssl.TLSVersion) -> bool:
    parts = urlsplit(t.environment.base)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    try:
        with (
            socket.create_connection((parts.hostname or "", parts.port or 443), 5) as bare,
            context.wrap_socket(bare, server_hostname=parts.hostname),
        ):
            return True
    except (OSError, ValueError):
        return False


@case("net-tls", variant="tls")
def _tls(t: CaseContext) -> None:
    if not t.environment.base.startswith("https:"):
        raise HookMissingError("the app does not end TLS itself")
    t.control(
        _shakes(t, ssl.TLSVersion.TLSv1_2) or _shakes(t, ssl.TLSVersion.TLSv1_3),
        "no TLS handshake succeeds",
    )
    for version, name in ((ssl.TLSVersion.TLSv1, "1.0"), (ssl.TLSVersion.TLSv1_1, "1.1")):
        t.expect(not _shakes(t, version), f"TLS {name} is accepted")


@case("net-ssrf")
def _ssrf(t: CaseContext) -> None:
    trap = t.environment.trap_url
    port = urlsplit(trap).port
    values = (
        f"{trap}/hit",
        f"//127.0.0.1:{port}/hit",
        f"http://localhost:{port}/hit",
        f"http://0x7f000001:{port}/hit",
    )
    names: tuple[str, ...] = (
        "url",
        "uri",
        "next",
        "return_to",
        "redirect_uri",
        "callback",
        "iss",
        "issuer",
    )
    names += ("error_uri", "logo", "avatar", "image", "webhook", "target", "api_url", "server")
    browser = t.browser(t.subject())
    for value in values:
        query = urlencode(dict.fromkeys(names, value))
        for endpoint in (
            t.url("start"),
            t.url("redirect"),
            t.environment.url("marketplace") or t.environment.base,
        ):
            browser.request("GET", f"{endpoint}{'&' if '?' in endpoint else '?'}{query}")
        browser.request("GET", f"{t.url('redirect')}?code={quote(value, safe='')}&state=x")
    if t.environment.url("webhook"):
        for value in (values[0], "file:///etc/passwd", "gopher://127.0.0.1:1/x"):
            _send_urls(t, value)
        control_delivery(t, known_user(t))
    t.expect(not t.environment.trap.hits, "the app fetches addresses that a stranger names")


def _send_urls(t: CaseContext, url: str) -> None:
    user = known_user(t)
    content = {
        "account_id": user.account_id,
        "download_token": "download-token-0001",
        "object": {
            "host_id": user.id,
            "share_url": url,
            "recording_files": [{"download_url": url, "play_url": url}],
            "avatar": url,
        },
    }
    for name in ("recording.completed", "meeting.ended", "user.updated"):
        response = post(t, signed_delivery(t, event_body(t, name, content)))
        t.expect_no_error(response, f"an event with {url}")


@case("net-state-exhaustion")
def _exhaustion(t: CaseContext) -> None:
    subject = t.subject()
    flooder = t.browser(subject)
    page = flooder.open(t.url("start"))
    begun = try_begin(t, flooder)
    t.control(begun, "the start does not lead to Zoom")
    form = find_form(page)
    before = stored_size(t)

    def strike(_number: int) -> int:
        if form is None or page.status != 200:
            return flooder.request("GET", t.url("start")).status
        return flooder.request(
            form.method, form.action, initiator=page.url, form=form.fields
        ).status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(strike, range(_FLOOD)))
    grown = stored_size(t) - before
    limited = any(one in {429, 503} for one in statuses)
    t.expect(all(0 < one < 500 or one == 503 for one in statuses), f"responses: {set(statuses)}")
    t.expect(grown < _GROWTH, f"{_FLOOD} starts without an end have stored {grown} bytes")
    if not limited and not is_shown(t):
        raise HookMissingError("needs the hook `database_file`")
    other = t.browser()
    other.sender = t.sender()
    t.sign_in(other, t.subject())
    begun_at = time.monotonic()
    t.expect(try_begin(t, other), "after the flood no other user can begin")
    t.expect(time.monotonic() - begun_at < 5, "after the flood the app is slow")


@case("net-errors")
def _errors(t: CaseContext) -> None:
    base = t.environment.base
    shown = [
        t.direct.send("GET", f"{base}/no-such-page"),
        t.direct.send("DELETE", t.url("redirect")),
        t.direct.send("TRACE", base + "/", headers=[("x-canary", "trace-canary-0001")]),
        t.direct.send("BREW", base + "/"),
        t.direct.send("GET", f"{base}/%"),
    ]
    for response in shown:
        t.expect(
            response.status < 500 or response.status == 501, f"{response.method}: {response.status}"
        )
        text = response.everything()
        t.expect("trace-canary-0001" not in text, "TRACE is echoed")
        t.expect("Traceback" not in text and 'File "/' not in text, "a stack trace is shown")
        version = _VERSIONS.search(text.lower())
        t.expect(not version, f"a server version is shown: {version[0] if version else ''}")
    host = urlsplit(base).netloc
    smuggled = (
        f"POST /healthz HTTP/1.1\r\nHost: {host}\r\nContent-Length: 6\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    response = t.direct.raw(base, smuggled.encode())
    t.expect(response.status < 500 or response.status == 501, f"smuggling: {response.status}")
    both = response.body.count(b"HTTP/1.1 ")
    t.expect(not both or response.status >= 400, "two lengths in one request make two requests")


@case("adm-access")
def _admin(t: CaseContext) -> None:
    nothing = t.direct.send("GET", t.environment.absolute("/no-such-page-at-all"))
    browser = t.browser(t.subject())
    pages = dict.fromkeys((*_PRIVATE, *t.target.urls.private_pages))
    for page in pages:
        url = t.environment.absolute(page)
        for more in ([], [("x-forwarded-for", "127.0.0.1")]):
            for response in (
                t.direct.send("GET", url, headers=more),
                browser.follow(browser.request("GET", url, headers=more)),
            ):
                t.expect(response.status < 500, f"{page} got status {response.status}")
                # Some apps show the same page for every unknown path.
                same = response.status == nothing.status and response.body == nothing.body
                shut = response.status >= 300 or same or _asks_who(response)
                t.expect(shut, f"{page} is open to anyone")


def _asks_who(page: Response) -> bool:
    """Return True if a page asks to sign in; a page that offers to sign out is signed in."""
    text = page.text.lower()
    inside = re.search(r"\b(?:sign|log)[ -]?out\b", text)
    asks = 'type="password"' in text or re.search(r"\b(?:sign|log)[ -]?in\b", text)
    return page.is_html and bool(asks) and not inside
