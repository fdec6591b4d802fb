"""Group `token`, part 1: the app's token requests, and the token responses that it accepts."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import threading
from collections.abc import Callable
from typing import Any

from paraph.checks.harness.case import case, control
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.certificates import Certificate
from paraph.checks.harness.http.browser import Browser
from paraph.checks.harness.http.response import Response
from paraph.checks.harness.install_steps import (
    arrive_and_follow,
    authorize,
    begin,
    consent,
    finish,
    install,
    is_signed_out,
)
from paraph.checks.harness.recording_zoom import ME, TOKEN
from paraph.checks.harness.zoom_messages import ReceivedRequest, Reply, description_of

_BAD_TOKENS = {
    "access_token": "bad-token-0001",
    "token_type": "bearer",
    "refresh_token": "bad-refresh-0001",
    "expires_in": 3599,
    "scope": "user:read:user meeting:read:meeting",
}


@control("token")
def _installs(t: CaseContext) -> None:
    install(t)


def _attempt(t: CaseContext, browser: Browser | None = None) -> tuple[Response, int]:
    """Install while Zoom misbehaves; return the last page, and the mark after the consent."""
    browser = browser or t.browser(t.subject())
    returned = authorize(t, browser)
    before = t.zoom.mark()
    return finish(t, browser, returned), before


def expect_no_install(
    t: CaseContext, spoil: Callable[[], None], what: str, *, is_clean: bool = False
) -> Response:
    """Check that an install makes no link; a server error is a refusal unless it must be clean.

    Args:
        t: the context.
        spoil: makes Zoom misbehave.
        what: the misbehaviour, for the reason.
        is_clean: the case is about errors, so a status of 500 fails it.
    """
    t.zoom.reset()
    linked = t.hooks.links()
    browser = t.browser(t.subject())
    spoil()
    page, before = _attempt(t, browser)
    t.expect(page.status, f"{what}: no response ({page.problem})")
    t.expect(not is_clean or page.status != 500, f"{what}: the app responds with status 500")
    t.expect(t.hooks.links() == linked, f"{what}: a link was made")
    t.zoom.reset()
    if not t.hooks.has("links") and page.status < 400 and t.zoom.requests(ME, since=before):
        t.expect(is_signed_out(t, browser), f"{what}: accepted")
    return page


def _code_requests(t: CaseContext, count: int) -> list[tuple[dict[str, str], ReceivedRequest]]:
    found = []
    for _ in range(count):
        browser = t.browser(t.subject())
        begun = begin(t, browser)
        before = t.zoom.mark()
        finish(t, browser, consent(t, begun.url, t.zoom.user()))
        requests = t.zoom.token_requests(before, "authorization_code")
        t.control(requests, "the code was never sent to the token endpoint")
        found.append((begun.query, requests[0]))
    return found


@case("tok-client-auth")
def _client(t: CaseContext) -> None:
    for _, seen in _code_requests(t, 1):
        t.expect(seen.method == "POST", f"the token request is a {seen.method}")
        query = " ".join(value for _, value in seen.query)
        secret = t.zoom.app.client_secret
        code = seen.parameters.get("code", "?")
        t.expect(secret not in query, "the client secret is in the query")
        t.expect(code not in query, "the code is in the query")
        basic = seen.header("authorization").lower().startswith("basic ")
        in_body = "client_secret" in seen.form
        t.expect(basic or in_body, "the client is not authenticated")
        t.expect(not (basic and in_body), "the client is authenticated in two ways at once")


@case("tok-verifier")
def _verifier(t: CaseContext) -> None:
    found = _code_requests(t, 20)
    verifiers = [seen.parameters.get("code_verifier", "") for _, seen in found]
    t.expect(all(verifiers), "a token request has no code_verifier")
    t.expect(len(set(verifiers)) == len(verifiers), "verifiers repeat")
    for (query, _), verifier in zip(found, verifiers, strict=True):
        good = re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier)
        t.expect(good, f"a verifier of {len(verifier)} characters")
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        challenge = query.get("code_challenge", "")
        t.expect(digest.decode().rstrip("=") == challenge, "a verifier does not fit its challenge")
        for one in t.zoom.received:
            shown = f"{one.query} {one.headers}"
            t.expect(verifier not in shown, "a verifier was sent elsewhere")
        t.expect(
            not any(verifier in response.everything() for response in t.exchanges),
            "a verifier reached the browser",
        )


@case("tok-redirect-uri")
def _redirect_uri(t: CaseContext) -> None:
    for query, seen in _code_requests(t, 1):
        sent = seen.parameters.get("redirect_uri")
        t.expect(
            sent == query.get("redirect_uri"), f"{query.get('redirect_uri')!r} became {sent!r}"
        )


@case("tok-type")
def _type(t: CaseContext) -> None:
    def spoilt(kind: object) -> Callable[[dict[str, Any]], None]:
        return lambda content: content.update(token_type=kind)

    t.zoom.change(TOKEN, spoilt("BEARER"))
    install(t)
    for kind in ("mac", "DPoP", "", ["bearer"], None):
        expect_no_install(t, lambda k=kind: t.zoom.change(TOKEN, spoilt(k)), f"token_type {kind!r}")  # type: ignore[misc]
    expect_no_install(
        t, lambda: t.zoom.change(TOKEN, lambda c: c.pop("token_type") and None), "no token_type"
    )


def _shapes() -> dict[str, bytes]:
    def body(**changes: Any) -> bytes:
        content = {**_BAD_TOKENS, **changes}
        return json.dumps({n: v for n, v in content.items() if v != "absent"}).encode()

    good = body()
    return {
        "no access token": body(access_token="absent"),
        "a null access token": body(access_token=None),
        "a number as access token": body(access_token=12345),
        "an empty access token": body(access_token=""),
        "a list as access token": body(access_token=["x"]),
        "an array": b"[" + good + b"]",
        "null": b"null",
        "duplicate names": good[:-1] + b', "access_token": "other"}',
        "trailing bytes": good + b"}",
        "UTF-16": good.decode().encode("utf-16"),
        "a negative lifetime": body(expires_in=-1),
        "an endless lifetime": body(expires_in=10**18),
        "a lifetime in words": body(expires_in="soon"),
        "NaN": good.replace(b"3599", b"NaN"),
        "a line break in the token": body(access_token="bad\r\nx: y"),
    }


@case("tok-shape")
def _shape(t: CaseContext) -> None:
    _accept_bad_tokens(t)
    for what, body in _shapes().items():
        headers = {"content-type": "application/json"}

        def spoil(sent: bytes = body, kind: dict[str, str] = headers) -> None:
            t.zoom.replace(TOKEN, Reply(200, sent, dict(kind)))
            _accept_bad_tokens(t)

        expect_no_install(t, spoil, what, is_clean=True)
    t.zoom.change(TOKEN, lambda content: content.pop("expires_in") and None)
    page, _ = _attempt(t)
    t.expect(page.status < 400, f"a missing expires_in ended with {page.status}")


def _accept_bad_tokens(t: CaseContext) -> None:
    """Make the API accept every token, so that only the app's own validation can refuse it."""
    user = t.zoom.user()
    t.zoom.replace(ME, Reply.of_json(description_of(user)))


@case("tok-html-200")
def _html(t: CaseContext) -> None:
    mark = "captive-portal-canary-0001"
    page = f"<html><script>var x='{mark}'</script>Please sign in</html>".encode()
    for kind in ("text/html", "application/json", "text/plain"):

        def spoil(content_type: str = kind) -> None:
            t.zoom.replace(TOKEN, Reply(200, page, {"content-type": content_type}))

        shown = expect_no_install(t, spoil, f"a page sent as {kind}", is_clean=True)
        t.expect(mark not in shown.text, "the page of a stranger is shown")
    t.environment.demand_alive()
    install(t)


@case("tok-5xx-429")
def _errors(t: CaseContext) -> None:
    replies = {
        "status 500": Reply.of_json({"reason": "x"}, 500),
        "status 503": Reply(503, b"busy", {"content-type": "text/plain"}),
        "status 429": Reply(
            429, b"{}", {"content-type": "application/json", "retry-after": "3600"}
        ),
        "a cut connection": Reply(cut=True),
    }
    for what, reply in replies.items():
        before = t.zoom.mark()
        expect_no_install(
            t,
            lambda r=reply: t.zoom.replace(TOKEN, r),  # type: ignore[misc]
            what,
            is_clean=True,
        )
        count = len(t.zoom.token_requests(before, "authorization_code"))
        t.expect(count <= 2, f"{what}: the code was sent {count} times")
    install(t)


@case("tok-slow")
def _slow(t: CaseContext) -> None:
    for what, reply in (
        ("60 seconds to the first byte", Reply.of_json(_BAD_TOKENS)),
        ("a byte a second", Reply.of_json(_BAD_TOKENS)),
    ):
        reply.delay, reply.drip = (60, 0) if "first" in what else (0, 1.0)
        t.zoom.reset()
        t.zoom.replace(TOKEN, reply)
        browser = t.browser(t.subject())
        returned = authorize(t, browser)
        got: list[Response] = []
        waiting = threading.Thread(
            target=lambda b=browser, c=returned, g=got: g.append(
                arrive_and_follow(t, b, c, timeout=16)
            )
        )
        before = t.zoom.mark()
        waiting.start()
        asked = t.until(lambda b=before: t.zoom.token_requests(b), 10)  # type: ignore[misc]
        t.control(asked, "the code was never sent to the token endpoint")
        slow = 0.0
        for _ in range(20):
            slow = max(slow, t.direct.send("GET", t.environment.base, timeout=3).seconds)
            t.expect(slow < 1.5, f"{what}: meanwhile another request took {slow:.1f} seconds")
        waiting.join(40)
        t.expect(got and got[0].status, f"{what}: the person still waits after 15 seconds")
        t.expect(got[0].seconds <= 15.5, f"{what}: response after {got[0].seconds:.0f} seconds")
        t.expect(got[0].status != 500, f"{what}: the app responds with status 500")


@case("tok-huge")
def _huge(t: CaseContext) -> None:
    good = json.dumps(_BAD_TOKENS).encode()
    padded = good[:-1] + b', "padding": "' + b"x" * 50_000_000 + b'"}'
    packed = {"content-type": "application/json", "content-encoding": "gzip"}
    for what, reply in (
        ("50 MB of JSON", Reply(200, padded)),
        ("a compressed bomb", Reply(200, gzip.compress(padded, 1), packed)),
    ):

        def spoil(sent: Reply = reply) -> None:
            t.zoom.replace(TOKEN, sent)
            _accept_bad_tokens(t)

        page = expect_no_install(t, spoil, what)
        t.expect(page.seconds < 15, f"{what}: response after {page.seconds:.0f} seconds")
    t.environment.demand_alive()
    install(t)


@case("tok-redirect")
def _redirect(t: CaseContext) -> None:
    for status in (301, 302, 303, 307, 308):
        headers = {"location": f"{t.environment.trap_url}/oauth/token"}

        def spoil(code: int = status, where: dict[str, str] = headers) -> None:
            t.zoom.replace(TOKEN, Reply(code, b"", dict(where)))

        expect_no_install(t, spoil, f"a redirect with {status}")
        t.expect(
            not t.environment.trap.hits, f"the token request was repeated at a stranger ({status})"
        )


@case("tok-tls")
def _tls(t: CaseContext) -> None:
    authority = t.environment.authority
    good = authority.issue("localhost")
    t.environment.replace_zoom(good)
    try:
        t.environment.restart("tls_zoom")
        install(t)
        for what, bad in (
            ("an unknown authority's certificate", authority.issue("localhost", unknown=True)),
            ("another host's certificate", authority.issue("other.example")),
            ("an expired certificate", authority.issue("localhost", expired=True)),
        ):
            _expect_no_trust(t, bad, what)
    finally:
        t.environment.replace_zoom(None)


def _expect_no_trust(t: CaseContext, certificate: Certificate, what: str) -> None:
    t.environment.replace_zoom(certificate)
    t.environment.restart("tls_zoom")
    page, before = _attempt(t)
    t.expect(page.status != 500, f"{what}: the app responds with status 500")
    t.expect(not t.zoom.token_requests(before), f"{what}: credentials were sent")
