"""The cause of a refusal page, for the developer, in one log line at level DEBUG.

The page itself is the same for every bad request, so that an attacker learns nothing from it. The
line goes to the logger `paraph.installs` of the standard library:

    install.refused: no_cookie: the browser sent no cookie of this flow

It begins with the name of the event, a stable code, and then the cause. It holds no secret: neither
query nor cookies nor names from either are in it.
"""

from __future__ import annotations

import logging

from paraph.errors import ParaphError

EVENT = "install.refused"
LOGGER = "paraph.installs"

_log = logging.getLogger(LOGGER)


def log_refusal(error: ParaphError) -> None:
    """Log why a refusal page is shown.

    A flood of random requests costs nothing here unless the level DEBUG is switched on.

    Args:
        error: the cause. Its `reason` is the code if it has one.
    """
    if _log.isEnabledFor(logging.DEBUG):
        reason = getattr(error, "reason", error.code)
        fields = {"event_name": EVENT, "reason": reason, "cause": error.detail}
        _log.debug("%s: %s: %s", EVENT, reason, error.detail, extra=fields)
