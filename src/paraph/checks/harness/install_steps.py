"""The steps of an installation: start, consent at Zoom, redirection endpoint, confirmation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from paraph.checks.harness.browser import Browser
from paraph.checks.harness.case_context import Ground
from paraph.checks.harness.markup import buttons_of, forms_of, links_of
from paraph.checks.harness.recording_zoom import TOKEN
from paraph.checks.harness.response import Answer
from paraph.simulator.state.world import User

# Form tokens, and the names that the check gives to local accounts.
_VARYING = re.compile(r"[A-Za-z0-9_+/=-]{16,}|person-[0-9a-f]{8}")
_NOT_A_START = ("disconnect", "sign-out", "signout", "logout", "remove", "delete", "confirm")


@dataclass(slots=True)
class Begun:
    """A pending authorization request in a browser."""

    browser: Browser
    answer: Answer
    url: str

    @property
    def query(self) -> dict[str, str]:
        """Return the parameters of the authorization request."""
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    @property
    def state(self) -> str:
        """Return the parameter `state`."""
        return self.query.get("state", "")


@dataclass(slots=True)
class Installed:
    """A completed installation."""

    browser: Browser
    subject: str
    user: User
    callback: str
    page: Answer


class Flow(Ground):
    """Installation steps, one by one or all in one call."""

    def try_begin(self, browser: Browser, url: str = "", **more: Any) -> Begun | None:
        """Open the start URL and press its buttons until the app redirects to Zoom.

        Returns None if the app never redirects to Zoom.
        """
        answer = browser.open(url or self.url("start"), **more)
        for _ in range(4):
            if self.leads_to_zoom(answer):
                return Begun(browser, answer, answer.location)
            shown = next((one for one in links_of(answer) if self._is_zoom(one)), "")
            if shown:
                return Begun(browser, answer, shown)
            pressed = self.pressed(browser, answer) if answer.status == 200 else None
            if pressed is None:
                return None
            answer = pressed
        return None

    def pressed(self, browser: Browser, page: Answer) -> Answer | None:
        """Press the first button that could start the installation; return the response."""
        form = next((one for one in forms_of(page) if self._starts(one.action)), None)
        if form is not None:
            return browser.submit(form)
        link = next((one for one in buttons_of(page) if self._starts(one)), None)
        return None if link is None else browser.open(link, initiator=page.url)

    def _starts(self, action: str) -> bool:
        return not any(word in action for word in _NOT_A_START)

    def begin(self, browser: Browser, url: str = "", **more: Any) -> Begun:
        """Begin an authorization as `try_begin` does.

        Raises:
            ControlFailedError: the app does not redirect to Zoom.
        """
        begun = self.try_begin(browser, url, **more)
        self.control(
            begun, f"the start does not lead to Zoom's authorization page: {self._ended(browser)}"
        )
        assert begun is not None  # noqa: S101 - Said for the type checker.
        return begun

    def _ended(self, browser: Browser) -> str:
        """Describe where the browser ended instead, and what may be missing."""
        page = browser.page
        if page is None or not page.status:
            return page.problem if page else "nothing was asked"
        if page.location:
            return f"it leads to {page.location[:100]}; is that the app's setting for Zoom's URL?"
        hint = (
            "" if self.has("sign_in") else "; if that is a sign-in, describe it as hook `sign_in`"
        )
        return f"it ends at {urlsplit(page.url).path} with {page.status}{hint}"

    def leads_to_zoom(self, answer: Answer) -> bool:
        """Return True if a response redirects the browser to Zoom's authorization page."""
        return self._is_zoom(answer.location)

    def _is_zoom(self, url: str) -> bool:
        where = urlsplit(url)
        return where.path == "/oauth/authorize" and where.netloc == urlsplit(self.zoom.url).netloc

    def agree(self, url: str, user: User, auto: str = "approve") -> str:
        """Consent at Zoom as a user; return the URL that Zoom redirects to."""
        self.zoom.agree_as(user, auto)
        answer = self.direct.send("GET", self.zoom.reach(url))
        # The record shows the host name that a browser would show.
        answer.url = url
        self.control(answer.location, f"Zoom refused the authorization request ({answer.status})")
        return answer.location

    def code_for(self, user: User, **query: str) -> str:
        """Get a genuine code for a user without the app, as a Marketplace install does."""
        parameters = {
            "response_type": "code",
            "client_id": self.zoom.app.client_id,
            "redirect_uri": self.stage.redirect_uri,
            **query,
        }
        where = self.agree(f"{self.zoom.url}/oauth/authorize?{urlencode(parameters)}", user)
        return dict(parse_qsl(urlsplit(where).query))["code"]

    def callback_url(self, **query: str) -> str:
        """Return the URL of the redirection endpoint with these parameters."""
        return f"{self.url('redirect')}?{urlencode(query)}"

    def visit(self, browser: Browser, url: str, **more: Any) -> Answer:
        """Open a URL as if linked from Zoom, and follow redirects inside the app; never raises."""
        return browser.open(url, initiator=f"{self.zoom.url}/", **more)

    def arrive(self, browser: Browser, url: str, **more: Any) -> Answer:
        """Request a URL as if redirected by Zoom; redirects are not followed."""
        return browser.request("GET", url, initiator=f"{self.zoom.url}/", **more)

    def finish(self, browser: Browser, url: str) -> Answer:
        """Open the redirect from Zoom and press the confirmation button, if there is one."""
        page = self.visit(browser, url)
        for _ in range(3):
            form = self.form(page, "confirm", "link", "claim")
            if page.status != 200 or form is None:
                return page
            page = browser.submit(form)
        return page

    def install(
        self, user: User | None = None, subject: str = "", browser: Browser | None = None
    ) -> Installed:
        """Make a complete installation.

        Raises:
            ControlFailedError: it does not work, so the case would prove nothing.
        """
        user = user or self.zoom.user()
        subject = subject or self.subject()
        browser = browser or self.browser(subject)
        before = self.mark()
        callback = self.agree(self.begin(browser).url, user)
        page = self.finish(browser, callback)
        why = page.problem or f"status {page.status}"
        self.control(0 < page.status < 400, f"an honest installation ended with {why}")
        self.control(self.zoom.requests(TOKEN, since=before), "the code was never exchanged")
        if self.has("links"):
            self.control(
                self.linked(user=user.id), "an honest installation does not show in `links`"
            )
        return Installed(browser, subject, user, callback, page)

    # ------------------------------------------------------------ the app's pages

    def shows(self, browser: Browser, *texts: str) -> bool:
        """Return True if a page of the target shows one of these texts to a browser."""
        pages = [browser.open(self.stage.absolute(one)) for one in self.stage.target.urls.pages]
        return any(text in page.text for text in texts for page in pages)

    def is_stranger(self, browser: Browser) -> bool:
        """Return True if the pages treat a browser as signed out; False if that cannot be seen."""
        if self.stage.pages_tell is None:
            self.stage.pages_tell = self._view(self.install().browser) != self._view(self._fresh())
        return self.stage.pages_tell and self._view(browser) == self._view(self._fresh())

    def _fresh(self) -> Browser:
        return self.browser(self.subject())

    def _view(self, browser: Browser) -> list[tuple[int, str, str]]:
        """Return the target's pages without the parts that change with every request."""
        seen = [browser.open(self.stage.absolute(one)) for one in self.stage.target.urls.pages]
        return [(one.status, urlsplit(one.url).path, _VARYING.sub("", one.text)) for one in seen]

    # ------------------------------------------------------------ callbacks to refuse

    def expect_refused(
        self, browser: Browser, url: str, what: str, *, unbroken: bool = False
    ) -> Answer:
        """Check that a callback is refused: no token request is sent and no link is made.

        With `unbroken` a 5xx status fails the case as well.
        """
        before, linked = self.mark(), self.links()
        answer = self.arrive(browser, url)
        last = self._to_the_end(browser, answer)
        self.expect_no_exchange(before, what)
        self.expect(self.links() == linked, f"{what}: a link was made")
        self.expect_came(answer, what)
        if unbroken:
            self.expect_answered(answer, what)
            self.expect(last.status < 500, f"{what} ended with {last.status}")
        return answer

    def _to_the_end(self, browser: Browser, answer: Answer) -> Answer:
        last = browser.follow(answer, initiator=f"{self.zoom.url}/")
        form = self.form(last, "confirm", "claim")
        # A confirmation is pressed, because the attacker's victim might press it too.
        return browser.submit(form) if form is not None and last.status == 200 else last
