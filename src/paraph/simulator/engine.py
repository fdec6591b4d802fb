"""The simulator itself: a world, a clock, and what has happened in it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from paraph.simulator.clock import Clock
from paraph.simulator.faults import Faults
from paraph.simulator.journal import Journal
from paraph.simulator.ledger import Ledger
from paraph.simulator.webhook_sender import WebhookSender
from paraph.simulator.world import World


@dataclass(slots=True)
class Consent:
    """How `/oauth/authorize` decides: it asks, or somebody has decided already."""

    auto: Literal["approve", "deny", "ask"] = "ask"
    user_id: str = ""


@dataclass(slots=True)
class PendingConsent:
    """A consent page that was shown and not answered yet."""

    client_id: str
    redirect_uri: str
    state: str | None
    challenge: str
    method: str


class Simulator:
    """One simulated Zoom.

    Args:
        world: who and what exists.
        wall: epoch seconds of the real world.
        random_bytes: for codes, tokens and ids.
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
        self.consent = Consent()
        self._initial_consent = Consent()
        self.ledger = Ledger(self.clock, random_bytes)
        self.sender = WebhookSender(self.clock, self.faults, self.ledger.random_text)
        self.pending: dict[str, PendingConsent] = {}
        self.origin = ""

    def decide(self, consent: Consent) -> None:
        """Set how consent is decided from now on, `reset` included."""
        self.consent = consent
        self._initial_consent = Consent(consent.auto, consent.user_id)

    @property
    def api_url(self) -> str:
        """What the token response names as the REST API's host."""
        return self.world.zoom.api_url or self.origin

    def replace_world(self, world: World) -> None:
        """Another world; what was given out in the old one is gone."""
        self.world = world
        self.ledger.clear()
        self.pending.clear()

    def reset(self) -> None:
        """Back to the world as it was loaded, with clock, journal, faults and consent."""
        self.replace_world(copy.deepcopy(self._loaded))
        self.clock.reset()
        self.journal.clear()
        self.faults.clear()
        self.sender.clear()
        self.consent = Consent(self._initial_consent.auto, self._initial_consent.user_id)
