"""A person's browser for tests: it follows redirects, keeps cookies, and decides consent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self
from urllib.parse import urlencode, urljoin, urlsplit

import httpx

from paraph.errors import UsageError
from paraph.simulator.browser.cookie_jar import CookieJar
from paraph.simulator.browser.markup import Form, forms_in, links_in, tags_in
from paraph.simulator.browser.navigation import is_cross_site, navigation_headers
from paraph.simulator.engine import Simulator
from paraph.simulator.oauth.consent import COOKIE
from paraph.simulator.request import is_loopback
from paraph.simulator.state.world import User

_MOST_REDIRECTS = 20
_SECONDS = 60.0
_FORM = "application/x-www-form-urlencoded"


class Browser:
    """One browser profile, for `with`, or until `close`.

    It keeps a browser's rules on loopback. `Secure` and `__Host-` cookies are kept over plain http.
    Ports do not separate cookies. `SameSite` depends on the page that caused a request. Redirects
    are followed as long as they stay on this machine. JavaScript does not run.

    Args:
        simulator: the simulated Zoom whose consent page it can decide.

    Attributes:
        page: the last response, after all redirects.
        jar: its cookies.

    Example:
        with zoom.browser() as browser:
            browser.get(f"{zoom.url}/marketplace/{zoom.app.client_id}")
            page = browser.press("Add")
            assert "requests access" in page.text
    """

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        # One connection for each request: a server may close an idle one just as it is used.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(trust_env=False, timeout=_SECONDS, limits=limits)
        self.jar = CookieJar(simulator.wall)
        self.page: httpx.Response | None = None

    def close(self) -> None:
        """Close its connections.

        Example:
            browser = zoom.browser()
            browser.close()
        """
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Open an address, as if it was typed; return the page after all redirects.

        Args:
            url: an absolute URL, or one relative to the current page.
            headers: headers to add or to replace.

        Example:
            page = zoom.browser().get(f"{zoom.url}/marketplace/{zoom.app.client_id}")
            assert page.status_code == 200
        """
        return self._open("GET", self._absolute(url), None, headers=headers)

    def post(
        self,
        url: str,
        *,
        data: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a form or another body from the current page; return the page after all redirects.

        Args:
            url: an absolute URL, or one relative to the current page.
            data: the fields of a form.
            json: a JSON body, in place of a form.
            content: any other body, in place of a form.
            headers: headers to add or to replace.

        Example:
            page = zoom.browser().post(f"{zoom.app_url}/sign-in", data={"user": "ada"})
            assert page.status_code == 200
        """
        url = self._absolute(url)
        initiator = self.url or url
        body = {"data": data, "json": json, "content": content}
        given = {name: value for name, value in body.items() if value is not None}
        return self._open("POST", url, initiator, **given, headers=headers)

    @property
    def url(self) -> str:
        """The URL of the current page; "" before the first one."""
        return "" if self.page is None else str(self.page.url)

    @property
    def cookies(self) -> dict[str, str]:
        """The name and value of each cookie that the current page's host gets."""
        host = urlsplit(self.url).hostname
        return {one.name: one.value for one in self.jar.all() if one.host == host}

    def press(self, text: str, **fields: str) -> httpx.Response:
        """Press the button or follow the link with this text on the current page.

        Args:
            text: the whole text of the button or link.
            fields: values for fields of the button's form; its other fields keep their values.

        Raises:
            UsageError: the page has no such button or link; the remedy lists those it has.

        Example:
            browser = zoom.browser()
            browser.get(f"{zoom.url}/marketplace/{zoom.app.client_id}")
            page = browser.press("Add")
        """
        shown = "" if self.page is None else self.page.text
        forms, links = forms_in(shown, self.url), links_in(shown, self.url)
        for form in forms:
            if text in form.buttons:
                return self._submit(form, {**form.pressed(text), **fields})
        for label, target in links:
            if label == text:
                return self._open("GET", target, self.url)
        found = [*(label for form in forms for label in form.buttons), *(one for one, _ in links)]
        raise UsageError(
            f"the page at {self.url} has no button or link {text!r}",
            remedy=f"Press one of: {', '.join(map(repr, found)) or 'nothing is on it'}.",
        )

    def _submit(self, form: Form, fields: Mapping[str, Any]) -> httpx.Response:
        if form.method == "GET":
            return self._open("GET", f"{form.action}?{urlencode(fields)}", self.url)
        return self._open(form.method, form.action, self.url, data=fields)

    @property
    def is_at_consent(self) -> bool:
        """True if the current page is the consent page of the simulated Zoom."""
        return self.page is not None and self._consent_form(self.page) is not None

    def approve(
        self,
        user: User | str = "",
        *,
        optional_scopes: Sequence[str] | None = None,
        follow: bool = True,
    ) -> httpx.Response:
        """Allow the app on Zoom's consent page; return the page to which Zoom sends the browser.

        Args:
            user: the user who consents, or the id or e-mail address; "" for the first user.
            optional_scopes: the optional scopes to grant; None grants all.
            follow: false returns Zoom's redirect itself, so that the app never gets the code.

        Raises:
            UsageError: the current page is not the consent page, or there is no such user.

        Example:
            browser = zoom.browser()
            browser.get(f"{zoom.app_url}/start")
            page = browser.approve(zoom.user)
            assert "code=" in str(page.url)
        """
        found = self._simulator.world.chosen_user(user)
        return self._decide(found.id, "allow", optional_scopes, follow=follow)

    def deny(self) -> httpx.Response:
        """Decline on Zoom's consent page; return the page to which Zoom sends the browser.

        Raises:
            UsageError: the current page is not the consent page.

        Example:
            browser = zoom.browser()
            browser.get(f"{zoom.app_url}/start")
            page = browser.deny()
            assert "error=access_denied" in str(page.url)
        """
        return self._decide("", "deny", ())

    def _decide(
        self,
        user_id: str,
        decision: str,
        optional_scopes: Sequence[str] | None,
        *,
        follow: bool = True,
    ) -> httpx.Response:
        form = None if self.page is None else self._consent_form(self.page)
        if form is None:
            raise UsageError(
                f"the browser is not on the consent page, but on {self.url or 'no page'}",
                remedy="Open the URL that starts an install first, and look at the page it shows.",
            )
        inputs = [] if self.page is None else tags_in(self.page.text, "input")
        offered = [one["value"] for one in inputs if one.get("name") == "scope"]
        scopes = offered if optional_scopes is None else list(optional_scopes)
        fields = {"transaction": form.fields["transaction"], "user_id": user_id}
        decided = {**fields, "decision": decision, "scope": scopes}
        if not follow:
            return self._send(form.method, form.action, self.url, data=decided)
        return self._submit(form, decided)

    def _consent_form(self, page: httpx.Response) -> Form | None:
        if not self._is_zoom(str(page.url)):
            return None
        forms = forms_in(page.text, str(page.url))
        return next((one for one in forms if "transaction" in one.fields), None)

    def _is_zoom(self, url: str) -> bool:
        parts, own = urlsplit(url), urlsplit(self._simulator.origin)
        return is_loopback(parts.hostname or "") and parts.port == own.port

    def _absolute(self, url: str) -> str:
        return urljoin(self.url, url)

    def _open(self, method: str, url: str, initiator: str | None, **content: Any) -> httpx.Response:
        """Send a request, follow its redirects, and decide consent if the world says how."""
        response = self._send(method, url, initiator, **content)
        before: list[httpx.Response] = []
        for _ in range(_MOST_REDIRECTS):
            target = urljoin(str(response.url), response.headers.get("location", ""))
            if not response.is_redirect or not is_loopback(urlsplit(target).hostname or ""):
                break
            before.append(response)
            if response.status_code in {307, 308}:
                response = self._send(method, target, initiator, **content)
            else:
                method, content = "GET", {}
                response = self._send("GET", target, initiator)
        response.history = before
        self.page = response
        consent = self._simulator.consent
        if consent.auto == "ask" or not self.is_at_consent:
            return response
        if consent.auto == "deny":
            return self.deny()
        return self.approve(consent.user_id, optional_scopes=consent.optional_scopes)

    def _send(self, method: str, url: str, initiator: str | None, **content: Any) -> httpx.Response:
        headers = dict(navigation_headers(method, url, initiator))
        cross = is_cross_site(url, initiator)
        cookies = self.jar.header(url, cross_site=cross, safe=method in {"GET", "HEAD"})
        if self._is_zoom(url) and not cookies:
            # Zoom decides by itself only for callers without any cookie: this one is a person.
            cookies = f"{COOKIE}={self._simulator.ledger.random_text(32)}"
        if cookies:
            headers["cookie"] = cookies
        headers |= {name.lower(): v for name, v in (content.pop("headers", None) or {}).items()}
        self._http.cookies.clear()
        response = self._http.request(method, url, headers=headers, **content)
        self.jar.store(response.headers.get_list("set-cookie"), url)
        return response
