"""The tokens by which a list of the REST API continues on its next page."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.clock import Clock

_SECONDS = 15 * 60
_MOST = 1000


@behaviour(
    "REST API",
    "a list that goes on has a next_page_token, which expires after 15 minutes",
    "documented",
    source="reference of the cloud recording API",
)
class PageTokens:
    """The tokens of one simulator; the newest 1 000 are kept.

    Args:
        clock: for their lifetime.
        random_text: returns random text.
    """

    def __init__(self, clock: Clock, random_text: Callable[[int], str]) -> None:
        self._clock = clock
        self._random_text = random_text
        self._kept: OrderedDict[str, tuple[str, int, float]] = OrderedDict()

    def issue(self, subject: str, start: int) -> str:
        """Return a token for the rest of a list.

        Args:
            subject: the list and its caller, so that a token works for nothing else.
            start: the number of entries before it.
        """
        token = self._random_text(32)
        self._kept[token] = (subject, start, self._clock.now() + _SECONDS)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return token

    def start_of(self, token: str, subject: str) -> int | None:
        """Return the number of entries before a page, or None for a token that does not work."""
        found = self._kept.get(token)
        if found is None or found[0] != subject or found[2] < self._clock.now():
            return None
        return found[1]

    def clear(self) -> None:
        """Let no token work any more."""
        self._kept.clear()
