"""The documented meanings of Zoom's error numbers for a dead grant.

Only the number of an error text is kept, since Zoom's text repeats the refused value. A user who is
asked to install again should still learn why.
"""

from __future__ import annotations

import re

MEANINGS = {
    "4735": "the Zoom user that the token belongs to no longer exists",
    "4737": "the refresh token was not found; the app must be authorized again",
    "4738": "the token was disabled by an administrator of the Zoom account",
    "4740": "the refresh token was used more often than Zoom tolerates",
    "4741": "the token was revoked by a later authorization",
}
_NUMBER = re.compile(r"Zoom error ([0-9]{4})")


def in_zooms_words(detail: str) -> str:
    """Return the reason of a refusal, with the meaning of its number if that is documented."""
    found = _NUMBER.fullmatch(detail)
    meaning = MEANINGS.get(found[1]) if found else None
    return f"{found[1]}: {meaning}" if found and meaning else detail
