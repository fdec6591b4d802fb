"""What came back, and the exchange as a line of evidence."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from paraph.checks.address import resolved

_SHOWN = 600


@dataclass(slots=True)
class Answer:
    """An HTTP answer. Status 0: none came, and `problem` says why."""

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
        """The body, whatever its bytes."""
        return self.body.decode("utf-8", "replace")

    def header(self, name: str) -> str:
        """All values of a header, joined, or nothing."""
        return ", ".join(v for n, v in self.headers if n == name)

    @property
    def location(self) -> str:
        """Where a redirect leads, absolute, or nothing."""
        value = self.header("location") if 300 <= self.status < 400 else ""
        return resolved(self.url, value) if value else ""

    @property
    def query(self) -> dict[str, str]:
        """The query of the location."""
        return dict(parse_qsl(urlsplit(self.location).query, keep_blank_values=True))

    @property
    def set_cookies(self) -> list[str]:
        """The Set-Cookie lines."""
        return [v for n, v in self.headers if n == "set-cookie"]

    @property
    def is_html(self) -> bool:
        """Whether a browser would show it as a page: it guesses where no type is named."""
        kind = self.header("content-type")
        guessed = not kind and self.body.lstrip()[:1] == b"<"
        return kind.startswith(("text/html", "application/xhtml")) or guessed

    def json(self) -> Any:
        """The content, or None where it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def everything(self) -> str:
        """All that a caller can read: for the search for secrets."""
        return "\n".join([*(f"{n}: {v}" for n, v in self.headers), self.text])

    def evidence(self) -> str:
        """The exchange as a reader of the report sees it; secrets are masked later."""
        sent = "".join(f"\n{n}: {v[:_SHOWN]}" for n, v in self.sent)
        body = f"\n\n{self.sent_body[:_SHOWN].decode('utf-8', 'replace')}" if self.sent_body else ""
        if not self.status:
            return f"{self.method} {self.url[:_SHOWN]}{sent}{body}\n\n→ no answer: {self.problem}"
        headers = "".join(f"\n{n}: {v[:_SHOWN]}" for n, v in self.headers)
        shown = self.text[:_SHOWN].strip()
        return (
            f"{self.method} {self.url[:_SHOWN]}{sent}{body}\n\n→ {self.status}{headers}\n\n{shown}"
        )
