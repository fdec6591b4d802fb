"""Responses to webhook deliveries and to challenges, and the limit on challenges.

They are the same on every path. A sender learns nothing from a refusal: everything wrong up to and
including the MAC has one status and one body.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from paraph.errors import Busy
from paraph.zoom.events import Event, parse_url_validation
from paraph.zoom.webhook_verification import VerifiedDelivery

Response = tuple[int, bytes]

ACCEPTED: Response = (200, b"{}")
REFUSED: Response = (401, b'{"error":"the delivery was not accepted"}')
TOO_LONG: Response = (413, b'{"error":"the body is too long"}')
NO_EVENT: Response = (400, b'{"error":"the body is not an event"}')
TOO_OFTEN: Response = (429, b'{"error":"too many challenges"}')

# Zoom validates every three days. A caller that asks more often makes us sign its chosen text.
CHALLENGE_BURST = 20
CHALLENGES_PER_SECOND = 0.5


def answer_url_validation(delivery: VerifiedDelivery, event: Event) -> bytes:
    """Build the response body to a challenge: compact JSON with plainToken and encryptedToken.

    It is made with the secret that verified the challenge itself. So during a rotation Zoom
    receives the one that it uses, and an unsigned challenge is never answered.

    Raises:
        EventInvalid: as for `parse_url_validation`.
    """
    token = parse_url_validation(event)
    response = {"plainToken": token, "encryptedToken": delivery.answer_challenge(token)}
    return json.dumps(response, separators=(",", ":")).encode("ascii")


class ChallengeLimit:
    """Limits how many challenges are answered, with a token bucket.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._level, self._since = float(CHALLENGE_BURST), clock()

    def spend(self) -> None:
        """Take one token.

        Raises:
            Busy: no token is left.
        """
        now = self._clock()
        gained = (now - self._since) * CHALLENGES_PER_SECOND
        self._level, self._since = min(float(CHALLENGE_BURST), self._level + gained), now
        if self._level < 1:
            raise Busy("there are more challenges than Zoom sends")
        self._level -= 1
