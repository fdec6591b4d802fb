"""The simulator: the world, the clock, and all state of one simulated Zoom."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from paraph.simulator.faults import Faults
from paraph.simulator.state.app_status import AppStatus
from paraph.simulator.state.clock import Clock, Timers
from paraph.simulator.state.deeplinks import Deeplinks
from paraph.simulator.state.devices import Devices
from paraph.simulator.state.journal import Journal, Performed
from paraph.simulator.state.ledger import Ledger
from paraph.simulator.state.meetings import Meetings
from paraph.simulator.state.page_tokens import PageTokens
from paraph.simulator.state.recordings import Recordings
from paraph.simulator.state.world import App, User, World
from paraph.simulator.webhooks.delivery import Delivery
from paraph.simulator.webhooks.event_catalogue import catalogue
from paraph.simulator.webhooks.outgoing import Outgoing
from paraph.simulator.webhooks.publication import Publication, Subscriptions, realistic
from paraph.simulator.webhooks.url_validation import Target, UrlValidation
from paraph.simulator.webhooks.webhook_sender import WebhookSender

_MOST_PERFORMED = 1000


@dataclass(slots=True)
class Consent:
    """The way in which `/oauth/authorize` decides.

    Attributes:
        auto: "ask" shows the consent page; the others decide at once.
        user_id: the user who decides.
        optional_scopes: the selected ones; None selects all.
    """

    auto: Literal["approve", "deny", "ask"] = "ask"
    user_id: str = ""
    optional_scopes: tuple[str, ...] | None = None


@dataclass(slots=True)
class PendingConsent:
    """An open consent page: of a device code, or of an authorization request."""

    client_id: str
    redirect_uri: str
    state: str | None
    challenge: str
    method: str
    device_code: str = ""


class Simulator:
    """One simulated Zoom.

    Args:
        world: accounts, users and apps.
        wall: returns the real time, in epoch seconds; the simulated clock may differ.
        random_bytes: returns random bytes for codes, tokens and ids.
    """

    def __init__(
        self,
        world: World,
        *,
        wall: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._loaded = copy.deepcopy(world)
        self.world = world
        self.wall = wall
        self.clock = Clock(wall)
        self.faults = Faults()
        self.journal = Journal()
        self.performed: deque[Performed] = deque(maxlen=_MOST_PERFORMED)
        self.consent = Consent()
        self._initial_consent = Consent()
        self.ledger = Ledger(self.clock, random_bytes)
        self.random_bytes = random_bytes
        self.timers = Timers(self.clock)
        self.outgoing = Outgoing()
        self.sender = WebhookSender(
            self.clock, self.timers, self.faults, random_bytes, self.outgoing
        )
        self.subscriptions = Subscriptions()
        self.deeplinks = Deeplinks(self.clock, self.ledger.random_text)
        self.validation = UrlValidation(
            self.clock,
            self.sender,
            self.faults,
            self.ledger.random_text,
            targets=self.event_urls,
            owner_of=self._owner,
        )
        self.publication = Publication(self.sender, self.validation, self.subscriptions)
        self.app_status = AppStatus()
        self.devices = Devices(self.clock)
        self.meetings = Meetings(lambda: self.world, wall, self.ledger.random_text)
        self.recordings = Recordings(lambda: self.world, wall)
        self.page_tokens = PageTokens(self.clock, self.ledger.random_text)
        self.pending: dict[str, PendingConsent] = {}
        self.origin = ""

    def set_consent(self, consent: Consent) -> None:
        """Set the way in which consent is decided. `reset` returns to this setting."""
        self.consent = consent
        self._initial_consent = copy.copy(consent)

    def begin_revalidation(self) -> None:
        """Start the revalidation of event URLs every 72 hours."""
        self.validation.begin()

    def publish(
        self,
        app: App,
        event: str,
        payload: dict[str, Any] | None = None,
        *,
        user: User | None = None,
        variant: str = "",
    ) -> list[Delivery]:
        """Send an event to every URL that subscribes to it.

        Args:
            app: the app whose event it is.
            event: its name.
            payload: its payload; None for the realistic body, if the catalogue has the event.
            user: the acting user in a realistic body; by default the first of the world.
            variant: "mixed_escapes" for bytes that reprinting the JSON does not reproduce.

        Raises:
            UsageError: the world has no user for a realistic body.
        """
        content = self.event_content(app, event, payload, user=user)
        return self.publication.publish(app, content, variant=variant)

    def event_content(
        self,
        app: App,
        event: str,
        payload: dict[str, Any] | None = None,
        *,
        user: User | None = None,
    ) -> dict[str, Any]:
        """Return the body of an event; `publish` describes the arguments."""
        now = self.wall()
        if payload is None and event in catalogue():
            return realistic(self.world, app, event, user, now=now, random_bytes=self.random_bytes)
        return {"event": event, "event_ts": int(now * 1000), "payload": payload or {}}

    def event_urls(self) -> list[Target]:
        """Return the present event URLs, from forms and from the API."""
        targets: list[Target] = []
        for app in self.world.apps:
            urls = [app.event_url, *(one.url for one in self.subscriptions.of(app))]
            targets += [(app, url) for url in dict.fromkeys(urls) if url]
        return targets

    def _owner(self, app: App) -> str:
        """Return the mail address of the owner of an app's account."""
        users = self.world.users
        own = [user for user in users if not app.account_id or user.account_id == app.account_id]
        admins = [user for user in own if user.role == "admin"]
        return next((user.email for user in (*admins, *own)), "")

    def replace_world(self, world: World) -> None:
        """Load another world; everything that was issued in the old one is deleted."""
        self.world = world
        self.ledger.clear()
        self.app_status = AppStatus()
        self.devices.clear()
        self.meetings.clear()
        self.recordings.clear()
        self.page_tokens.clear()
        self.pending.clear()
        self.subscriptions.clear()
        self.deeplinks.clear()
        self.validation.clear()

    def reset(self, world: World | None = None) -> None:
        """Return to the world as it was loaded; clock, journal, faults and consent are reset.

        Args:
            world: the world to load from now on; by default the present one.
        """
        if world is not None:
            self._loaded = copy.deepcopy(world)
        self.clock.reset()
        self.timers.clear()
        self.replace_world(copy.deepcopy(self._loaded))
        self.journal.clear()
        self.performed.clear()
        self.faults.clear()
        self.sender.clear()
        self.consent = copy.copy(self._initial_consent)
