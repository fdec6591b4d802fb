"""Group `redirection`, part 1: `state` and its binding to one browser."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from paraph.checks.harness.case import case, control
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.http.browser import Browser
from paraph.checks.harness.http.markup import find_form
from paraph.checks.harness.install_steps import (
    arrive,
    arrive_and_follow,
    authorize,
    begin,
    code_for,
    consent,
    expect_refused,
    install,
    response_url,
)

_EVIL = "https://evil.example/"


@control("redirection")
def _installs(t: CaseContext) -> None:
    install(t)


def _stray(t: CaseContext, browser: Browser, what: str, **query: str) -> None:
    """Check that a genuine code of the attacker is refused with these query parameters."""
    code = code_for(t, t.zoom.user())
    expect_refused(t, browser, response_url(t, code=code, **query), what)


@case("cb-state-missing")
def _missing(t: CaseContext) -> None:
    _stray(t, t.browser(), "a code without state")
    _stray(t, t.browser(t.subject()), "a code without state, signed in")


@case("cb-state-missing-no-pending")
def _no_pending(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    for page in t.target.urls.pages:
        browser.open(t.environment.absolute(page))
    _stray(t, browser, "a code without state where nothing was begun")


@case("cb-state-missing-after-success")
def _after_success(t: CaseContext) -> None:
    done = install(t)
    _stray(t, done.browser, "a code without state after a finished flow")


@case("cb-state-empty")
def _empty(t: CaseContext) -> None:
    code = code_for(t, t.zoom.user())
    for spelling in ("&state=", "&state"):
        for begun in (False, True):
            browser = t.browser(t.subject())
            if begun:
                begin(t, browser)
            expect_refused(t, browser, response_url(t, code=code) + spelling, "an empty state")


@case("cb-state-forged")
def _forged(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    real = begin(t, browser).state
    forged = real[:-12] + "".join("A" if c != "A" else "B" for c in real[-12:])
    for state in (forged, "Zm9yZ2Vk" * 5, "x"):
        _stray(t, browser, "a forged state", state=state)


@case("cb-state-mutated")
def _mutated(t: CaseContext) -> None:
    user, browser = t.zoom.user(), t.browser(t.subject())
    code = code_for(t, user)
    mutations: tuple[Callable[[str], str], ...] = (
        lambda state: quote(state[: len(state) // 2]),
        lambda state: quote(state + "A"),
        lambda state: quote(state.swapcase()),
        lambda state: quote("".join(f"%{ord(c):02x}" for c in state)),
        lambda state: quote(state) + "%00",
        lambda state: quote(state) + "%20",
        lambda state: quote(state) + "%0a",
        lambda state: quote(state + state),
    )
    for mutate in mutations:
        # A new flow each time: an app that ends a flow at the first wrong response would
        # refuse all later ones for that reason alone.
        begun = begin(t, browser)
        mutated = mutate(begun.state)
        if mutated != quote(begun.state):
            url = f"{t.url('redirect')}?code={code}&state={mutated}"
            expect_refused(t, browser, url, "a mutated state", unbroken=True)
        page = arrive_and_follow(t, browser, consent(t, begun.url, user))
        t.expect_no_error(page, "the true state afterwards")


@case("cb-state-type-confusion")
def _types(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    code = code_for(t, t.zoom.user())
    for odd in (
        *("state[]=x", "state%5B%5D=", "state[$ne]=", "state[$ne]=x", "state[0][a]=1"),
        *("state=true", "state=null", "state=0", "state=undefined", "state=NaN"),
    ):
        begin(t, browser)
        url = f"{t.url('redirect')}?code={code}&{odd}"
        expect_refused(t, browser, url, f"an authorization response with {odd}", unbroken=True)
    begin(t, browser)
    before = t.zoom.mark()
    body = json.dumps({"code": code, "state": True}).encode()
    response = browser.request(
        "POST", t.url("redirect"), body=body, headers=[("content-type", "application/json")]
    )
    t.expect_no_error(response, "a JSON POST with a boolean state")
    t.expect_no_exchange(before, "a JSON POST with a boolean state")


@case("cb-state-expired")
def _expired(t: CaseContext) -> None:
    t.hooks.require("advance")
    browser = t.browser(t.subject())
    returned = authorize(t, browser)
    t.hooks.advance(t.limits.state_lifetime + 60)
    expect_refused(t, browser, returned, "a state past its lifetime")
    # An app that fails completely once its clock is moved proves nothing.
    install(t)


@case("cb-state-replayed")
def _replayed(t: CaseContext) -> None:
    done = install(t)
    state = dict(parse_qsl(urlsplit(done.response_url).query)).get("state", "")
    t.expect(state, "the flow has no state")
    _stray(t, done.browser, "a state used for the second time", state=state)


@case("cb-state-cross-browser")
def _cross_browser(t: CaseContext) -> None:
    # The attacker consents as themself and lets the victim's browser finish.
    mallory, victim = t.browser(t.subject()), t.browser(t.subject())
    returned = authorize(t, mallory)
    expect_refused(t, victim, returned, "the attacker's flow in the victim's browser")
    begin(t, victim)
    returned = authorize(t, mallory)
    expect_refused(t, victim, returned, "the attacker's flow beside one of the victim's")


@case("cb-session-fixation")
def _fixation(t: CaseContext) -> None:
    # The victim consents at the attacker's authorization URL: PKCE does not help here.
    mallory = t.subject()
    attacker, victim = t.browser(mallory), t.browser(t.subject())
    user = t.zoom.user()
    returned = authorize(t, attacker, user)
    expect_refused(t, victim, returned, "the victim's consent to the attacker's request")
    anonymous = t.browser()
    returned = authorize(t, attacker, user)
    expect_refused(t, anonymous, returned, "the same in a browser that is not signed in")


@case("cb-state-cross-user")
def _cross_user(t: CaseContext) -> None:
    t.hooks.require("sign_in")
    t.hooks.require("sign_out")
    first, second = t.subject(), t.subject()
    browser = t.browser(first)
    user = t.zoom.user()
    returned = authorize(t, browser, user)
    t.hooks.send_in_browser("sign_out", browser)
    t.sign_in(browser, second)
    before = t.zoom.mark()
    page = t.expect_no_error(arrive_and_follow(t, browser, returned), "the authorization response")
    if t.hooks.has("links"):
        t.expect(not t.hooks.linked(second), "the second person got the first one's link, unasked")
        t.expect(not t.hooks.linked(first), "a link was made after its owner had signed out")
    if page.status == 200 and find_form(page, "confirm", "claim"):
        t.expect(second in page.text, "the confirmation does not name the person who is signed in")
    elif t.zoom.token_requests(before):
        # A code was exchanged; only the links show for which subject.
        t.hooks.require("links")


@case("cb-cookie-tossing")
def _tossing(t: CaseContext) -> None:
    mallory, victim = t.browser(t.subject()), t.browser(t.subject())
    known = {c.name for c in mallory.jar.all()}
    theirs = begin(t, mallory)
    begin(t, victim)
    binding = [c for c in mallory.jar.all() if c.name not in known] or mallory.jar.all()
    # Browsers prevent a neighbouring host from planting cookies with this prefix.
    plantable = [c for c in binding if not c.name.startswith("__Host-")]
    returned = consent(t, theirs.url, t.zoom.user())
    header = victim.jar.header(returned, cross_site=True, safe=True)
    planted = "; ".join(f"{c.name}={c.value}" for c in plantable)
    if not plantable:
        expect_refused(t, victim, returned, "the attacker's flow in the victim's browser")
        return
    for both in (f"{planted}; {header}", f"{header}; {planted}"):
        linked, before = t.hooks.links(), t.zoom.mark()
        response = arrive(t, victim, returned, headers=[("cookie", both)])
        t.expect_response(response, "an authorization response with two binding cookies")
        t.expect_no_exchange(before, "an authorization response with two binding cookies")
        t.expect(t.hooks.links() == linked, "a planted cookie made a link")


@case("cb-state-carries-url")
def _carries_url(t: CaseContext) -> None:
    user = t.zoom.user()
    victim, browser = t.subject(), t.browser(t.subject())
    for number in range(len(_altered(begin(t, browser).state, victim))):
        # A new flow each time, as above.
        state = _altered(begin(t, browser).state, victim)[number]
        url = response_url(t, code=code_for(t, user), state=state)
        response = expect_refused(t, browser, url, "a state with altered content")
        t.expect(
            not response.location.startswith(_EVIL), "an altered state leads to a foreign site"
        )
    t.expect(not t.hooks.linked(victim), "an altered state named the account that was linked")


def _altered(state: str, victim: str) -> list[str]:
    """Return variants of a state with other data, in every format that apps use.

    Everything beside the data is kept: a changed nonce would be refused and so hide that the data
    are trusted.
    """
    forged: dict[str, Any] = dict(_content_of(state) or {})
    for name in ("returnTo", "return_to", "onErrorReturnTo", "redirect", "next", "url"):
        forged[name] = _EVIL
    for name in ("uid", "user", "userId", "user_id", "tenant", "sub", "subject"):
        forged[name] = victim
    raw = json.dumps(forged).encode()
    encoded = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    found = [raw.decode(), encoded, base64.b64encode(raw).decode(), f"{header}.{encoded}."]
    if state.count(".") == 2:
        # A JWT whose signature the app may not verify.
        first, _, last = state.split(".")
        found.append(f"{first}.{encoded}.{last}")
    # A nonce, a separator and an address, such as `nonce:/account`.
    kept = [(state.rpartition(one)[0] or state) + one for one in ":|,;"]
    return [*found, *(one + _EVIL for one in kept), f"{state}&{urlencode({'returnTo': _EVIL})}"]


def _content_of(state: str) -> dict[str, Any] | None:
    readers: tuple[Callable[[str], bytes], ...] = (
        str.encode,
        lambda s: base64.urlsafe_b64decode(s + "=" * (-len(s) % 4)),
        lambda s: base64.urlsafe_b64decode(s.split(".")[1] + "=="),
    )
    for read in readers:
        try:
            content = json.loads(read(state))
        except (ValueError, IndexError):
            continue
        if isinstance(content, dict):
            return content
    return None
