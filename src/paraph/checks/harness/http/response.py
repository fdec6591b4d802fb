"""The response to a request of the check, and the exchange as evidence for the report."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from paraph.simulator.browser.browser_url import resolved

_SHOWN = 600


@dataclass(slots=True)
class Response:
    """An HTTP response. With status 0 no response came, and `problem` says why."""

    method: str
    url: str
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    seconds: float = 0.0
    problem: str = ""
    sent: list[tuple[str, str]] = field(default_factory=list)
    sent_body: bytes = b""

    @property
    def text(self) -> str:
        """Return the body as text; invalid bytes are replaced."""
        return self.body.decode("utf-8", "replace")

    def header(self, name: str) -> str:
        """Return all values of a header, joined; "" if the header is absent."""
        return ", ".join(v for n, v in self.headers if n == name)

    @property
    def location(self) -> str:
        """Return the absolute URL of a redirect; "" if there is no Location header."""
        value = self.header("location") if 300 <= self.status < 400 else ""
        return resolved(self.url, value) if value else ""

    @property
    def query(self) -> dict[str, str]:
        """Return the query parameters of the location."""
        return dict(parse_qsl(urlsplit(self.location).query, keep_blank_values=True))

    @property
    def set_cookies(self) -> list[str]:
        """Return the values of all Set-Cookie headers."""
        return [v for n, v in self.headers if n == "set-cookie"]

    @property
    def is_html(self) -> bool:
        """Return True if a browser would show it as a page; browsers guess a missing type."""
        kind = self.header("content-type")
        guessed = not kind and self.body.lstrip()[:1] == b"<"
        return kind.startswith(("text/html", "application/xhtml")) or guessed

    def json(self) -> Any:
        """Return the parsed content, or None if it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def everything(self) -> str:
        """Return everything that a caller can read, to search it for secrets."""
        return "\n".join([*(f"{n}: {v}" for n, v in self.headers), self.text])

    def evidence(self) -> str:
        """Return the exchange as the report shows it; secrets are masked later."""
        sent = "".join(f"\n{n}: {v[:_SHOWN]}" for n, v in self.sent)
        body = f"\n\n{self.sent_body[:_SHOWN].decode('utf-8', 'replace')}" if self.sent_body else ""
        if not self.status:
            return f"{self.method} {self.url[:_SHOWN]}{sent}{body}\n\n→ no response: {self.problem}"
        headers = "".join(f"\n{n}: {v[:_SHOWN]}" for n, v in self.headers)
        shown = self.text[:_SHOWN].strip()
        return (
            f"{self.method} {self.url[:_SHOWN]}{sent}{body}\n\n→ {self.status}{headers}\n\n{shown}"
        )
