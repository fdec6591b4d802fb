"""Group `redirection`, part 3: errors, parameters and encodings at the redirection endpoint."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from paraph.checks.harness.case import case
from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.http.markup import links_of, redirects_of
from paraph.checks.harness.install_steps import (
    arrive,
    arrive_and_follow,
    authorize,
    begin,
    code_for,
    consent,
    expect_refused,
    finish,
    install,
    response_url,
    try_begin,
)

_XSS = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>')
_RETURN_NAMES = (
    *("return_to", "returnTo", "next", "redirect", "redirect_to", "redirect_url", "url"),
    *("continue", "back", "callback", "onErrorReturnTo", "goto", "rd", "dest"),
)
# Validators have read these as paths, and browsers as URLs of another host.
_LEADS = (
    *("//", "///", "////", "/\\", "\\\\", "\\/", "/\\/", "\t//", " //", "\x00//", "/\t/", "/\r\n/"),
    *("/%09/", "/%0d%0a/", "/%5c", "/%2f%2f", "/.", "/..//", "/;//", "/%00//", "/@", "."),
    *("https:", "https:/", "https://", "https:///", "https:\\\\", "hTTps://", "http:/\\", "http:"),
)
_OTHER_SCHEMES = ("javascript:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "vbscript:x")


def _foreign(own: str) -> list[str]:
    """Return the attacker's URLs; some contain the app's name where careless checks look."""
    hosts = (*("evil.example", f"{own}@evil.example", f"evil.example/{own}"), f"{own}.evil.example")
    found = [lead + hosts[0] for lead in _LEADS]
    found += [lead + host for lead in ("//", "https://", "/\\", "https:") for host in hosts[1:]]
    return [*found, "//evil%E3%80%82example", f"https://evil.example?{own}", *_OTHER_SCHEMES]


@case("cb-error-denied")
def _denied(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    begun = begin(t, browser)
    refused = consent(t, begun.url, t.zoom.user(), "deny")
    expect_refused(t, browser, refused, "a refused consent", unbroken=True)
    expect_refused(
        t, browser, consent(t, begun.url, t.zoom.user()), "the state of a refused consent"
    )


@case("cb-error-no-state")
def _error_no_state(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    begun = begin(t, browser)
    for query in ({"error": "x"}, {"error": "access_denied", "state": "forged" * 6}):
        expect_refused(t, browser, response_url(t, **query), "a forged error", unbroken=True)
    before = t.zoom.mark()
    page = finish(t, browser, consent(t, begun.url, t.zoom.user()))
    t.expect(t.zoom.token_requests(before), "a forged error has cancelled the victim's flow")
    t.expect(page.status < 400, f"after a forged error the flow ended with {page.status}")


@case("cb-error-and-code")
def _error_and_code(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    returned = authorize(t, browser)
    expect_refused(t, browser, f"{returned}&error=access_denied", "an error beside a code")


@case("cb-error-xss")
def _error_xss(t: CaseContext) -> None:
    for mark in _XSS:
        browser = t.browser(t.subject())
        state = begin(t, browser).state
        for query in (
            {"error": mark, "error_description": mark, "state": state},
            {"error": "x", "error_description": mark, "state": mark},
            {"error": "access_denied", "error_uri": "javascript:alert(1)", "state": state},
            {"code": mark, "state": mark},
        ):
            response = arrive(t, browser, response_url(t, **query))
            t.expect_response(response, "an authorization response with markup in it")
            last = browser.follow(response)
            t.expect(mark not in last.text or not last.is_html, "markup is shown as it came")
            linked = [one for one in links_of(last) if one.lower().startswith("javascript:")]
            t.expect(not linked, "error_uri becomes a link")
            where = response.location
            t.expect(not where.lower().startswith("javascript"), "error_uri is followed")


@case("cb-dup-params")
def _duplicates(t: CaseContext) -> None:
    for name, bad in (
        *(("code", ("other",)), ("state", ("other",)), ("error", ("x", "y"))),
        ("iss", (t.zoom.url, "https://evil.example")),
    ):
        for order in (0, 1):
            browser = t.browser(t.subject())
            query = parse_qsl(urlsplit(authorize(t, browser)).query)
            extra = [(name, one) for one in (bad if order else reversed(bad))]
            pairs = [*query, *extra] if order else [*extra, *query]
            url = f"{t.url('redirect')}?{urlencode(pairs)}"
            expect_refused(t, browser, url, f"an authorization response with two values of {name}")


@case("cb-query-vs-body")
def _sources(t: CaseContext) -> None:
    for query, body, cookie in (
        (("state",), ("code",), ()),
        ((), ("state", "code"), ()),
        (("state",), (), ("code",)),
    ):
        browser = t.browser(t.subject())
        returned = authorize(t, browser)
        values = {"state": "", **dict(parse_qsl(urlsplit(returned).query))}
        url = response_url(t, **{n: values[n] for n in query})
        # A page of the app itself sends it, so that SameSite does not hide the app's own decision.
        cookies = browser.jar.header(url, cross_site=False, safe=True)
        cookies = "; ".join([cookies, *(f"{n}={values[n]}" for n in cookie)])
        form = {n: values[n] for n in body}
        before = t.zoom.mark()
        response = browser.request(
            "POST" if body else "GET",
            url,
            initiator=url,
            form=form or None,
            headers=[("cookie", cookies)],
        )
        what = "parameters from several sources"
        t.expect_response(response, what)
        # A token request without this code shows an app that reads the query alone.
        used = [
            o for o in t.zoom.token_requests(before) if o.parameters.get("code") == values["code"]
        ]
        t.expect(not used, f"{what}: the app sent the code to Zoom")


@case("cb-head-prefetch")
def _prefetch(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    returned = authorize(t, browser)
    before = t.zoom.mark()
    for method, headers in (
        ("HEAD", []),
        ("OPTIONS", []),
        ("GET", [("sec-purpose", "prefetch")]),
        ("GET", [("sec-purpose", "prefetch;prerender"), ("purpose", "prefetch")]),
    ):
        response = browser.request(method, returned, initiator=f"{t.zoom.url}/", headers=headers)
        what = f"{method} {dict(headers).get('sec-purpose', '')}".strip()
        t.expect_no_exchange(before, what)
        t.expect(response.status != 500, f"{what} got status 500")
    page = finish(t, browser, returned)
    t.expect(t.zoom.token_requests(before), "looking at the URL has used it up")
    t.expect(page.status < 400, f"the real request ended with {page.status}")


@case("cb-oversize")
def _oversize(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    state = begin(t, browser).state
    many = "&".join(f"p{i}=x" for i in range(2000))
    for query in (
        urlencode({"code": "x", "state": "s" * 60_000}),
        urlencode({"code": "c" * 60_000, "state": state}),
        urlencode({"code": "x", "state": state}) + "&" + many,
    ):
        before = t.zoom.mark()
        response = arrive(t, browser, f"{t.url('redirect')}?{query}")
        # A server that closes the connection has refused, too.
        t.expect(
            response.status < 500 or response.status in {501, 505}, f"status {response.status}"
        )
        t.expect(response.seconds < 2, f"took {response.seconds:.1f} seconds")
        t.expect_no_exchange(before, "an oversized authorization response")
    t.expect(browser.open(t.environment.base).status, "the app does not respond any more")


@case("cb-encodings")
def _encodings(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    state = begin(t, browser).state
    odd = ("%00", "%0d%0aSet-Cookie:x=1", "%c0%af", "%zz", "%", "%f0%9f%92%a9", "%ff%fe", "%u0041")
    for one in odd:
        for query in (f"code=abc{one}&state={quote(state)}", f"code=abc&state={quote(state)}{one}"):
            before = t.zoom.mark()
            response = arrive(t, browser, f"{t.url('redirect')}?{query}")
            asked = t.zoom.token_requests(before)
            t.expect_no_error(response, f"an authorization response with {one}", asked=asked)
            t.expect(
                not any(c.startswith("x=1") for c in response.set_cookies), "a header was injected"
            )
            for seen in asked:
                t.expect("code" in seen.parameters, "the token request was malformed")
    raw = f"GET {urlsplit(t.url('redirect')).path}?code=\xe9\xff&state=\xe9 HTTP/1.1\r\n"
    host = urlsplit(t.environment.base).netloc
    response = t.direct.raw(
        t.url("redirect"), f"{raw}Host: {host}\r\nConnection: close\r\n\r\n".encode("latin-1")
    )
    t.expect(response.status < 500, f"raw bytes in the query got status {response.status}")


@case("cb-implicit-token")
def _implicit(t: CaseContext) -> None:
    done = install(t)
    token = t.zoom.access_token_of(done.user)
    t.control(token, "Zoom has issued no access token")
    browser = t.browser(t.subject())
    state = begin(t, browser).state
    for query in (
        {"access_token": token, "token_type": "bearer", "state": state},
        {"access_token": token},
    ):
        before = t.zoom.mark()
        response = arrive_and_follow(t, browser, response_url(t, **query))
        t.expect(response.status, "a token in the address bar got no response")
        used = [one for one in t.zoom.requests("/v2/", since=before) if one.bearer == token]
        t.expect(not used, "a token from the address bar was used")


@case("cb-unknown-params")
def _unknown(t: CaseContext) -> None:
    browser = t.browser(t.subject())
    returned = authorize(t, browser)
    before = t.zoom.mark()
    page = finish(t, browser, f"{returned}&foo=bar&_ga=1.2")
    t.expect(
        t.zoom.token_requests(before),
        "an authorization response with an unknown parameter was refused",
    )
    t.expect(
        page.status < 400,
        f"an authorization response with an unknown parameter ended with {page.status}",
    )


def _refused_states(t: CaseContext) -> list[dict[str, str]]:
    """Return requests that the redirection endpoint refuses, to compare other spellings with."""
    found: list[dict[str, str]] = []
    for state in ({}, {"state": "forged" * 7}):
        before = t.zoom.mark()
        arrive(t, t.browser(t.subject()), response_url(t, code=code_for(t, t.zoom.user()), **state))
        found += [] if t.zoom.token_requests(before) else [state]
    t.control(found, "the redirection endpoint itself refuses no code (cb-state-missing)")
    return found


@case("cb-path-variants")
def _paths(t: CaseContext) -> None:
    parts = urlsplit(t.url("redirect"))
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path
    head, _, last = path.rstrip("/").rpartition("/")
    refused = _refused_states(t)
    for variant in (
        *(f"{path}/", f"/{path}", path.upper(), f"{path};x", f"{path}%2f", f"{path}%20"),
        *(f"{path}//", f"{head}/./{last}", f"{head}//{last}", f"{head}/x/../{last}"),
        *(f"{path}.json", f"{head}/%{ord(last[0]):02x}{last[1:]}"),
    ):
        browser = t.browser(t.subject())
        for state in refused:
            query = urlencode({"code": code_for(t, t.zoom.user()), **state})
            expect_refused(t, browser, f"{origin}{variant}?{query}", f"the spelling {variant}")
    before = t.zoom.mark()
    for state in refused:
        url = response_url(t, code=code_for(t, t.zoom.user()), **state)
        response = arrive(t, t.browser(t.subject()), url, headers=[("host", "other.example")])
        t.expect_response(response, "another Host")
    t.expect_no_exchange(before, "another Host")


@case("cb-open-redirect")
def _open_redirect(t: CaseContext) -> None:
    start = t.url("start")
    joined = "&" if "?" in start else "?"
    browser = t.browser(t.subject())
    for number, value in enumerate(_foreign(urlsplit(t.environment.base).netloc)):
        first = len(t.exchanges)
        names = urlencode(dict.fromkeys(_RETURN_NAMES, value))
        stranger = t.browser()
        stranger.request("GET", f"{start}{joined}{names}")
        stranger.request("GET", f"{t.url('redirect')}?{names}&error=x")
        stranger.request("GET", f"{t.url('redirect')}?{names}&state=x&code=y")
        # An app may redirect after consent or after a refusal, so both are tried.
        begun = try_begin(t, browser, f"{start}{joined}{names}")
        if begun is not None:
            said = "deny" if number % 3 == 1 else "approve"
            finish(t, browser, consent(t, begun.url, t.zoom.user(), said) + "&" + names)
        _expect_none_away(t, first)


def _expect_none_away(t: CaseContext, first: int) -> None:
    """Check that the app redirects only to itself and to Zoom."""
    ours = {urlsplit(one).netloc for one in (*t.environment.origins, t.zoom.url)}
    for one in t.exchanges[first:]:
        for where in (one.location, *redirects_of(one)):
            near = urlsplit(where).scheme in {"http", "https"} and urlsplit(where).netloc in ours
            t.expect(not where or near, f"the app sends the browser to {where[:80]}")
