"""Group C: installs that begin at the Marketplace and by design carry no `state`."""

from __future__ import annotations

from urllib.parse import urlencode

from paraph.checks.harness.browser import Browser
from paraph.checks.harness.case import Trial, case, control
from paraph.checks.harness.recording_zoom import REVOKE
from paraph.checks.harness.response import Answer

_EVIL = "https://evil.example/page"
_TENANT_NAMES = ("tenant", "company", "uid", "user", "user_id", "account", "slug", "subject", "org")


@control("marketplace")
def _installs(t: Trial) -> None:
    t.install()


@case("mp-no-auto-link")
def _no_auto_link(t: Trial) -> None:
    subject = t.subject()
    for door in (t.url("redirect"), t.stage.url("marketplace")):
        if not door:
            continue
        browser = t.browser(subject)
        code = t.code_for(t.zoom.user())
        linked = t.links()
        for referer in (f"{t.zoom.url}/", "https://zoom.us/", "https://marketplace.zoom.us/"):
            url = f"{door}?{urlencode({'code': code})}"
            answer = t.arrive(browser, url, headers=[("referer", referer)])
            t.expect(answer.status, "a code as the Marketplace delivers it got no answer")
            browser.follow(answer, initiator=referer)
            t.expect(t.links() == linked, "the signed-in account was linked by a stray code")
            if not t.has("links"):
                used = [one for one in t.token_requests(0) if one.parameters.get("code") == code]
                t.expect(not used, "a stray code was exchanged for a signed-in browser")


def _bounce(t: Trial, browser: Browser, code: str) -> list[Answer]:
    """Arrive with a code and follow redirects; return every response."""
    first = len(t.exchanges)
    t.visit(browser, f"{t.url('marketplace')}?{urlencode({'code': code})}")
    return t.exchanges[first:]


def _reach_zoom(t: Trial, browser: Browser, answers: list[Answer]) -> bool:
    if t.leads_to_zoom(answers[-1]):
        return True
    pressed = t.pressed(browser, answers[-1])
    return pressed is not None and t.leads_to_zoom(pressed)


@case("mp-bounce")
def _bounces(t: Trial) -> None:
    browser = t.browser(t.subject())
    code = t.code_for(t.zoom.user())
    before = t.mark()
    answers = _bounce(t, browser, code)
    t.expect_no_exchange(before, "a code from the Marketplace")
    t.expect(answers[-1].status < 400, f"the Marketplace page answers {answers[-1].status}")
    t.expect(_reach_zoom(t, browser, answers), "a Marketplace arrival leads to no real flow")
    page = browser.page
    query = page.query if page else {}
    t.expect(query.get("state"), "the flow that follows has no state")
    t.expect(query.get("code_challenge_method") == "S256", "the flow that follows has no S256")


@case("mp-bounce-no-leak")
def _no_leak(t: Trial) -> None:
    browser = t.browser(t.subject())
    code = t.code_for(t.zoom.user())
    answers = _bounce(t, browser, code)
    t.expect_answered(answers[0], "a Marketplace arrival")
    for answer in answers:
        t.expect(code not in answer.everything(), "the stray code is passed on")
    t.expect(
        not any(code in cookie.value for cookie in browser.jar.all()), "the code is in a cookie"
    )
    first = answers[0]
    t.expect("no-store" in first.header("cache-control"), "the answer may be cached")
    policy = first.header("referrer-policy")
    strict = {"no-referrer", "same-origin", "strict-origin", "origin"}
    t.expect(strict & set(policy.split(", ")), f"Referrer-Policy is {policy or 'absent'}")


@case("mp-bounce-loop")
def _loop(t: Trial) -> None:
    browser = t.browser(t.subject())
    automatic = 0
    for _ in range(10):
        answers = _bounce(t, browser, t.code_for(t.zoom.user()))
        t.expect_answered(answers[-1], "a Marketplace arrival")
        automatic += t.leads_to_zoom(answers[-1])
    t.expect(automatic <= 1, f"{automatic} of ten arrivals went on to Zoom by themselves")


def _claim_page(t: Trial, browser: Browser, code: str) -> Answer:
    page = t.visit(browser, t.callback_url(code=code))
    t.control(page.status == 200, f"pending mode answers {page.status}")
    return page


@case("mp-pending-unowned", variant="pending")
def _unowned(t: Trial) -> None:
    for subject in ("", t.subject()):
        browser = t.browser(subject)
        user = t.zoom.user()
        linked, before = t.links(), t.mark()
        t.visit(browser, t.callback_url(code=t.code_for(user)))
        t.control(t.token_requests(before), "pending mode exchanges nothing")
        t.expect(t.links() == linked, "a pending install has got an owner")
        beyond = [o for o in t.zoom.requests("/v2/", since=before) if o.path != "/v2/users/me"]
        t.expect(not beyond, "a pending install was used for more than identity")
        if t.has("pending"):
            owners = [one.get("subject") for one in t.call("pending")]
            t.expect(not any(owners), "a pending install names an owner")


@case("mp-pending-confirm", variant="pending")
def _confirm(t: Trial) -> None:
    mallory, victim = t.subject(), t.subject()
    attacker, browser = t.browser(mallory), t.browser(victim)
    theirs = _claim_page(t, attacker, t.code_for(t.zoom.user()))
    form = t.form(theirs, "claim", "confirm")
    t.control(form, "pending mode shows no confirmation")
    assert form is not None  # noqa: S101 - Said for the type checker.
    linked = t.links()
    for initiator in (_EVIL, form.action):
        answer = browser.request("POST", form.action, initiator=initiator, form=form.fields)
        t.expect_came(answer, "another browser's claim")
        t.expect(t.links() == linked, "a claim from another browser was accepted")
    user = t.zoom.user()
    page = _claim_page(t, browser, t.code_for(user))
    t.expect(user.display_name in page.text, "the confirmation does not name the Zoom user")
    t.expect(victim in page.text, "the confirmation does not name the local account")
    own = t.form(page, "claim", "confirm")
    assert own is not None  # noqa: S101 - Said for the type checker.
    browser.request("POST", own.action, initiator=_EVIL, form=own.fields)
    t.expect(t.links() == linked, "a cross-site POST has confirmed")
    browser.submit(own)
    t.control(t.linked(victim, user.id), "an honest confirmation links nothing")
    after = t.links()
    again = browser.request("POST", own.action, initiator=own.action, form=own.fields)
    t.expect_came(again, "a confirmation for the second time")
    t.expect(t.links() == after, "a confirmation counts twice")


@case("mp-pending-expiry", variant="pending")
def _expiry(t: Trial) -> None:
    t.hook("advance")
    subject = t.subject()
    browser = t.browser(subject)
    page = _claim_page(t, browser, t.code_for(t.zoom.user()))
    form = t.form(page, "claim", "confirm")
    assert form is not None  # noqa: S101 - Said for the type checker.
    before = t.mark()
    t.advance(t.stage.target.limits.pending_lifetime + 60)
    browser.submit(form)
    t.expect(not t.linked(subject), "a claim past its time was accepted")
    revoked = t.until(lambda: t.zoom.requests(REVOKE, since=before), 5)
    t.expect(revoked, "the tokens of an unclaimed install are never revoked")


@case("mp-tenant-param")
def _tenant(t: Trial) -> None:
    t.hook("links")
    victim, mallory = t.subject(), t.subject()
    browser, user = t.browser(mallory), t.zoom.user()
    extra = urlencode(dict.fromkeys(_TENANT_NAMES, victim))
    start = t.url("start")
    begun = t.try_begin(browser, f"{start}{'&' if '?' in start else '?'}{extra}")
    begun = begun or t.begin(browser)
    t.finish(browser, f"{t.agree(begun.url, user)}&{extra}")
    t.expect(not t.linked(victim), "a parameter has chosen the account that was linked")
    for query in ({"code": t.code_for(user)}, {"code": t.code_for(user), "state": victim}):
        t.finish(browser, f"{t.callback_url(**query)}&{extra}")
        t.expect(not t.linked(victim), "a parameter has chosen the account that was linked")
