"""An installation as a person makes it: start, consent at Zoom, callback, confirmation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from paraph.checks.answer import Answer
from paraph.checks.browser import Browser
from paraph.checks.ground import Ground
from paraph.checks.markup import buttons_of, forms_of, links_of
from paraph.checks.zoom import TOKEN
from paraph.simulator.world import User

# Tokens of forms, and the names that the check gives to local accounts.
_VARYING = re.compile(r"[A-Za-z0-9_+/=-]{16,}|person-[0-9a-f]{8}")
_NOT_A_START = ("disconnect", "sign-out", "signout", "logout", "remove", "delete", "confirm")


@dataclass(slots=True)
class Begun:
    """An authorization request under way in a browser."""

    browser: Browser
    answer: Answer
    url: str

    @property
    def query(self) -> dict[str, str]:
        """The parameters that Zoom is sent."""
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    @property
    def state(self) -> str:
        """The parameter `state`."""
        return self.query.get("state", "")


@dataclass(slots=True)
class Installed:
    """A finished installation."""

    browser: Browser
    subject: str
    user: User
    callback: str
    page: Answer


class Flow(Ground):
    """Installing, step by step or in one go."""

    def try_begin(self, browser: Browser, url: str = "", **more: Any) -> Begun | None:
        """Go to the start and press what must be pressed until Zoom's page is named."""
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
        """What follows the first button of a page that is no button for something else."""
        form = next((one for one in forms_of(page) if self._starts(one.action)), None)
        if form is not None:
            return browser.submit(form)
        link = next((one for one in buttons_of(page) if self._starts(one)), None)
        return None if link is None else browser.open(link, initiator=page.url)

    def _starts(self, action: str) -> bool:
        return not any(word in action for word in _NOT_A_START)

    def begin(self, browser: Browser, url: str = "", **more: Any) -> Begun:
        """As `try_begin`; the case proves nothing if the app leads nowhere."""
        begun = self.try_begin(browser, url, **more)
        self.control(
            begun, f"the start does not lead to Zoom's authorization page: {self._ended(browser)}"
        )
        assert begun is not None  # noqa: S101 - Said for the type checker.
        return begun

    def _ended(self, browser: Browser) -> str:
        """Where a browser has come to instead, and what may be missing."""
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
        """Whether an answer sends the browser to Zoom's authorization page."""
        return self._is_zoom(answer.location)

    def _is_zoom(self, url: str) -> bool:
        where = urlsplit(url)
        return where.path == "/oauth/authorize" and where.netloc == urlsplit(self.zoom.url).netloc

    def agree(self, url: str, user: User, auto: str = "approve") -> str:
        """Consent at Zoom as a user; where Zoom sends the browser."""
        self.zoom.agree_as(user, auto)
        answer = self.direct.send("GET", self.zoom.reach(url))
        # The record shows the name that a browser would show.
        answer.url = url
        self.control(answer.location, f"Zoom refused the authorization request ({answer.status})")
        return answer.location

    def code_for(self, user: User, **query: str) -> str:
        """A genuine code of a user, got without the app: as a Marketplace link does."""
        parameters = {
            "response_type": "code",
            "client_id": self.zoom.app.client_id,
            "redirect_uri": self.stage.redirect_uri,
            **query,
        }
        where = self.agree(f"{self.zoom.url}/oauth/authorize?{urlencode(parameters)}", user)
        return dict(parse_qsl(urlsplit(where).query))["code"]

    def callback_url(self, **query: str) -> str:
        """The redirection endpoint with parameters."""
        return f"{self.url('redirect')}?{urlencode(query)}"

    def visit(self, browser: Browser, url: str, **more: Any) -> Answer:
        """Open a URL as a link from Zoom, and follow inside the app; never raises."""
        return browser.open(url, initiator=f"{self.zoom.url}/", **more)

    def arrive(self, browser: Browser, url: str, **more: Any) -> Answer:
        """The first answer of the redirection endpoint, redirects not followed."""
        return browser.request("GET", url, initiator=f"{self.zoom.url}/", **more)

    def finish(self, browser: Browser, url: str) -> Answer:
        """Come back from Zoom and press the confirmation, if there is one."""
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
        """The whole way through; the case proves nothing if it does not work."""
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

    # ------------------------------------------------------------ what the pages tell

    def shows(self, browser: Browser, *texts: str) -> bool:
        """Whether one of the target's pages shows a browser one of these texts."""
        pages = [browser.open(self.stage.absolute(one)) for one in self.stage.target.urls.pages]
        return any(text in page.text for text in texts for page in pages)

    def is_stranger(self, browser: Browser) -> bool:
        """Whether the pages take a browser for nobody they know; False where they do not tell."""
        if self.stage.pages_tell is None:
            self.stage.pages_tell = self._view(self.install().browser) != self._view(self._fresh())
        return self.stage.pages_tell and self._view(browser) == self._view(self._fresh())

    def _fresh(self) -> Browser:
        return self.browser(self.subject())

    def _view(self, browser: Browser) -> list[tuple[int, str, str]]:
        """The target's pages without what differs from one visit to the next."""
        seen = [browser.open(self.stage.absolute(one)) for one in self.stage.target.urls.pages]
        return [(one.status, urlsplit(one.url).path, _VARYING.sub("", one.text)) for one in seen]

    # ------------------------------------------------------------ what must come to nothing

    def expect_refused(
        self, browser: Browser, url: str, what: str, *, unbroken: bool = False
    ) -> Answer:
        """A callback that must come to nothing: no exchange and no link.

        `unbroken` is for cases whose point is that the app must not break; see `expect_came`.
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
        # A page that asks to link is pressed: an attacker's victim might press it as well.
        return browser.submit(form) if form is not None and last.status == 200 else last
