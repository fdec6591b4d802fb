"""Group `platform`, part 1: sessions, cookies, headers, and access to installations."""

from __future__ import annotations

import base64
import re
import zlib
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from paraph.checks.cases.secrets_at_rest import acts, crawl, find
from paraph.checks.harness.case import case, control
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.http.browser import Browser
from paraph.checks.harness.http.markup import forms_of
from paraph.checks.harness.http.response import Response
from paraph.checks.harness.install_steps import (
    arrive_and_follow,
    authorize,
    finish,
    install,
    response_url,
    shows,
)
from paraph.checks.verdict import HookMissingError
from paraph.simulator.browser.browser_url import resolved
from paraph.simulator.browser.cookie_jar import Cookie, parse_set_cookie

_YEAR = 31_536_000


@control("platform")
def _installs(t: CaseContext) -> None:
    install(t)


def _all_responses(t: CaseContext) -> list[Response]:
    """Return every response of the app itself that this case has received."""
    ours = tuple(t.environment.origins)
    return [one for one in t.exchanges if one.url.startswith(ours) and one.status]


def _walk(t: CaseContext) -> Browser:
    """Make a complete installation and open the app's pages and error pages."""
    done = install(t)
    browser = done.browser
    arrive_and_follow(t, browser, response_url(t, code="x", state="forged" * 7))
    arrive_and_follow(t, browser, response_url(t, error="access_denied"))
    if t.environment.url("marketplace"):
        arrive_and_follow(
            t, browser, t.url("marketplace") + "?code=stray-code-of-the-marketplace-1"
        )
    browser.open(f"{t.environment.base}/no-such-page")
    crawl(t, browser)
    return browser


@case("ck-attributes")
def _attributes(t: CaseContext) -> None:
    _walk(t)
    embedded = t.target.profile == "embedded"
    if not any(response.set_cookies for response in _all_responses(t)):
        raise HookMissingError("no cookie has been seen")
    for response in _all_responses(t):
        for line in response.set_cookies:
            cookie = parse_set_cookie(line, response.url, now=0)
            name = line.partition("=")[0]
            t.expect(cookie, f"a browser refuses the cookie {name}")
            assert cookie is not None  # noqa: S101 - Said for the type checker.
            t.expect(cookie.secure, f"the cookie {name} is not Secure")
            readable = "csrf" in name.lower() or "xsrf" in name.lower()
            t.expect(cookie.http_only or readable, f"the cookie {name} is not HttpOnly")
            allowed = {"lax", "strict"} | ({"none"} if embedded else set())
            site = cookie.same_site or "absent"
            t.expect(site in allowed, f"the cookie {name} has SameSite {site}")
            t.expect(len(line.partition(";")[0]) <= 4096, f"the cookie {name} is too large")


def _session_cookies(t: CaseContext) -> list[Cookie]:
    """Return the cookies that signing in sets, learned in a separate browser."""
    browser = t.browser(t.subject())
    found = browser.jar.all()
    t.control(found, "signing in sets no cookie")
    return found


@case("ck-fixation")
def _fixation(t: CaseContext) -> None:
    t.hooks.require("sign_in")
    known = _session_cookies(t)
    planted = "attackers-session-id-0000000000000001"
    subject = t.subject()
    victim, attacker = t.browser(), t.browser()
    for one in known:
        # Only a neighbouring host could plant this cookie; the app's own pages cannot help.
        if not one.name.startswith("__Host-"):
            cookie = Cookie(one.name, planted, one.host, one.path, http_only=True, same_site="lax")
            victim.jar.put(cookie)
            attacker.jar.put(cookie)
    before = {c.name: c.value for c in victim.jar.all()}
    victim.open(t.environment.base)
    t.sign_in(victim, subject)
    if t.target.urls.pages:
        t.control(shows(t, victim, subject), "no page shows who is signed in")
        t.expect(not shows(t, attacker, subject), "the attacker's session id is signed in now")
    for name, value in before.items():
        after = [c.value for c in victim.jar.all() if c.name == name]
        t.expect(value not in after, f"the cookie {name} was not renewed at sign-in")
    if t.target.urls.pages:
        _issued(t)


def _issued(t: CaseContext) -> None:
    """Try a session id issued by the app itself, which even a strict server accepts."""
    attacker, victim = t.browser(), t.browser()
    for url in (t.environment.base, t.url("start"), *t.target.urls.pages):
        attacker.open(t.environment.absolute(url))
    for one in attacker.jar.all():
        if not one.name.startswith("__Host-"):
            victim.jar.put(one)
    subject = t.subject()
    t.sign_in(victim, subject)
    t.expect(not shows(t, attacker, subject), "a session id that was fetched before is signed in")


@case("ck-logout")
def _logout(t: CaseContext) -> None:
    t.hooks.require("sign_in")
    t.hooks.require("sign_out")
    if not t.target.urls.pages:
        raise HookMissingError("needs `urls.pages`")
    subject = t.subject()
    browser = t.browser(subject)
    t.control(shows(t, browser, subject), "no page shows who is signed in")
    thief = t.browser()
    for one in browser.jar.all():
        thief.jar.put(one)
    t.hooks.send_in_browser("sign_out", browser)
    t.expect(not shows(t, browser, subject), "signing out does not sign out")
    t.expect(not shows(t, thief, subject), "after signing out the old cookie still works")


@case("ck-no-token")
def _no_token(t: CaseContext) -> None:
    _walk(t)
    for response in _all_responses(t):
        for line in response.set_cookies:
            value = line.partition(";")[0].partition("=")[2]
            what = find(t, "\n".join(_readings(value)))
            t.expect(not what, f"a cookie carries the {what}")


def _readings(value: str) -> list[str]:
    """Return a cookie as it is and with its parts decoded from base64 and decompressed."""
    found = [value]
    for part in re.split(r"[.|:!]", unquote(value)):
        text = part.strip('"').rstrip("=").replace("-", "+").replace("_", "/")
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            continue
        found.append(raw.decode("utf-8", "replace"))
        # Flask and others compress long values; the limit keeps out decompression bombs.
        with suppress(zlib.error):
            found.append(zlib.decompressobj().decompress(raw, 100_000).decode("utf-8", "replace"))
    return found


def _is_page(response: Response) -> bool:
    kind = response.header("content-type")
    return response.status != 204 and kind.startswith(("text/html", "application/json"))


@case("hdr-security")
def _headers(t: CaseContext) -> None:
    _walk(t)
    embedded = t.target.profile == "embedded"
    pages = [one for one in _all_responses(t) if _is_page(one)]
    t.control(pages, "the app shows no page")
    for response in pages:
        where = response.url.partition("?")[0]
        hsts = re.search(r"max-age=(\d+)", response.header("strict-transport-security"))
        t.expect(hsts and int(hsts[1]) >= _YEAR, f"no HSTS of a year at {where}")
        t.expect(response.header("x-content-type-options") == "nosniff", f"no nosniff at {where}")
        t.expect(response.header("referrer-policy"), f"no Referrer-Policy at {where}")
        policy = response.header("content-security-policy")
        t.expect(policy, f"no Content-Security-Policy at {where}")
        strict = "object-src 'none'" in policy or "default-src 'none'" in policy
        t.expect(strict, f"the policy at {where} allows plug-ins")
        based = "base-uri 'none'" in policy or "base-uri 'self'" in policy
        t.expect(based, f"the policy at {where} leaves base-uri open")
        framed = "frame-ancestors 'none'" in policy or "frame-ancestors 'self'" in policy
        framed = framed or (embedded and "zoom.us" in policy)
        t.expect(framed, f"the page at {where} can be framed")


@case("hdr-no-store")
def _no_store(t: CaseContext) -> None:
    done = install(t)
    browser = done.browser
    arrive_and_follow(t, browser, response_url(t, code="x", state="forged" * 7))
    arrive_and_follow(t, browser, response_url(t, error="access_denied"))
    endpoints = (t.url("redirect"), t.environment.url("marketplace") or "-", t.url("start"))
    pages = [t.environment.absolute(one) for one in t.target.urls.pages]
    for one in t.target.urls.pages:
        browser.open(t.environment.absolute(one))
    for response in _all_responses(t):
        where = response.url.partition("?")[0]
        if where.startswith(endpoints) or where in pages or "claim" in where or "confirm" in where:
            stored = "no-store" not in response.header("cache-control")
            t.expect(not stored, f"the response at {where} may be cached ({response.status})")


@case("hdr-clickjack")
def _clickjack(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    first = len(t.exchanges)
    finish(t, browser, authorize(t, browser))
    for one in t.target.urls.pages:
        browser.open(t.environment.absolute(one))
    shown = [a for a in t.exchanges[first:] if a.is_html and "<form" in a.text.lower()]
    shown = [a for a in shown if a.url.startswith(tuple(t.environment.origins))]
    if not shown:
        raise HookMissingError("no page with a form has been seen")
    for response in shown:
        policy = response.header("content-security-policy")
        old = response.header("x-frame-options").upper() == "DENY"
        closed = "frame-ancestors 'none'" in policy or (old and "frame-ancestors" not in policy)
        t.expect(closed, f"the page at {response.url.partition('?')[0]} can be framed")


@case("hdr-cors")
def _cors(t: CaseContext) -> None:
    done = install(t)
    endpoints = [t.url("redirect"), t.url("start"), t.environment.base + "/"]
    endpoints += [t.environment.absolute(one) for one in t.target.urls.pages]
    for origin in ("https://evil.example", "null", f"{t.environment.base}.evil.example"):
        for endpoint in endpoints:
            for method in ("GET", "OPTIONS"):
                more = [("origin", origin), ("access-control-request-method", "POST")]
                response = done.browser.request(method, endpoint, headers=more)
                allowed = response.header("access-control-allow-origin")
                shared = response.header("access-control-allow-credentials").lower() == "true"
                open_to = allowed in {origin, "*"} and (shared or allowed == origin)
                t.expect(not open_to, f"{origin} may read {endpoint}")


_LINK = re.compile(r"href=[\"']?([^\"'\s>]+)", re.IGNORECASE)


@case("idor-install")
def _idor(t: CaseContext) -> None:
    t.hooks.require("sign_in")
    owner = install(t)
    stranger = t.browser(t.subject())
    found = [owner.browser.open(t.environment.absolute(one)) for one in t.target.urls.pages]
    shown = (owner.user.display_name, owner.user.email, owner.user.id)
    if not any(what in one.text for one in found for what in shown):
        raise HookMissingError("needs `urls.pages` with a page that shows the Zoom user's name")
    links = {resolved(page.url, one) for page in found for one in _LINK.findall(page.text)}
    for url in sorted(one for one in links if owner.browser.is_ours(one) and not acts(one)):
        response = stranger.open(url)
        where = urlsplit(url).path
        for what in shown:
            t.expect(what not in response.text, f"{where} shows another's installation")
    own = [
        form
        for page in t.target.urls.pages
        for form in forms_of(stranger.open(t.environment.absolute(page)))
    ]
    marks = {n: v for form in own for n, v in form.fields.items()}
    linked = t.hooks.links()
    for page in found:
        for form in forms_of(page):
            if "sign" in form.action or "log" in form.action:
                continue
            # The request combines the stranger's own form token with the owner's ids.
            fields = {
                n: marks.get(n, v) if "csrf" in n.lower() else v for n, v in form.fields.items()
            }
            response = stranger.request(form.method, form.action, initiator=page.url, form=fields)
            t.expect_response(response, f"another's form of {form.action}")
            lost = not t.hooks.linked(owner.subject, owner.user.id)
            t.expect(not (linked and lost), f"{form.action} acts on another's installation")
