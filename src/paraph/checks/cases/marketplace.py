"""Group `marketplace`: installs that begin at the Marketplace and by design carry no `state`."""

from __future__ import annotations

from urllib.parse import urlencode

from paraph.checks.harness.case import case, control
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.http.browser import Browser
from paraph.checks.harness.http.markup import require_form
from paraph.checks.harness.http.response import Response
from paraph.checks.harness.install_steps import (
    arrive,
    arrive_and_follow,
    begin,
    code_for,
    consent,
    finish,
    install,
    leads_to_zoom,
    press_start,
    response_url,
    try_begin,
)
from paraph.checks.harness.recording_zoom import REVOKE

_EVIL = "https://evil.example/page"
_TENANT_NAMES = ("tenant", "company", "uid", "user", "user_id", "account", "slug", "subject", "org")


@control("marketplace")
def _installs(t: CaseContext) -> None:
    install(t)


@case("mp-no-auto-link")
def _no_auto_link(t: CaseContext) -> None:
    subject = t.subject()
    for endpoint in (t.url("redirect"), t.environment.url("marketplace")):
        if not endpoint:
            continue
        browser = t.browser(subject)
        code = code_for(t, t.zoom.user())
        linked = t.hooks.links()
        for referer in (f"{t.zoom.url}/", "https://zoom.us/", "https://marketplace.zoom.us/"):
            url = f"{endpoint}?{urlencode({'code': code})}"
            response = arrive(t, browser, url, headers=[("referer", referer)])
            t.expect(response.status, "a code as the Marketplace delivers it got no response")
            browser.follow(response, initiator=referer)
            t.expect(t.hooks.links() == linked, "the signed-in account was linked by a stray code")
            if not t.hooks.has("links"):
                used = [
                    one for one in t.zoom.token_requests(0) if one.parameters.get("code") == code
                ]
                t.expect(not used, "a stray code was exchanged for a signed-in browser")


def _bounce(t: CaseContext, browser: Browser, code: str) -> list[Response]:
    """Arrive with a code and follow redirects; return every response."""
    first = len(t.exchanges)
    arrive_and_follow(t, browser, f"{t.url('marketplace')}?{urlencode({'code': code})}")
    return t.exchanges[first:]


def _reach_zoom(t: CaseContext, browser: Browser, responses: list[Response]) -> bool:
    if leads_to_zoom(t, responses[-1]):
        return True
    pressed = press_start(browser, responses[-1])
    return pressed is not None and leads_to_zoom(t, pressed)


@case("mp-bounce")
def _bounces(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    code = code_for(t, t.zoom.user())
    before = t.zoom.mark()
    responses = _bounce(t, browser, code)
    t.expect_no_exchange(before, "a code from the Marketplace")
    t.expect(responses[-1].status < 400, f"the Marketplace page returns {responses[-1].status}")
    t.expect(_reach_zoom(t, browser, responses), "a Marketplace arrival leads to no real flow")
    page = browser.page
    query = page.query if page else {}
    t.expect(query.get("state"), "the flow that follows has no state")
    t.expect(query.get("code_challenge_method") == "S256", "the flow that follows has no S256")


@case("mp-bounce-no-leak")
def _no_leak(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    code = code_for(t, t.zoom.user())
    responses = _bounce(t, browser, code)
    t.expect_no_error(responses[0], "a Marketplace arrival")
    for response in responses:
        t.expect(code not in response.everything(), "the stray code is passed on")
    t.expect(
        not any(code in cookie.value for cookie in browser.jar.all()), "the code is in a cookie"
    )
    first = responses[0]
    t.expect("no-store" in first.header("cache-control"), "the response may be cached")
    policy = first.header("referrer-policy")
    strict = {"no-referrer", "same-origin", "strict-origin", "origin"}
    t.expect(strict & set(policy.split(", ")), f"Referrer-Policy is {policy or 'absent'}")


@case("mp-bounce-loop")
def _loop(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    automatic = 0
    for _ in range(10):
        responses = _bounce(t, browser, code_for(t, t.zoom.user()))
        t.expect_no_error(responses[-1], "a Marketplace arrival")
        automatic += leads_to_zoom(t, responses[-1])
    t.expect(automatic <= 1, f"{automatic} of ten arrivals went on to Zoom by themselves")


def _claim_page(t: CaseContext, browser: Browser, code: str) -> Response:
    page = arrive_and_follow(t, browser, response_url(t, code=code))
    t.control(page.status == 200, f"pending mode returns {page.status}")
    return page


@case("mp-pending-unowned", variant="pending")
def _unowned(t: CaseContext) -> None:
    for subject in ("", t.subject()):
        browser = t.browser(subject)
        user = t.zoom.user()
        linked, before = t.hooks.links(), t.zoom.mark()
        arrive_and_follow(t, browser, response_url(t, code=code_for(t, user)))
        t.control(t.zoom.token_requests(before), "pending mode exchanges nothing")
        t.expect(t.hooks.links() == linked, "a pending install has got an owner")
        beyond = [o for o in t.zoom.requests("/v2/", since=before) if o.path != "/v2/users/me"]
        t.expect(not beyond, "a pending install was used for more than identity")
        if t.hooks.has("pending"):
            owners = [one.get("subject") for one in t.hooks.call("pending")]
            t.expect(not any(owners), "a pending install names an owner")


@case("mp-pending-confirm", variant="pending")
def _confirm(t: CaseContext) -> None:
    mallory, victim = t.subject(), t.subject()
    attacker, browser = t.browser(mallory), t.browser(victim)
    theirs = _claim_page(t, attacker, code_for(t, t.zoom.user()))
    form = require_form(theirs, "claim", "confirm")
    linked = t.hooks.links()
    for initiator in (_EVIL, form.action):
        response = browser.request("POST", form.action, initiator=initiator, form=form.fields)
        t.expect_response(response, "another browser's claim")
        t.expect(t.hooks.links() == linked, "a claim from another browser was accepted")
    user = t.zoom.user()
    page = _claim_page(t, browser, code_for(t, user))
    t.expect(user.display_name in page.text, "the confirmation does not name the Zoom user")
    t.expect(victim in page.text, "the confirmation does not name the local account")
    own = require_form(page, "claim", "confirm")
    browser.request("POST", own.action, initiator=_EVIL, form=own.fields)
    t.expect(t.hooks.links() == linked, "a cross-site POST has confirmed")
    browser.submit(own)
    t.control(t.hooks.linked(victim, user.id), "an honest confirmation links nothing")
    after = t.hooks.links()
    again = browser.request("POST", own.action, initiator=own.action, form=own.fields)
    t.expect_response(again, "a confirmation for the second time")
    t.expect(t.hooks.links() == after, "a confirmation counts twice")


@case("mp-pending-expiry", variant="pending")
def _expiry(t: CaseContext) -> None:
    t.hooks.require("advance")
    subject = t.subject()
    browser = t.browser(subject)
    page = _claim_page(t, browser, code_for(t, t.zoom.user()))
    form = require_form(page, "claim", "confirm")
    before = t.zoom.mark()
    t.hooks.advance(t.limits.pending_lifetime + 60)
    browser.submit(form)
    t.expect(not t.hooks.linked(subject), "a claim past its time was accepted")
    revoked = t.until(lambda: t.zoom.requests(REVOKE, since=before), 5)
    t.expect(revoked, "the tokens of an unclaimed install are never revoked")


@case("mp-tenant-param")
def _tenant(t: CaseContext) -> None:
    t.hooks.require("links")
    victim, mallory = t.subject(), t.subject()
    browser, user = t.browser(mallory), t.zoom.user()
    extra = urlencode(dict.fromkeys(_TENANT_NAMES, victim))
    start = t.url("start")
    begun = try_begin(t, browser, f"{start}{'&' if '?' in start else '?'}{extra}")
    begun = begun or begin(t, browser)
    finish(t, browser, f"{consent(t, begun.url, user)}&{extra}")
    t.expect(not t.hooks.linked(victim), "a parameter has chosen the account that was linked")
    for query in ({"code": code_for(t, user)}, {"code": code_for(t, user), "state": victim}):
        finish(t, browser, f"{response_url(t, **query)}&{extra}")
        t.expect(not t.hooks.linked(victim), "a parameter has chosen the account that was linked")
