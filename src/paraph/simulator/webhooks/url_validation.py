"""The URL-validation challenge: on save, on request, and every 72 hours of the simulator's clock.

The account's owner gets mail after two failures in a row, and again after four. Six failures
disable the subscription; only a validation on request enables it again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.clock import Clock
from paraph.simulator.state.fault_registry import Faults
from paraph.simulator.state.world import App
from paraph.simulator.webhooks.webhook_sender import WebhookSender

EVERY_SECONDS = 72 * 3600.0
MAIL_AFTER = (2, 4)
DISABLED_AFTER = 6
MAX_MAILS = 1000
MAX_URLS = 10_000

Target = tuple[App, str]

behaviour(
    "URL validation",
    "the challenge is signed like an event",
    "documented",
    source="webhook reference",
)
behaviour(
    "URL validation",
    "only 200 with both tokens, within 3 seconds, passes",
    "documented",
    source="webhook reference",
)
behaviour("URL validation", "every 72 hours; a jump of the clock sends one challenge", "inferred")
behaviour(
    "URL validation",
    "mail to the owner after 2 and after 4 failures in a row",
    "documented",
    source="webhook reference",
)
behaviour(
    "URL validation",
    "6 failures in a row disable it; only a validation on request enables it again",
    "documented",
    source="webhook reference",
)
behaviour(
    "URL validation", "a URL is saved only if it passed", "documented", source="webhook reference"
)


@dataclass(slots=True)
class Health:
    """The recent results of one event URL.

    Attributes:
        checked_at: epoch seconds of the simulated clock.
        failures: the failed challenges in a row.
        disabled: whether no event is sent to it.
    """

    checked_at: float
    failures: int = 0
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that Zoom would have sent to the account's owner."""

    time: float
    to: str
    client_id: str
    url: str
    failures: int
    subject: str


class UrlValidation:
    """The challenges of one simulator.

    Args:
        clock: for the 72 hours.
        sender: sends the challenges.
        faults: may change them, or make Zoom accept a wrong response.
        random_text: returns random text for plainToken.
        targets: returns the present event URLs with their apps.
        owner_of: returns the mail address of the owner of an app's account.
    """

    def __init__(
        self,
        clock: Clock,
        sender: WebhookSender,
        faults: Faults,
        random_text: Callable[[int], str],
        *,
        targets: Callable[[], Iterable[Target]],
        owner_of: Callable[[App], str],
    ) -> None:
        self._clock = clock
        self._sender = sender
        self._faults = faults
        self._random_text = random_text
        self._targets = targets
        self._owner_of = owner_of
        self._health: dict[tuple[str, str], Health] = {}
        self._since = clock.now()
        self._begun = False
        self._worlds = 0
        self.mails: deque[Mail] = deque(maxlen=MAX_MAILS)

    def begin(self) -> None:
        """Challenge every 72 hours from now on. URLs of a loaded world count as validated."""
        self._begun = True
        self._worlds += 1
        self._wait_until(self._since + EVERY_SECONDS)

    def clear(self) -> None:
        """Delete all results: the URLs of a new world count as validated now."""
        self._health.clear()
        self.mails.clear()
        self._since = self._clock.now()
        if self._begun:
            self.begin()

    def health(self, app: App, url: str) -> Health:
        """Return the recent results of a URL; those of an unknown one begin as validated."""
        known = self._health.get((app.client_id, url))
        if known is None:
            if len(self._health) >= MAX_URLS:
                self._health.pop(next(iter(self._health)))
            known = self._health[app.client_id, url] = Health(self._since)
        return known

    async def validate(self, app: App, url: str) -> tuple[bool, str]:
        """Validate a URL on request or on save; passing enables a disabled subscription.

        Args:
            app: the app of the URL.
            url: the event URL.

        Returns:
            Whether it passed, and the reason.
        """
        passed, reason = await self.challenge(app, url)
        health = self.health(app, url)
        health.checked_at = self._clock.now()
        if passed:
            health.failures, health.disabled = 0, False
        return passed, reason

    async def challenge(self, app: App, url: str) -> tuple[bool, str]:
        """Send one challenge; return whether it passed, and the reason."""
        content = {
            "payload": {"plainToken": self._random_text(22)},
            "event_ts": int(self._clock.wall() * 1000),
            "event": "endpoint.url_validation",
        }
        delivery = self._sender.prepare(app, content, url=url)
        delivery = self._faults.spoil("challenge", delivery)
        self._sender.deliveries.add(delivery)
        status, body = await self._sender.attempt(delivery)
        if status not in {200, 204}:
            return False, delivery.attempts[-1].reason
        if self._faults.take("challenge_answer_ignored"):
            return True, "any response was accepted, as a fault asked for"
        return check_response(app, str(delivery.payload().get("plainToken")), body)

    def _revalidate(self) -> None:
        """Challenge every URL whose 72 hours are over, then wait for the next one."""
        now = self._clock.now()
        following = now + EVERY_SECONDS
        for app, url in self._targets():
            health = self.health(app, url)
            if health.disabled:
                continue
            if now - health.checked_at >= EVERY_SECONDS:
                health.checked_at = now
                self._sender.begin(self._revalidate_one(app, url))
            following = min(following, health.checked_at + EVERY_SECONDS)
        self._wait_until(following)

    def _wait_until(self, instant: float) -> None:
        """Challenge again at that time, unless another world has been loaded meanwhile."""
        world = self._worlds
        self._sender.timers.at(instant, self._revalidate, wanted=lambda: world == self._worlds)

    async def _revalidate_one(self, app: App, url: str) -> None:
        passed, _ = await self.challenge(app, url)
        health = self.health(app, url)
        health.failures = 0 if passed else health.failures + 1
        if health.failures in MAIL_AFTER:
            self._write(app, url, health.failures, "Your event notification URL failed validation")
        if health.failures >= DISABLED_AFTER:
            health.disabled = True

    def _write(self, app: App, url: str, failures: int, subject: str) -> None:
        now = self._clock.wall()
        self.mails.append(Mail(now, self._owner_of(app), app.client_id, url, failures, subject))


def check_response(app: App, plain: str, body: bytes) -> tuple[bool, str]:
    """Return whether a response to the challenge is right, and the reason.

    Args:
        app: the app whose webhook secret is the key of the HMAC.
        plain: the plainToken of the challenge.
        body: the body of the response.
    """
    secret = app.webhook_secret.encode()
    expected = hmac.new(secret, plain.encode(), hashlib.sha256).hexdigest()
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return False, "the response is not JSON"
    if not isinstance(content, dict) or content.get("plainToken") != plain:
        return False, "the response does not repeat plainToken"
    if content.get("encryptedToken") != expected:
        return False, "encryptedToken is not the HMAC of plainToken"
    return True, "the endpoint answered the challenge"
