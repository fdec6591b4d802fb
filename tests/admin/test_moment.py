"""Times as people read them."""

from __future__ import annotations

import pytest

from paraph.admin.moment import about, exact, machine

NOW = 1_785_369_054


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (3600, "1 h ago"),
        (86_400 * 2, "2 d ago"),
        (86_400 * 61, "2026-05-29"),
        (-1, "in a moment"),
        (-90, "in 1 min"),
        (-7200, "in 2 h"),
    ],
)
def test_about_when(distance: int, words: str) -> None:
    """A time is shown in its largest unit, and as a date after two months."""
    assert words == about(NOW - distance, NOW)


def test_exactly_when() -> None:
    """In UTC, for people and for machines."""
    assert ("2026-07-29 23:50:54 UTC", "2026-07-29T23:50:54Z") == (exact(NOW), machine(NOW))


@pytest.mark.parametrize("at", [-1, 0, 2**40, 2**63])
def test_no_time_is_too_odd(at: int) -> None:
    """Any number in a row is shown."""
    assert exact(at) and machine(at) and about(at, NOW)
