"""Group `redirection`, part 2: the authorization code, and the server that it comes from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, urlencode, urlsplit

from paraph.checks.harness.case import case
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.http.markup import find_form, loaded_by
from paraph.checks.harness.install_steps import (
    arrive,
    authorize,
    begin,
    code_for,
    consent,
    expect_refused,
    finish,
    install,
    response_url,
)
from paraph.checks.harness.recording_zoom import ME
from paraph.checks.harness.zoom_messages import Reply


def code_of(url: str) -> str:
    """Return the code in the URL of an authorization response."""
    return dict(parse_qsl(urlsplit(url).query)).get("code", "")


@case("cb-code-replay")
def _code_replay(t: CaseContext) -> None:
    t.zoom.simulator.faults.switch_on("code_reuse_accepted", {})
    before = t.zoom.mark()
    done = install(t)
    t.control(
        len(t.zoom.token_requests(before, "authorization_code")) == 1, "one flow, two exchanges"
    )
    for _ in range(2):
        before = t.zoom.mark()
        response = arrive(t, done.browser, done.response_url)
        t.expect_no_error(response, "the same authorization response again")
        t.expect_no_exchange(before, "the same authorization response again")


@case("cb-code-race")
def _race(t: CaseContext) -> None:
    t.zoom.simulator.faults.switch_on("code_reuse_accepted", {})
    browser = t.browser(t.subject())
    returned = authorize(t, browser)
    before = t.zoom.mark()
    cookies = browser.jar.header(returned, cross_site=True, safe=True)
    headers = [
        ("cookie", cookies),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
    ]
    with ThreadPoolExecutor(20) as pool:
        responses = list(
            pool.map(lambda _: t.direct.send("GET", returned, headers=headers), range(20))
        )
    count = len(t.zoom.token_requests(before, "authorization_code"))
    t.expect(count <= 1, f"twenty responses at once led to {count} exchanges")
    t.control(count == 1, "none of twenty responses at once led to an exchange")
    for response in responses:
        t.expect_response(response, "one of twenty responses at once")


@case("cb-code-injection")
def _code_injection(t: CaseContext) -> str:
    # The victim's code comes from the victim's own flow, so it is bound to their challenge.
    mallory, victim = t.subject(), t.subject()
    user = t.zoom.user()
    stolen = code_of(authorize(t, t.browser(victim), user))
    attacker = t.browser(mallory)
    begun = begin(t, attacker)
    before = t.zoom.mark()
    finish(t, attacker, response_url(t, code=stolen, state=begun.state))
    given = [one for one in t.zoom.token_requests(before) if one.status == 200]
    t.expect(not given, "Zoom gave tokens for the victim's code")
    t.expect(not t.hooks.linked(mallory), "the attacker's account is linked with the victim's code")
    return _left_over(t)


def _left_over(t: CaseContext) -> str:
    """Check for PKCE downgrade at a server that ignores an unneeded verifier (RFC 9700, 4.8)."""
    attacker = t.browser(t.subject())
    begun = begin(t, attacker)
    before = t.zoom.mark()
    finish(t, attacker, response_url(t, code=code_for(t, t.zoom.user()), state=begun.state))
    taken = [one for one in t.zoom.token_requests(before) if one.status == 200]
    if not taken:
        return ""
    return (
        "remaining weakness: a code issued without a challenge, as by a Marketplace link, is "
        "accepted in another flow, because Zoom ignores an unneeded verifier"
    )


@case("cb-flood-random-codes")
def _flood(t: CaseContext) -> None:
    before = t.zoom.mark()
    browser = t.browser()

    def strike(number: int) -> int:
        query = {"code": f"random-code-{number:022d}"}
        if number % 2:
            query["state"] = f"forged-state-{number:030d}"
        return t.direct.send("GET", response_url(t, **query)).status

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(strike, range(200)))
    t.expect_no_exchange(before, "200 random authorization responses")
    t.expect(all(statuses), "some of 200 random authorization responses got no response")
    quick = browser.open(t.environment.base)
    t.expect(quick.seconds < 3, f"afterwards the app took {quick.seconds:.1f} seconds")
    install(t)


@case("cb-mixup", variant="two_registrations")
def _mixup(t: CaseContext) -> None:
    second = t.url("second_start")
    browser = t.browser(t.subject())
    response = browser.open(second)
    form = find_form(response)
    if form is not None and response.status == 200:
        response = browser.submit(form)
    t.control(
        response.location.startswith(t.environment.trap_url),
        "the second registration does not start",
    )
    state = response.query.get("state", "")
    code = code_for(t, t.zoom.user())
    for endpoint in (t.url("redirect"), t.url("second_redirect")):
        before = t.zoom.mark()
        got = arrive(t, browser, f"{endpoint}?{urlencode({'code': code, 'state': state})}")
        t.expect_response(got, "a code of the other server")
        t.expect_no_exchange(before, "a code of the other server")
        if endpoint == t.url("redirect"):
            leaked = [hit for hit in t.environment.trap.hits if code in hit]
            t.expect(not leaked, "the code of one server was sent to the other")


@case("cb-code-missing")
def _code_missing(t: CaseContext) -> None:
    for ending in ("", "&code="):
        browser = t.browser(t.subject())
        state = begin(t, browser).state
        url = response_url(t, state=state) + ending
        response = expect_refused(
            t, browser, url, "an authorization response without a code", unbroken=True
        )
        t.expect(
            response.status != 200 or response.is_html,
            "an authorization response without a code was accepted",
        )


@case("cb-code-rejected")
def _code_rejected(t: CaseContext) -> None:
    subject = t.subject()
    browser = t.browser(subject)
    begun = begin(t, browser)
    linked = t.hooks.links()
    url = response_url(t, code="garbage" * 4, state=begun.state)
    before = t.zoom.mark()
    page = finish(t, browser, url)
    t.expect_no_error(page, "a code that Zoom refuses", asked=t.zoom.token_requests(before))
    t.expect(t.hooks.links() == linked, "a link was made although Zoom refused the code")
    expect_refused(t, browser, consent(t, begun.url, t.zoom.user()), "the same state afterwards")


@case("cb-clean-url")
def _clean(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    returned = authorize(t, browser)
    code, state = code_of(returned), dict(parse_qsl(urlsplit(returned).query)).get("state")
    response = arrive(t, browser, returned)
    t.expect(
        300 <= response.status < 400,
        f"the authorization response got status {response.status}, not by a redirect",
    )
    last = browser.follow(response)
    for secret, what in ((code, "code"), (state, "state")):
        if not secret:
            continue
        t.expect(secret not in last.url, f"the {what} stays in the address bar")
        t.expect(secret not in last.text, f"the {what} is in the page")
    t.expect(
        response.header("referrer-policy") or last.header("referrer-policy"), "no Referrer-Policy"
    )
    foreign = [o for o in loaded_by(last) if o.startswith("http") and not browser.is_ours(o)]
    t.expect(not foreign, f"the landing page loads things from other sites ({foreign[:1]})")


@case("cb-half-install")
def _half(t: CaseContext) -> None:
    subject = t.subject()
    browser = t.browser(subject)
    linked = t.hooks.links()
    t.zoom.replace(ME, Reply.of_json({"code": 500, "message": "x"}, 500), times=3)
    page = finish(t, browser, authorize(t, browser))
    t.expect(page.status, f"no response: {page.problem}")
    t.expect(t.hooks.links() == linked, "an account is linked although its Zoom user is unknown")
    t.expect(
        not (not t.hooks.has("links") and page.status < 300 and "connected" in page.text.lower()),
        "the app says that it is connected",
    )
    t.zoom.reset()
    install(t, subject=subject, browser=browser)


@case("cb-iss-mismatch")
def _iss(t: CaseContext) -> None:
    for issuer in ("https://evil.example", t.zoom.url + "/", ""):
        browser = t.browser(t.subject())
        returned = authorize(t, browser)
        url = f"{returned}&{urlencode({'iss': issuer})}"
        expect_refused(t, browser, url, f"an authorization response with iss={issuer!r}")


@case("cb-iss-removed", variant="issuer")
def _iss_removed(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    returned = authorize(t, browser)
    before = t.zoom.mark()
    finish(t, browser, f"{returned}&{urlencode({'iss': t.zoom.url})}")
    t.control(
        t.zoom.token_requests(before), "an authorization response with the right iss is refused"
    )
    browser = t.browser(t.subject())
    returned = authorize(t, browser)
    expect_refused(t, browser, returned, "an authorization response without the announced iss")
