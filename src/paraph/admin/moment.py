"""Times as people read them: about when in words, exactly when in the markup."""

from __future__ import annotations

from datetime import UTC, datetime

_LAST = 253_402_300_799  # The end of the year 9999, the last that a datetime can say.
_STEPS = ((86_400, "d"), (3600, "h"), (60, "min"))
_LONG = 60 * 86_400


def about(at: int, now: int) -> str:
    """How long ago, or in how long; a date where that says more."""
    distance = abs(now - at)
    if distance >= _LONG:
        return f"{_moment(at):%Y-%m-%d}"
    words = span(distance)
    if not words:
        return "just now" if at <= now else "in a moment"
    return f"{words} ago" if at <= now else f"in {words}"


def span(seconds: int) -> str:
    """A length of time in its largest unit; empty for less than a minute."""
    for size, unit in _STEPS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return ""


def exact(at: int) -> str:
    """For people who want to know exactly."""
    return f"{_moment(at):%Y-%m-%d %H:%M:%S} UTC"


def machine(at: int) -> str:
    """The same for `<time datetime>`."""
    return f"{_moment(at):%Y-%m-%dT%H:%M:%SZ}"


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(max(0, min(at, _LAST)), tz=UTC)
