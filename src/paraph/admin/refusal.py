"""The exception for refused requests, and the page that it shows."""

from __future__ import annotations

from collections.abc import Mapping


class Refusal(Exception):
    """A refused request; its page repeats nothing of the request.

    Args:
        status: the HTTP status.
        title: what happened.
        text: what to do.
        headers: additional response headers.
    """

    def __init__(
        self, status: int, title: str, text: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.title = title
        self.text = text
        self.headers = dict(headers or {})
        super().__init__(title)


def nothing_here() -> Refusal:
    """Build the refusal for an unknown path, event or cursor."""
    return Refusal(404, "There is nothing here", "Check the URL, or begin at the events page.")
