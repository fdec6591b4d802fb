"""Publishes an event: selects the subscribed URLs and builds the body.

The event URL of the app's form gets every event. A subscription made by the API gets the events
that it names; with scope "user" only those of the users that it names. A URL that failed six
challenges gets no event until it is validated again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from paraph.errors import UsageError
from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.world import App, User, World
from paraph.simulator.webhooks.delivery import Delivery
from paraph.simulator.webhooks.event_catalogue import catalogue, fill_in, values_for
from paraph.simulator.webhooks.url_validation import UrlValidation
from paraph.simulator.webhooks.webhook_sender import WebhookSender

MAX_SUBSCRIPTIONS = 20

behaviour(
    "subscriptions",
    "at most 20 for each app, made by API",
    "documented",
    source="webhook reference",
)
behaviour("subscriptions", "one of scope user gets only the events of its user_ids", "inferred")


@dataclass(slots=True)
class Subscription:
    """An event subscription made by the API."""

    id: str
    client_id: str
    name: str
    url: str
    events: frozenset[str]
    scope: str = "account"
    user_ids: frozenset[str] = frozenset()
    account_id: str = ""

    def includes(self, content: Mapping[str, Any]) -> bool:
        """Return true if a body is of one of its events and names one of its users."""
        if content["event"] not in self.events:
            return False
        if self.scope != "user" or not self.user_ids:
            return True
        return not self.user_ids.isdisjoint(_texts(content.get("payload")))


@dataclass(slots=True)
class Subscriptions:
    """All subscriptions that were made by the API."""

    by_id: dict[str, Subscription] = field(default_factory=dict)

    def clear(self) -> None:
        """Delete all of them."""
        self.by_id.clear()

    def of(self, app: App) -> list[Subscription]:
        """Return the subscriptions of one app, oldest first."""
        return [one for one in self.by_id.values() if one.client_id == app.client_id]


class Publication:
    """Sends events to all subscribers."""

    def __init__(
        self,
        sender: WebhookSender,
        validation: UrlValidation,
        subscriptions: Subscriptions,
    ) -> None:
        self._sender = sender
        self._validation = validation
        self._subscriptions = subscriptions

    def publish(self, app: App, content: dict[str, Any], *, variant: str = "") -> list[Delivery]:
        """Send a body to every subscribed URL; return the deliveries.

        Args:
            app: the app whose event it is.
            content: the body's object, with `event`.
            variant: as for `WebhookSender.send`.
        """
        urls = [app.event_url] if app.event_url else []
        urls += [one.url for one in self._subscriptions.of(app) if one.includes(content)]
        return [
            self._sender.send(app, content, url=url, variant=variant)
            for url in dict.fromkeys(urls)
            if not self._validation.health(app, url).disabled
        ]


def realistic(
    world: World,
    app: App,
    event: str,
    user: User | None,
    *,
    now: float,
    random_bytes: Callable[[int], bytes],
) -> dict[str, Any]:
    """Return the realistic body of an event.

    Args:
        world: its people appear in the body.
        app: the app whose event it is.
        event: the name of an event of the catalogue.
        user: the acting user; None for the first user of the world.
        now: epoch seconds of the real world.
        random_bytes: returns random bytes for ids.

    Raises:
        UsageError: the event is not in the catalogue, or the world has no user.
    """
    kind = catalogue().get(event)
    if kind is None:
        raise UsageError(f"the catalogue has no realistic body of {event}: give a payload")
    user = user or next(iter(world.users), None)
    if user is None:
        raise UsageError("the event needs a user: add one to the world")
    return fill_in(kind, values_for(world, app, user, now=now, random_bytes=random_bytes))


def _texts(content: Any) -> Iterator[str]:
    """Yield every text in a payload."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping):
        for value in content.values():
            yield from _texts(value)
    elif isinstance(content, list):
        for value in content:
            yield from _texts(value)
