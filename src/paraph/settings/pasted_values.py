"""Checks values that are pasted from Zoom's form or from a generator: secrets and the client id.

It is all that `paraph.webhooks` needs of the settings, and is loaded without the other checks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from paraph.secret import Secret

MINIMUM_SECRET_LENGTH = 12
# The fewest different characters of a secret: a random one never has as few as four.
_MINIMUM_VARIETY = 5
_ALONE = "paste the value alone"
# Words that no generated secret contains; short ones are matched as whole words.
_PLACEHOLDER = re.compile(
    r"change.?me|your[-_ ]|placeholder|example|password|^secret|x{6}|^x{4}|123456789|^<|>$"
    r"|\btodo\b|replace|^\$[({A-Z]|^%[({A-Z]",
    re.IGNORECASE,
)
# Text left around a value by a copied line of a file or program. Zoom's values never contain it.
_COPIED = re.compile(r"^(?:export )?[A-Za-z_]{3,}=[^=]|[,;]$|\\[nrt]$")


class PastedChecks:
    """Collects problems of pasted values. A problem names the setting and never shows its value."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def secret(self, name: str, value: str) -> Secret:
        """Check a secret: long enough, and not a known placeholder."""
        if not value:
            self.problems.append(f"{name} is missing")
        elif len(value) < MINIMUM_SECRET_LENGTH:
            self.problems.append(f"{name} is shorter than {MINIMUM_SECRET_LENGTH} characters")
        elif _PLACEHOLDER.search(value) or len(set(value)) < _MINIMUM_VARIETY:
            self.problems.append(f"{name} looks like a placeholder")
        elif not _is_plain(value):
            self.problems.append(f"{name} holds spaces, line ends or non-ASCII characters")
        elif _COPIED.search(value):
            self.problems.append(f"{name} holds more than its value: {_ALONE}")
        return Secret(value)

    def secrets(self, name: str, values: Sequence[str]) -> tuple[Secret, ...]:
        """Check a list of secrets, newest first."""
        return tuple(self.secret(f"{name}[{n}]", value) for n, value in enumerate(values))

    def client_id(self, value: str) -> str:
        """Check a client id. It is not secret, but a wrong one is found before Zoom refuses it."""
        if not value:
            self.problems.append("client_id is missing")
        elif not _is_plain(value):
            self.problems.append("client_id holds spaces, line ends or non-ASCII characters")
        elif _PLACEHOLDER.search(value):
            self.problems.append("client_id looks like a placeholder")
        elif _COPIED.search(value):
            self.problems.append(f"client_id holds more than its value: {_ALONE}")
        return value


def _is_plain(value: str) -> bool:
    return value.isascii() and value.isprintable() and " " not in value
