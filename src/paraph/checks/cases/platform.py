"""Group J, part 1: sessions, cookies, headers."""

from __future__ import annotations

import base64
import re
import zlib
from contextlib import suppress
from urllib.parse import unquote

from paraph.checks.cases.secrets_at_rest import crawl, find
from paraph.checks.harness.browser import Browser
from paraph.checks.harness.case import Trial, case, control
from paraph.checks.harness.cookie_jar import Cookie, parse_set_cookie
from paraph.checks.harness.response import Answer
from paraph.checks.verdict import HookMissingError

_YEAR = 31_536_000


@control("platform")
def _installs(t: Trial) -> None:
    t.install()


def _all_answers(t: Trial) -> list[Answer]:
    """Return every response of the app itself that this case has received."""
    ours = tuple(t.stage.origins)
    return [one for one in t.exchanges if one.url.startswith(ours) and one.status]


def _walk(t: Trial) -> Browser:
    """Make a complete installation and open the app's pages and error pages."""
    done = t.install()
    browser = done.browser
    t.visit(browser, t.callback_url(code="x", state="forged" * 7))
    t.visit(browser, t.callback_url(error="access_denied"))
    if t.stage.url("marketplace"):
        t.visit(browser, t.url("marketplace") + "?code=stray-code-of-the-marketplace-1")
    browser.open(f"{t.stage.base}/no-such-page")
    crawl(t, browser)
    return browser


@case("ck-attributes")
def _attributes(t: Trial) -> None:
    _walk(t)
    embedded = t.stage.target.profile == "embedded"
    if not any(answer.set_cookies for answer in _all_answers(t)):
        raise HookMissingError("no cookie has been seen")
    for answer in _all_answers(t):
        for line in answer.set_cookies:
            cookie = parse_set_cookie(line, answer.url)
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


def _session_cookies(t: Trial) -> list[Cookie]:
    """Return the cookies that signing in sets, learned in a separate browser."""
    browser = t.browser(t.subject())
    found = browser.jar.all()
    t.control(found, "signing in sets no cookie")
    return found


@case("ck-fixation")
def _fixation(t: Trial) -> None:
    t.hook("sign_in")
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
    victim.open(t.stage.base)
    t.sign_in(victim, subject)
    if t.stage.target.urls.pages:
        t.control(t.shows(victim, subject), "no page shows who is signed in")
        t.expect(not t.shows(attacker, subject), "the attacker's session id is signed in now")
    for name, value in before.items():
        after = [c.value for c in victim.jar.all() if c.name == name]
        t.expect(value not in after, f"the cookie {name} was not renewed at sign-in")
    if t.stage.target.urls.pages:
        _issued(t)


def _issued(t: Trial) -> None:
    """Try a session id issued by the app itself, which even a strict server accepts."""
    attacker, victim = t.browser(), t.browser()
    for url in (t.stage.base, t.url("start"), *t.stage.target.urls.pages):
        attacker.open(t.stage.absolute(url))
    for one in attacker.jar.all():
        if not one.name.startswith("__Host-"):
            victim.jar.put(one)
    subject = t.subject()
    t.sign_in(victim, subject)
    t.expect(not t.shows(attacker, subject), "a session id that was fetched before is signed in")


@case("ck-logout")
def _logout(t: Trial) -> None:
    t.hook("sign_in")
    t.hook("sign_out")
    if not t.stage.target.urls.pages:
        raise HookMissingError("needs urls.pages")
    subject = t.subject()
    browser = t.browser(subject)
    t.control(t.shows(browser, subject), "no page shows who is signed in")
    thief = t.browser()
    for one in browser.jar.all():
        thief.jar.put(one)
    t.in_browser("sign_out", browser)
    t.expect(not t.shows(browser, subject), "signing out does not sign out")
    t.expect(not t.shows(thief, subject), "after signing out the old cookie still works")


@case("ck-no-token")
def _no_token(t: Trial) -> None:
    _walk(t)
    for answer in _all_answers(t):
        for line in answer.set_cookies:
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


def _is_page(answer: Answer) -> bool:
    kind = answer.header("content-type")
    return kind.startswith(("text/html", "application/json"))


@case("hdr-security")
def _headers(t: Trial) -> None:
    _walk(t)
    embedded = t.stage.target.profile == "embedded"
    pages = [one for one in _all_answers(t) if _is_page(one)]
    t.control(pages, "the app shows no page")
    for answer in pages:
        where = answer.url.partition("?")[0]
        hsts = re.search(r"max-age=(\d+)", answer.header("strict-transport-security"))
        t.expect(hsts and int(hsts[1]) >= _YEAR, f"no HSTS of a year at {where}")
        t.expect(answer.header("x-content-type-options") == "nosniff", f"no nosniff at {where}")
        t.expect(answer.header("referrer-policy"), f"no Referrer-Policy at {where}")
        policy = answer.header("content-security-policy")
        t.expect(policy, f"no Content-Security-Policy at {where}")
        strict = "object-src 'none'" in policy or "default-src 'none'" in policy
        t.expect(strict, f"the policy at {where} allows plug-ins")
        based = "base-uri 'none'" in policy or "base-uri 'self'" in policy
        t.expect(based, f"the policy at {where} leaves base-uri open")
        framed = "frame-ancestors 'none'" in policy or "frame-ancestors 'self'" in policy
        framed = framed or (embedded and "zoom.us" in policy)
        t.expect(framed, f"the page at {where} can be framed")


@case("hdr-no-store")
def _no_store(t: Trial) -> None:
    done = t.install()
    browser = done.browser
    t.visit(browser, t.callback_url(code="x", state="forged" * 7))
    t.visit(browser, t.callback_url(error="access_denied"))
    doors = (t.url("redirect"), t.stage.url("marketplace") or "-", t.url("start"))
    pages = [t.stage.absolute(one) for one in t.stage.target.urls.pages]
    for one in t.stage.target.urls.pages:
        browser.open(t.stage.absolute(one))
    for answer in _all_answers(t):
        where = answer.url.partition("?")[0]
        if where.startswith(doors) or where in pages or "claim" in where or "confirm" in where:
            stored = "no-store" not in answer.header("cache-control")
            t.expect(not stored, f"the answer at {where} may be cached ({answer.status})")


@case("hdr-clickjack")
def _clickjack(t: Trial) -> None:
    browser = t.browser(t.subject())
    first = len(t.exchanges)
    t.finish(browser, t.agree(t.begin(browser).url, t.zoom.user()))
    for one in t.stage.target.urls.pages:
        browser.open(t.stage.absolute(one))
    shown = [a for a in t.exchanges[first:] if a.is_html and "<form" in a.text.lower()]
    shown = [a for a in shown if a.url.startswith(tuple(t.stage.origins))]
    if not shown:
        raise HookMissingError("no page with a form has been seen")
    for answer in shown:
        policy = answer.header("content-security-policy")
        old = answer.header("x-frame-options").upper() == "DENY"
        closed = "frame-ancestors 'none'" in policy or (old and "frame-ancestors" not in policy)
        t.expect(closed, f"the page at {answer.url.partition('?')[0]} can be framed")


@case("hdr-cors")
def _cors(t: Trial) -> None:
    done = t.install()
    doors = [t.url("redirect"), t.url("start"), t.stage.base + "/"]
    doors += [t.stage.absolute(one) for one in t.stage.target.urls.pages]
    for origin in ("https://evil.example", "null", f"{t.stage.base}.evil.example"):
        for door in doors:
            for method in ("GET", "OPTIONS"):
                more = [("origin", origin), ("access-control-request-method", "POST")]
                answer = done.browser.request(method, door, headers=more)
                allowed = answer.header("access-control-allow-origin")
                shared = answer.header("access-control-allow-credentials").lower() == "true"
                open_to = allowed in {origin, "*"} and (shared or allowed == origin)
                t.expect(not open_to, f"{origin} may read {door}")
