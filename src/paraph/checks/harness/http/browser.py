"""A browser that sends requests to the app under attack.

It keeps a browser's rules, because a jar that ignores SameSite, or a request without Sec-Fetch
headers, gives wrong verdicts.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from paraph.checks.harness.http.response import Response
from paraph.checks.harness.http.sender import Sender
from paraph.simulator.browser.cookie_jar import CookieJar
from paraph.simulator.browser.markup import Form
from paraph.simulator.browser.navigation import is_cross_site, navigation_headers


class Browser:
    """One browser profile with cookies, a current page, and the headers that Chromium sends.

    Args:
        sender: sends its requests.
        origins: the app's own origins; navigation to any other origin is not followed.
    """

    def __init__(self, sender: Sender, origins: Sequence[str]) -> None:
        self.sender = sender
        self.jar = CookieJar(time.time)
        self.page: Response | None = None
        self.more: list[tuple[str, str]] = []
        self._origins = tuple(origins)

    def is_ours(self, url: str) -> bool:
        """Return True if a URL belongs to the app."""
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}" in self._origins

    def request(
        self,
        method: str,
        url: str,
        *,
        initiator: str | None = None,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Sequence[tuple[str, str]] = (),
        timeout: float = 0.0,
    ) -> Response:
        """Send one top-level request without following redirects.

        Args:
            method: GET and HEAD are safe, so they carry SameSite=Lax cookies across sites.
            url: the URL to request.
            initiator: the URL of the page that caused it; None if the person typed the address.
            form: form fields, sent in the body.
            body: any other body.
            headers: headers to add or to replace.
            timeout: seconds for each single wait; 0 means the sender's own.
        """
        cross = is_cross_site(url, initiator)
        sent = [*navigation_headers(method, url, initiator), *self.more, *headers]
        if form is not None:
            body = urlencode(dict(form)).encode()
            sent.append(("content-type", "application/x-www-form-urlencoded"))
        cookies = self.jar.header(url, cross_site=cross, safe=method in {"GET", "HEAD"})
        if cookies and not any(name.lower() == "cookie" for name, _ in headers):
            sent.append(("cookie", cookies))
        response = self.sender.send(method, url, headers=sent, body=body, timeout=timeout)
        self.jar.store(response.set_cookies, url)
        self.page = response
        return response

    def open(self, url: str, *, initiator: str | None = None, **more: Any) -> Response:
        """Open a page with GET and follow redirects inside the app, as a browser does."""
        response = self.request("GET", url, initiator=initiator, **more)
        return self.follow(response, initiator=initiator)

    def follow(self, response: Response, *, initiator: str | None = None) -> Response:
        """Follow redirects while they stay inside the app."""
        for _ in range(10):
            if not response.location or not self.is_ours(response.location):
                return response
            response = self.request("GET", response.location, initiator=initiator)
        return response

    def submit(self, form: Form, **changes: str) -> Response:
        """Submit a form of the current page and follow redirects inside the app."""
        page = self.page.url if self.page else form.action
        fields = {**form.fields, **changes}
        if form.method == "GET":
            response = self.request("GET", f"{form.action}?{urlencode(fields)}", initiator=page)
        else:
            response = self.request(form.method, form.action, initiator=page, form=fields)
        return self.follow(response, initiator=page)
