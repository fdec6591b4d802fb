"""Deep links: links that open a Zoom App with an action."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from paraph.errors import NotFound
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.clock import Clock
from paraph.simulator.state.world import App

LIFETIME_SECONDS = 300.0
MAX_DEEPLINKS = 1000


@dataclass(frozen=True, slots=True)
class Deeplink:
    """A deep link; `issued_at` is in epoch seconds of the simulated clock."""

    client_id: str
    action: str
    issued_at: float


@behaviour(
    "Zoom Apps",
    "a deep link's action arrives as `act` of the context, for five minutes",
    "documented",
    source="types of the SDK",
)
class Deeplinks:
    """The newest deep links.

    Args:
        clock: for their lifetime of five minutes.
        random_text: returns random text for their names.
    """

    def __init__(self, clock: Clock, random_text: Callable[[int], str]) -> None:
        self._clock = clock
        self._random_text = random_text
        self._links: OrderedDict[str, Deeplink] = OrderedDict()

    def make(self, app: App, action: str, origin: str) -> str:
        """Make a deep link.

        Args:
            app: the app that it opens.
            action: the text that the app gets as `act` of its context.
            origin: the origin of the Marketplace in the link.
        """
        name = self._random_text(22)
        self._links[name] = Deeplink(app.client_id, action, self._clock.now())
        while len(self._links) > MAX_DEEPLINKS:
            self._links.popitem(last=False)
        return f"{origin}/zoomapp/{app.client_id}/context/meeting/target/launch/deeplink/{name}"

    def action(self, app: App, deeplink: str) -> str:
        """Return the action of a deep link of this app; "" once it has expired.

        Raises:
            NotFound: there is no such link, or it opens another app.
        """
        link = self._links.get(deeplink.rpartition("/")[2])
        if link is None or link.client_id != app.client_id:
            raise NotFound("there is no such deep link of this app")
        return link.action if self._clock.now() - link.issued_at <= LIFETIME_SECONDS else ""

    def clear(self) -> None:
        """Delete all of them."""
        self._links.clear()
