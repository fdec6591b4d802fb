"""Formats times for people: approximate in the text, exact in the markup."""

from __future__ import annotations

from datetime import UTC, datetime

_LAST = 253_402_300_799  # The end of the year 9999, the latest time of a datetime.
_STEPS = ((86_400, "d"), (3600, "h"), (60, "min"))
_LONG = 60 * 86_400


def about(at: int, now: int) -> str:
    """Format a time relative to `now`, or as a date if it is far away."""
    distance = abs(now - at)
    if distance >= _LONG:
        return f"{_moment(at):%Y-%m-%d}"
    words = span(distance)
    if not words:
        return "just now" if at <= now else "in a moment"
    return f"{words} ago" if at <= now else f"in {words}"


def span(seconds: int) -> str:
    """Format a duration in its largest unit; "" for less than a minute."""
    for size, unit in _STEPS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return ""


def exact(at: int) -> str:
    """Format a time to the second, for tooltips."""
    return f"{_moment(at):%Y-%m-%d %H:%M:%S} UTC"


def machine(at: int) -> str:
    """Format a time for the attribute `datetime` of `<time>`."""
    return f"{_moment(at):%Y-%m-%dT%H:%M:%SZ}"


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(max(0, min(at, _LAST)), tz=UTC)
