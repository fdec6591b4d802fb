"""The distribution of a run's cases among the copies of the app that run at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock

from paraph.checks.catalogue import GROUPS, catalogue

# The waiting cases for each copy of the app, below which one more copy is not worth its start.
_WORTH_A_COPY = 2


@dataclass(slots=True, eq=False)
class Share:
    """The part of a group's cases that one copy of the app takes, one after the other.

    Attributes:
        group: the group.
        is_first: False if another copy was started for the group before this one.
    """

    group: str
    is_first: bool
    _waiting: deque[str] = field(repr=False)

    def __iter__(self) -> Iterator[str]:
        """Yield the next waiting case each time, until there is no more."""
        while True:
            try:
                # Atomic, so that no case is taken twice.
                one = self._waiting.popleft()
            except IndexError:
                return
            yield one


class Schedule:
    """Distributes cases: every group gets one copy of the app, then long groups get more of them.

    A group with long cases would otherwise run alone at the end, while the others are done.

    Args:
        ids: the cases, in the order in which each group runs them.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        by_group = {g: deque(i for i in ids if catalogue()[i].group == g) for g in GROUPS}
        self._waiting = {group: cases for group, cases in by_group.items() if cases}
        self._copies = dict.fromkeys(self._waiting, 0)
        self._lock = Lock()

    def next_share(self) -> Share | None:
        """Return the cases for one more copy of the app; None if another copy is not worth it."""
        with self._lock:
            group = next((one for one, count in self._copies.items() if not count), None)
            group = group or self._longest()
            if group is None:
                return None
            self._copies[group] += 1
            return Share(group, self._copies[group] == 1, self._waiting[group])

    def _longest(self) -> str | None:
        """Return the group with the most waiting cases for each copy, one more included."""
        left = {g: len(cases) / (self._copies[g] + 1) for g, cases in self._waiting.items()}
        longest = max(left, key=lambda one: left[one], default=None)
        return longest if longest is not None and left[longest] >= _WORTH_A_COPY else None
