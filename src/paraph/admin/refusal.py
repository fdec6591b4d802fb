"""A request that is not answered with what it asked for, and the page that says why."""

from __future__ import annotations

from collections.abc import Mapping


class Refusal(Exception):
    """What is shown instead; nothing of the request is repeated in it.

    Args:
        status: of the answer.
        title: what happened.
        text: what to do.
        headers: to send with it.
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
    """For every address that is none of ours, and every event or cursor that is not one."""
    return Refusal(404, "There is nothing here", "Check the address, or begin at the events.")
