"""Group B, part 1: `state` and its binding to one browser."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from paraph.checks.harness.browser import Browser
from paraph.checks.harness.case import Trial, case, control

_EVIL = "https://evil.example/"


def code_of(url: str) -> str:
    """Return the code in a callback URL."""
    return dict(parse_qsl(urlsplit(url).query)).get("code", "")


@control("callback")
def _installs(t: Trial) -> None:
    t.install()


def _stray(t: Trial, browser: Browser, what: str, **query: str) -> None:
    """Check that a genuine code of the attacker is refused with these query parameters."""
    code = t.code_for(t.zoom.user())
    t.expect_refused(browser, t.callback_url(code=code, **query), what)


@case("cb-state-missing")
def _missing(t: Trial) -> None:
    _stray(t, t.browser(), "a code without state")
    _stray(t, t.browser(t.subject()), "a code without state, signed in")


@case("cb-state-missing-no-pending")
def _no_pending(t: Trial) -> None:
    browser = t.browser(t.subject())
    for page in t.stage.target.urls.pages:
        browser.open(t.stage.absolute(page))
    _stray(t, browser, "a code without state where nothing was begun")


@case("cb-state-missing-after-success")
def _after_success(t: Trial) -> None:
    done = t.install()
    _stray(t, done.browser, "a code without state after a finished flow")


@case("cb-state-empty")
def _empty(t: Trial) -> None:
    code = t.code_for(t.zoom.user())
    for spelling in ("&state=", "&state"):
        for begun in (False, True):
            browser = t.browser(t.subject())
            if begun:
                t.begin(browser)
            t.expect_refused(browser, t.callback_url(code=code) + spelling, "an empty state")


@case("cb-state-forged")
def _forged(t: Trial) -> None:
    browser = t.browser(t.subject())
    real = t.begin(browser).state
    forged = real[:-12] + "".join("A" if c != "A" else "B" for c in real[-12:])
    for state in (forged, "Zm9yZ2Vk" * 5, "x"):
        _stray(t, browser, "a forged state", state=state)


@case("cb-state-mutated")
def _mutated(t: Trial) -> None:
    user, browser = t.zoom.user(), t.browser(t.subject())
    code = t.code_for(user)
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
        begun = t.begin(browser)
        mutated = mutate(begun.state)
        if mutated != quote(begun.state):
            url = f"{t.url('redirect')}?code={code}&state={mutated}"
            t.expect_refused(browser, url, "a mutated state", unbroken=True)
        page = t.visit(browser, t.agree(begun.url, user))
        t.expect_answered(page, "the true state afterwards")


@case("cb-state-type-confusion")
def _types(t: Trial) -> None:
    browser = t.browser(t.subject())
    code = t.code_for(t.zoom.user())
    for odd in (
        *("state[]=x", "state%5B%5D=", "state[$ne]=", "state[$ne]=x", "state[0][a]=1"),
        *("state=true", "state=null", "state=0", "state=undefined", "state=NaN"),
    ):
        t.begin(browser)
        url = f"{t.url('redirect')}?code={code}&{odd}"
        t.expect_refused(browser, url, f"a callback with {odd}", unbroken=True)
    t.begin(browser)
    before = t.mark()
    body = json.dumps({"code": code, "state": True}).encode()
    answer = browser.request(
        "POST", t.url("redirect"), body=body, headers=[("content-type", "application/json")]
    )
    t.expect_answered(answer, "a JSON POST with a boolean state")
    t.expect_no_exchange(before, "a JSON POST with a boolean state")


@case("cb-state-expired")
def _expired(t: Trial) -> None:
    t.hook("advance")
    browser = t.browser(t.subject())
    callback = t.agree(t.begin(browser).url, t.zoom.user())
    t.advance(t.stage.target.limits.state_lifetime + 60)
    t.expect_refused(browser, callback, "a state past its lifetime")
    # An app that fails completely once its clock is moved proves nothing.
    t.install()


@case("cb-state-replayed")
def _replayed(t: Trial) -> None:
    done = t.install()
    state = dict(parse_qsl(urlsplit(done.callback).query)).get("state", "")
    t.expect(state, "the flow has no state")
    _stray(t, done.browser, "a state used for the second time", state=state)


@case("cb-state-cross-browser")
def _cross_browser(t: Trial) -> None:
    # The attacker consents as themself and lets the victim's browser finish.
    mallory, victim = t.browser(t.subject()), t.browser(t.subject())
    callback = t.agree(t.begin(mallory).url, t.zoom.user())
    t.expect_refused(victim, callback, "the attacker's flow in the victim's browser")
    begun = t.begin(victim)
    del begun
    callback = t.agree(t.begin(mallory).url, t.zoom.user())
    t.expect_refused(victim, callback, "the attacker's flow beside one of the victim's")


@case("cb-session-fixation")
def _fixation(t: Trial) -> None:
    # The victim consents at the attacker's authorization URL: PKCE does not help here.
    mallory = t.subject()
    attacker, victim = t.browser(mallory), t.browser(t.subject())
    user = t.zoom.user()
    callback = t.agree(t.begin(attacker).url, user)
    t.expect_refused(victim, callback, "the victim's consent to the attacker's request")
    anonymous = t.browser()
    callback = t.agree(t.begin(attacker).url, user)
    t.expect_refused(anonymous, callback, "the same in a browser that is not signed in")


@case("cb-state-cross-user")
def _cross_user(t: Trial) -> None:
    t.hook("sign_in")
    t.hook("sign_out")
    first, second = t.subject(), t.subject()
    browser = t.browser(first)
    user = t.zoom.user()
    callback = t.agree(t.begin(browser).url, user)
    t.in_browser("sign_out", browser)
    t.sign_in(browser, second)
    before = t.mark()
    page = t.expect_answered(t.visit(browser, callback), "the callback")
    if t.has("links"):
        t.expect(not t.linked(second), "the second person got the first one's link, unasked")
        t.expect(not t.linked(first), "a link was made after its owner had signed out")
    if page.status == 200 and t.form(page, "confirm", "claim"):
        t.expect(second in page.text, "the confirmation does not name the person who is signed in")
    elif t.token_requests(before):
        # A code was exchanged; only the links show for which subject.
        t.hook("links")


@case("cb-cookie-tossing")
def _tossing(t: Trial) -> None:
    mallory, victim = t.browser(t.subject()), t.browser(t.subject())
    known = {c.name for c in mallory.jar.all()}
    theirs = t.begin(mallory)
    own = t.begin(victim)
    del own
    binding = [c for c in mallory.jar.all() if c.name not in known] or mallory.jar.all()
    # Browsers prevent a neighbouring host from planting cookies with this prefix.
    plantable = [c for c in binding if not c.name.startswith("__Host-")]
    callback = t.agree(theirs.url, t.zoom.user())
    header = victim.jar.header(callback, cross_site=True, safe=True)
    planted = "; ".join(f"{c.name}={c.value}" for c in plantable)
    if not plantable:
        t.expect_refused(victim, callback, "the attacker's flow in the victim's browser")
        return
    for both in (f"{planted}; {header}", f"{header}; {planted}"):
        linked, before = t.links(), t.mark()
        answer = t.arrive(victim, callback, headers=[("cookie", both)])
        t.expect_came(answer, "a callback with two binding cookies")
        t.expect_no_exchange(before, "a callback with two binding cookies")
        t.expect(t.links() == linked, "a planted cookie made a link")


@case("cb-code-replay")
def _code_replay(t: Trial) -> None:
    t.zoom.simulator.faults.switch_on("code_reuse_accepted", {})
    before = t.mark()
    done = t.install()
    t.control(len(t.token_requests(before, "authorization_code")) == 1, "one flow, two exchanges")
    for _ in range(2):
        before = t.mark()
        answer = t.arrive(done.browser, done.callback)
        t.expect_answered(answer, "the same callback again")
        t.expect_no_exchange(before, "the same callback again")


@case("cb-code-race")
def _race(t: Trial) -> None:
    t.zoom.simulator.faults.switch_on("code_reuse_accepted", {})
    browser = t.browser(t.subject())
    callback = t.agree(t.begin(browser).url, t.zoom.user())
    before = t.mark()
    cookies = browser.jar.header(callback, cross_site=True, safe=True)
    headers = [
        ("cookie", cookies),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
    ]
    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(lambda _: t.direct.send("GET", callback, headers=headers), range(20))
        )
    count = len(t.token_requests(before, "authorization_code"))
    t.expect(count <= 1, f"twenty callbacks at once led to {count} exchanges")
    t.control(count == 1, "none of twenty callbacks at once led to an exchange")
    for answer in answers:
        t.expect_came(answer, "one of twenty callbacks at once")


@case("cb-code-injection")
def _code_injection(t: Trial) -> str:
    # The victim's code comes from the victim's own flow, so it is bound to their challenge.
    mallory, victim = t.subject(), t.subject()
    user = t.zoom.user()
    stolen = code_of(t.agree(t.begin(t.browser(victim)).url, user))
    attacker = t.browser(mallory)
    begun = t.begin(attacker)
    before = t.mark()
    t.finish(attacker, t.callback_url(code=stolen, state=begun.state))
    given = [one for one in t.token_requests(before) if one.status == 200]
    t.expect(not given, "Zoom gave tokens for the victim's code")
    t.expect(not t.linked(mallory), "the attacker's account is linked with the victim's code")
    return _left_over(t)


def _left_over(t: Trial) -> str:
    """Check for PKCE downgrade at a server that ignores an unneeded verifier (RFC 9700, 4.8)."""
    attacker = t.browser(t.subject())
    begun = t.begin(attacker)
    before = t.mark()
    t.finish(attacker, t.callback_url(code=t.code_for(t.zoom.user()), state=begun.state))
    taken = [one for one in t.token_requests(before) if one.status == 200]
    if not taken:
        return ""
    return (
        "what remains: a code that was got without a challenge, as by a Marketplace link, fits "
        "another flow while Zoom ignores a needless verifier"
    )


@case("cb-flood-random-codes")
def _flood(t: Trial) -> None:
    before = t.mark()
    browser = t.browser()

    def strike(number: int) -> int:
        query = {"code": f"random-code-{number:022d}"}
        if number % 2:
            query["state"] = f"forged-state-{number:030d}"
        return t.direct.send("GET", t.callback_url(**query)).status

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(strike, range(200)))
    t.expect_no_exchange(before, "200 random callbacks")
    t.expect(all(statuses), "some of 200 random callbacks were not answered")
    quick = browser.open(t.stage.base)
    t.expect(quick.seconds < 3, f"afterwards the app took {quick.seconds:.1f} seconds")
    t.install()


@case("cb-mixup", variant="two_registrations")
def _mixup(t: Trial) -> None:
    second = t.url("second_start")
    browser = t.browser(t.subject())
    answer = browser.open(second)
    form = t.form(answer)
    if form is not None and answer.status == 200:
        answer = browser.submit(form)
    t.control(
        answer.location.startswith(t.stage.trap_url), "the second registration does not start"
    )
    state = answer.query.get("state", "")
    code = t.code_for(t.zoom.user())
    for door in (t.url("redirect"), t.url("second_redirect")):
        before = t.mark()
        got = t.arrive(browser, f"{door}?{urlencode({'code': code, 'state': state})}")
        t.expect_came(got, "a code of the other server")
        t.expect_no_exchange(before, "a code of the other server")
        if door == t.url("redirect"):
            leaked = [hit for hit in t.stage.trap.hits if code in hit]
            t.expect(not leaked, "the code of one server was sent to the other")


@case("cb-state-carries-url")
def _carries_url(t: Trial) -> None:
    user = t.zoom.user()
    victim, browser = t.subject(), t.browser(t.subject())
    for number in range(len(_altered(t.begin(browser).state, victim))):
        # A new flow each time, as above.
        state = _altered(t.begin(browser).state, victim)[number]
        url = t.callback_url(code=t.code_for(user), state=state)
        answer = t.expect_refused(browser, url, "a state with altered content")
        t.expect(not answer.location.startswith(_EVIL), "an altered state leads to a foreign site")
    t.expect(not t.linked(victim), "an altered state named the account that was linked")


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
