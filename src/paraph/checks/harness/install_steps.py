"""The steps of an installation: start, consent at Zoom, redirection endpoint, confirmation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from paraph.checks.harness.case_context import CaseContext
from paraph.checks.harness.http.browser import Browser
from paraph.checks.harness.http.markup import buttons_of, find_form, forms_of, links_of
from paraph.checks.harness.http.response import Response
from paraph.checks.verdict import ControlFailedError
from paraph.simulator.state.world import User

# Form tokens, and the names that the check gives to local accounts.
_VARYING = re.compile(r"[A-Za-z0-9_+/=-]{16,}|person-[0-9a-f]{8}")
_START = "Let `start` in [urls] name the URL that redirects to Zoom."
_LINKS = "Let the hook `links` return the Zoom user's id as `user_id`, or lengthen `effect_within`."
_NOT_A_START = ("disconnect", "sign-out", "signout", "logout", "remove", "delete", "confirm")


@dataclass(slots=True)
class Begun:
    """An authorization request that waits for its response in a browser."""

    browser: Browser
    url: str

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the authorization request."""
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    @property
    def state(self) -> str:
        """The parameter `state`."""
        return self.query.get("state", "")


@dataclass(slots=True)
class Installed:
    """A completed installation; `response_url` is the URL that Zoom redirected to."""

    browser: Browser
    subject: str
    user: User
    response_url: str
    page: Response


# ------------------------------------------------------------ the authorization request


def try_begin(t: CaseContext, browser: Browser, url: str = "", **more: Any) -> Begun | None:
    """Open the start URL and press its buttons until the app redirects to Zoom.

    Args:
        t: the context.
        browser: the browser.
        url: where to start; "" means the start URL of the target.
        more: the remaining arguments of `Browser.open`.

    Returns None if the app never redirects to Zoom.

    Raises:
        HookMissingError: the target has no redirection endpoint, so it has no installations.
    """
    t.url("redirect")
    response = browser.open(url or t.url("start"), **more)
    for _ in range(4):
        if leads_to_zoom(t, response):
            return Begun(browser, response.location)
        shown = next((one for one in links_of(response) if _is_zoom(t, one)), "")
        if shown:
            return Begun(browser, shown)
        pressed = press_start(browser, response) if response.status == 200 else None
        if pressed is None:
            return None
        response = pressed
    return None


def press_start(browser: Browser, page: Response) -> Response | None:
    """Press the first button that could start the installation; return the response."""
    form = next((one for one in forms_of(page) if _starts(one.action)), None)
    if form is not None:
        return browser.submit(form)
    link = next((one for one in buttons_of(page) if _starts(one)), None)
    return None if link is None else browser.open(link, initiator=page.url)


def _starts(action: str) -> bool:
    return not any(word in action for word in _NOT_A_START)


def begin(t: CaseContext, browser: Browser, url: str = "", **more: Any) -> Begun:
    """Begin an authorization as `try_begin` does.

    Raises:
        ControlFailedError: the app does not redirect to Zoom.
    """
    begun = try_begin(t, browser, url, **more)
    if begun is None:
        end, fix = _describe_end(t, browser)
        raise ControlFailedError(
            f"the start does not lead to Zoom's authorization page: {end}", fix
        )
    return begun


def _describe_end(t: CaseContext, browser: Browser) -> tuple[str, str]:
    """Describe where the browser ended instead, and what to change."""
    page = browser.page
    if page is None or not page.status:
        return page.problem if page else "no request was sent", _START
    if page.location:
        where = f"it leads to {page.location[:100]}"
        return where, "Pass {zoom} to the app in [start], as the address of Zoom."
    where = f"it ends at {urlsplit(page.url).path} with status {page.status}"
    if page.status >= 500:
        return where, "Read the output of the app: the request failed there."
    if page.status in {404, 405} or t.hooks.has("sign_in"):
        return where, _START
    return where, f"{_START} If the page is a sign-in, describe it as the hook `sign_in`."


def leads_to_zoom(t: CaseContext, response: Response) -> bool:
    """Return True if a response redirects the browser to Zoom's authorization page."""
    return _is_zoom(t, response.location)


def _is_zoom(t: CaseContext, url: str) -> bool:
    where = urlsplit(url)
    return where.path == "/oauth/authorize" and where.netloc == urlsplit(t.zoom.url).netloc


# ------------------------------------------------------------ the authorization response


def consent(t: CaseContext, url: str, user: User, auto: str = "approve") -> str:
    """Consent at Zoom as a user.

    Args:
        t: the context.
        url: the URL of the authorization request.
        user: the Zoom user.
        auto: "approve" or "deny".

    Returns the URL that Zoom redirects to.

    Raises:
        ControlFailedError: Zoom refuses the authorization request.
    """
    t.zoom.consent_as(user, auto)
    response = t.direct.send("GET", t.zoom.reach(url))
    # The record shows the host name that a browser would show.
    response.url = url
    if not response.location:
        why, fix = _why_refused(t, url)
        why = f"Zoom refused the authorization request ({response.status}){why}"
        raise ControlFailedError(why, fix)
    return response.location


def _why_refused(t: CaseContext, url: str) -> tuple[str, str]:
    """Return the parameter that the registration does not know, and what to change."""
    query = dict(parse_qsl(urlsplit(url).query))
    sent, known = query.get("redirect_uri", ""), t.zoom.app.redirect_uris
    if query.get("client_id") != t.zoom.app.client_id:
        return "; its client_id is unknown", "Pass {client_id} to the app in [start]."
    if sent not in known:
        why = f"; its redirect_uri is {sent[:100] or 'missing'}, and {known[-1]} is registered"
        return why, "Correct `redirect` in [urls], or pass {redirect_uri} to the app in [start]."
    return "", "Read the response of Zoom."


def authorize(t: CaseContext, browser: Browser, user: User | None = None) -> str:
    """Begin an authorization and consent to it; return the URL that Zoom redirects to.

    Args:
        t: the context.
        browser: the browser that begins.
        user: the Zoom user who consents; None makes a new one.

    Raises:
        ControlFailedError: the app does not redirect to Zoom, or Zoom refuses the request.
    """
    return consent(t, begin(t, browser).url, user or t.zoom.user())


def code_for(t: CaseContext, user: User, **query: str) -> str:
    """Get a genuine code for a user without the app, as a Marketplace install does."""
    parameters = {
        "response_type": "code",
        "client_id": t.zoom.app.client_id,
        "redirect_uri": t.environment.redirect_uri,
        **query,
    }
    where = consent(t, f"{t.zoom.url}/oauth/authorize?{urlencode(parameters)}", user)
    return dict(parse_qsl(urlsplit(where).query))["code"]


def response_url(t: CaseContext, **query: str) -> str:
    """Return the URL of an authorization response with these parameters."""
    return f"{t.url('redirect')}?{urlencode(query)}"


def arrive(t: CaseContext, browser: Browser, url: str, **more: Any) -> Response:
    """Request a URL as if redirected by Zoom; redirects are not followed. Never raises."""
    return browser.request("GET", url, initiator=f"{t.zoom.url}/", **more)


def arrive_and_follow(t: CaseContext, browser: Browser, url: str, **more: Any) -> Response:
    """Request a URL as if redirected by Zoom, and follow redirects inside the app."""
    return browser.open(url, initiator=f"{t.zoom.url}/", **more)


def finish(t: CaseContext, browser: Browser, url: str) -> Response:
    """Open the redirect from Zoom and press the confirmation button, if there is one."""
    page = arrive_and_follow(t, browser, url)
    for _ in range(3):
        form = find_form(page, "confirm", "link", "claim")
        if page.status != 200 or form is None:
            return page
        page = browser.submit(form)
    return page


def install(
    t: CaseContext, user: User | None = None, subject: str = "", browser: Browser | None = None
) -> Installed:
    """Make a complete installation.

    Args:
        t: the context.
        user: the Zoom user; None makes a new one.
        subject: the local account; "" takes an unused one.
        browser: the browser; None opens a new one, in which the account is signed in.

    Raises:
        ControlFailedError: it does not work, so the case would prove nothing.
    """
    user = user or t.zoom.user()
    subject = subject or t.subject()
    browser = browser or t.browser(subject)
    before = t.zoom.mark()
    returned = authorize(t, browser, user)
    page = finish(t, browser, returned)
    why = page.problem or f"status {page.status}"
    asked = t.zoom.token_requests(before)
    t.control(0 < page.status < 400, f"an honest installation ended with {why}", _fix_of(page))
    t.control(asked, "the code was never exchanged", "Pass {zoom} to the app as Zoom's address.")
    if t.hooks.has("links"):
        shown = t.until(lambda: t.hooks.linked(user=user.id))
        t.control(shown, "an honest installation does not show in `links`", _LINKS)
    return Installed(browser, subject, user, returned, page)


def _fix_of(page: Response) -> str:
    if page.status in {404, 405}:
        return "Correct `redirect` in [urls]."
    return (
        "Read the output of the app: its redirection endpoint failed. "
        "A refused token request means that {client_secret} is not the app's."
    )


def expect_refused(
    t: CaseContext, browser: Browser, url: str, what: str, *, unbroken: bool = False
) -> Response:
    """Check that an authorization response is refused: no token request and no link.

    Args:
        t: the context.
        browser: the browser.
        url: the URL of the authorization response.
        what: the response, as the subject of the reason.
        unbroken: fail the case at a 5xx status as well.

    Raises:
        ExpectationFailedError: it is not refused.
    """
    before, linked = t.zoom.mark(), t.hooks.links()
    response = arrive(t, browser, url)
    last = _follow_to_end(t, browser, response)
    t.expect_no_exchange(before, what)
    t.expect(t.hooks.links() == linked, f"{what}: a link was made")
    t.expect_response(response, what)
    if unbroken:
        t.expect_no_error(response, what)
        t.expect(last.status < 500, f"{what} ended with {last.status}")
    return response


def _follow_to_end(t: CaseContext, browser: Browser, response: Response) -> Response:
    last = browser.follow(response, initiator=f"{t.zoom.url}/")
    form = find_form(last, "confirm", "claim")
    # A confirmation is pressed, because the attacker's victim might press it too.
    return browser.submit(form) if form is not None and last.status == 200 else last


# ------------------------------------------------------------ the app's pages


def shows(t: CaseContext, browser: Browser, *texts: str) -> bool:
    """Return True if a page of the target shows one of these texts to a browser."""
    pages = [browser.open(t.environment.absolute(one)) for one in t.target.urls.pages]
    return any(text in page.text for text in texts for page in pages)


def is_signed_out(t: CaseContext, browser: Browser) -> bool:
    """Return True if the pages treat a browser as signed out; False if that cannot be seen."""
    environment = t.environment
    if environment.pages_differ is None:
        environment.pages_differ = _view(t, install(t).browser) != _view(t, _fresh(t))
    return environment.pages_differ and _view(t, browser) == _view(t, _fresh(t))


def _fresh(t: CaseContext) -> Browser:
    return t.browser(t.subject())


def _view(t: CaseContext, browser: Browser) -> list[tuple[int, str, str]]:
    """Return the target's pages without the parts that change with every request."""
    pages = [browser.open(t.environment.absolute(one)) for one in t.target.urls.pages]
    return [(one.status, urlsplit(one.url).path, _VARYING.sub("", one.text)) for one in pages]
