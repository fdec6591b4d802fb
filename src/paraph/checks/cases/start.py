"""Group `start`: the authorization request, and the requests that may cause it."""

from __future__ import annotations

import base64
import hashlib
import re
from itertools import pairwise
from urllib.parse import unquote, urlencode

from paraph.checks.harness.case import case, control
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.http.markup import find_form
from paraph.checks.harness.install_steps import (
    Begun,
    arrive_and_follow,
    begin,
    consent,
    expect_refused,
    finish,
    install,
    leads_to_zoom,
    try_begin,
)

# 128 bits (RFC 6749 section 10.10) in base64. Signed states may all begin with the same letters.
_LETTERS = 22
_STATE = re.compile(r"[A-Za-z0-9_.~+/=-]+")
_EVIL = "https://evil.example"


@control("start")
def _begins(t: CaseContext) -> None:
    begin(t, t.browser(t.subject()))


@case("start-state-entropy")
def _entropy(t: CaseContext) -> None:
    subject = t.subject()
    states = [begin(t, t.browser(subject)).state for _ in range(50)]
    t.expect(all(states), "an authorization request has no state")
    t.expect(len(set(states)) == 50, "states repeat")
    short = min(states, key=len)
    t.expect(len(short) >= _LETTERS, f"a state has {len(short)} characters, fewer than 128 bits")
    t.expect(all(_STATE.fullmatch(one) for one in states), f"an odd state: {states[0]!r}")
    pairs = [(a, b) for a, b in pairwise(states) if a.isdigit() and b.isdigit()]
    steps = {int(b) - int(a) for a, b in pairs}
    t.expect(not steps or len(steps) > 5, "states count upwards")
    t.expect(not any(subject in _decoded(one) for one in states), "a state names the local account")
    moving = _moving_part(states)
    t.expect(moving >= 16, f"only {moving} characters of the state differ between starts")


def _decoded(state: str) -> str:
    """Return a state together with its parts decoded from base64, as in a JWT."""
    return state + "".join(_reading(part) for part in re.split(r"[.~]", state))


def _reading(part: str) -> str:
    text = part.rstrip("=").replace("+", "-").replace("/", "_")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "replace")
    except ValueError:
        return ""


def _moving_part(states: list[str]) -> int:
    shortest = min(len(one) for one in states)
    return sum(len({one[index] for one in states}) > 1 for index in range(shortest))


@case("start-pkce-s256")
def _s256(t: CaseContext) -> None:
    query = begin(t, t.browser(t.subject())).query
    challenge = query.get("code_challenge", "")
    t.expect(challenge, "the authorization request has no code_challenge")
    t.expect(
        query.get("code_challenge_method") == "S256",
        f"code_challenge_method is {query.get('code_challenge_method', 'absent')!r}",
    )
    t.expect(re.fullmatch(r"[A-Za-z0-9_-]{43}", challenge), "the challenge is not a SHA-256 value")


@case("start-pkce-unique")
def _unique(t: CaseContext) -> None:
    subject = t.subject()
    one = t.browser(subject)
    begun = [begin(t, one) for _ in range(10)]
    begun += [begin(t, t.browser(subject)) for _ in range(10)]
    challenges = [b.query.get("code_challenge", "") for b in begun]
    t.expect(all(challenges), "an authorization request has no code_challenge")
    t.expect(len(set(challenges)) == 20, f"{20 - len(set(challenges))} challenges repeat")


@case("start-browser-bound")
def _bound(t: CaseContext) -> None:
    subject = t.subject()
    browser = t.browser(subject)
    known = {cookie.name: cookie.value for cookie in browser.jar.all()}
    begun = begin(t, browser)
    new = [c for c in browser.jar.all() if known.get(c.name) != c.value]
    if not new:
        # The session may hold the binding; then another session of the same user is refused.
        t.expect(browser.jar.all(), "the start sets no cookie: nothing binds it to this browser")
        expect_refused(
            t,
            t.browser(subject),
            consent(t, begun.url, t.zoom.user()),
            "the state in another browser",
        )
    bound = new or browser.jar.all()
    derived = _derived(begun.state)
    good = [c for c in bound if c.value not in derived]
    t.expect(good, "the only cookie is the state itself or its hash")
    t.expect(
        any(c.secure and c.http_only and c.same_site in {"lax", "strict", "none"} for c in good),
        "no binding cookie has Secure, HttpOnly and SameSite",
    )


def _derived(state: str) -> set[str]:
    digest = hashlib.sha256(state.encode()).digest()
    encoded = base64.urlsafe_b64encode(digest).decode()
    return {state, digest.hex(), encoded, encoded.rstrip("=")}


@case("start-param-injection")
def _injection(t: CaseContext) -> None:
    subject = t.subject()
    honest = begin(t, t.browser(subject)).query
    evil = {
        "redirect_uri": f"{_EVIL}/cb",
        "client_id": "evil",
        "scope": "admin:everything",
        "state": "fixed-state-of-the-attacker-0001",
        "response_type": "token",
        "code_challenge": "x" * 43,
        "code_challenge_method": "plain",
    }
    url = t.url("start")
    joined = "&" if "?" in url else "?"
    begun = try_begin(t, t.browser(subject), f"{url}{joined}{urlencode(evil)}")
    if begun is None:
        return
    _expect_same(t, honest, begun)
    t.expect(begun.state != evil["state"], "the state is the attacker's")
    t.expect(begun.query.get("code_challenge") != "x" * 43, "the challenge is the attacker's")


def _expect_same(t: CaseContext, honest: dict[str, str], begun: Begun) -> None:
    for name in ("redirect_uri", "client_id", "scope", "response_type", "code_challenge_method"):
        t.expect(
            begun.query.get(name) == honest.get(name),
            f"{name} became {begun.query.get(name)!r}",
        )


@case("start-host-spoof")
def _host(t: CaseContext) -> None:
    subject = t.subject()
    honest = begin(t, t.browser(subject)).query.get("redirect_uri")
    for name, value in (
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil.example;proto=http"),
        ("x-forwarded-proto", "ftp"),
        ("x-original-host", "evil.example"),
        ("x-forwarded-port", "8443"),
    ):
        browser = t.browser(subject)
        browser.more = [(name, value)]
        begun = try_begin(t, browser)
        if begun is not None:
            found = begun.query.get("redirect_uri")
            t.expect(found == honest, f"with {name}: {value} the redirect URI became {found!r}")


@case("start-no-secrets")
def _secrets(t: CaseContext) -> None:
    # Install completely first, so that Zoom has received a verifier and issued tokens.
    done = install(t)
    browser = t.browser(done.subject)
    first = len(t.exchanges)
    begun = begin(t, browser)
    returned = consent(t, begun.url, t.zoom.user())
    finish(t, browser, returned)
    secrets = {v: w for v, w in t.zoom.secrets().items() if w != "authorization code"}
    session = [c.value for c in browser.jar.all() if len(c.value) >= 16 and not _is_url(c.value)]
    # A cookie that equals the state is checked by another case (start-browser-bound).
    session = [value for value in session if unquote(value) != begun.state]
    for one in t.exchanges[first:]:
        shown = f"{one.url} {one.location} {one.text}"
        for value, what in secrets.items():
            t.expect(value not in shown, f"the {what} is in a URL or page")
        t.expect(
            not any(value in f"{one.url} {one.location}" for value in session),
            "a cookie's value is in a URL",
        )


def _is_url(value: str) -> bool:
    """Return True for a URL: some apps keep the return page in a cookie, which is no secret."""
    return unquote(value).startswith(("/", "http://", "https://"))


@case("start-csrf-link")
def _csrf(t: CaseContext) -> None:
    # If Zoom is the only sign-in, the victim has no account that could be linked unseen.
    t.hooks.require("sign_in")
    for method in ("GET", "POST"):
        subject, user = t.subject(), t.zoom.user()
        browser = t.browser(subject)
        url = t.url("start")
        for path in dict.fromkeys((url, *_form_actions(t, subject))):
            linked = t.hooks.links()
            response = browser.request(
                method, path, initiator=f"{_EVIL}/page", form={} if method == "POST" else None
            )
            t.expect_response(response, f"a cross-site {method} of the start")
            response = browser.follow(response, initiator=f"{_EVIL}/page")
            if not leads_to_zoom(t, response):
                continue
            # If the flow begins, it must not complete without a confirmation.
            page = arrive_and_follow(t, browser, consent(t, response.location, user))
            t.expect(page.status < 500, f"the flow ended with {page.status}")
            silent = t.hooks.links() != linked if t.hooks.has("links") else find_form(page) is None
            t.expect(not silent, f"a cross-site {method} linked an account unseen")


def _form_actions(t: CaseContext, subject: str) -> list[str]:
    """Return the URLs of the start page's buttons: the step that a forged request would use."""
    browser = t.browser(subject)
    page = browser.open(t.url("start"))
    form = find_form(page)
    return [form.action] if form is not None and page.status == 200 else []


@case("start-fixation-url")
def _fixation(t: CaseContext) -> None:
    # Without local accounts there is no account of the attacker that could be linked.
    t.hooks.require("sign_in")
    t.hooks.require("links")
    # The steps that install the app in one browser must fail across two browsers.
    install(t)
    mallory = t.subject()
    attacker, victim = t.browser(mallory), t.browser(t.subject())
    first = len(t.exchanges)
    begin(t, attacker)
    emitted = [one.location for one in t.exchanges[first:] if one.location]
    emitted.insert(0, t.url("start"))
    user = t.zoom.user()
    for url in emitted:
        landed = victim.follow(victim.request("GET", url)) if victim.is_ours(url) else None
        target = url if landed is None else landed.location
        if target and target.startswith(t.zoom.url):
            page = arrive_and_follow(t, victim, consent(t, target, user))
            form = find_form(page, "confirm", "claim", "link")
            if page.status == 200 and form is not None:
                victim.submit(form)
    t.expect(
        not t.hooks.linked(mallory), "the attacker's account is linked to the victim's Zoom user"
    )


@case("start-parallel-tabs")
def _tabs(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    user = t.zoom.user()
    first, second = begin(t, browser), begin(t, browser)
    finished = 0
    for begun in (second, first):
        before = t.zoom.mark()
        page = finish(t, browser, consent(t, begun.url, user))
        t.expect_no_error(page, "finishing in another order")
        for one in t.zoom.token_requests(before, "authorization_code"):
            finished += 1
            challenge = begun.query.get("code_challenge", "")
            verifier = one.parameters.get("code_verifier", "")
            digest = hashlib.sha256(verifier.encode()).digest()
            own = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            t.expect(not challenge or own == challenge, "a tab sent the verifier of the other one")
    t.control(finished, "neither of two flows in one browser could be finished")
