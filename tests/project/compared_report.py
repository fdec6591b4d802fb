"""The table and the list of differences that a comparison of two versions prints."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

_SHOWN = 400


@dataclass(slots=True)
class Report:
    """Counts and differences of a whole run."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    statuses: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    found: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(
        self, place: str, group: str, name: str, lines: Iterable[str], *, status: int = 0
    ) -> None:
        """Count a comparison with the status of the new version, and keep its differences."""
        self.counts[place, group] += 1
        self.statuses[place, group, status] += 1
        self.found += [(place, group, name, line) for line in lines]

    def print(self) -> None:
        """Print the table and the list."""
        wrong = Counter((place, group) for place, group, _, _ in self.found)
        places = list(dict.fromkeys(place for place, _ in self.counts))
        for place in places:
            say(f"\n{place}")
            for (where, group), count in self.counts.items():
                if where == place:
                    say(
                        f"  {group:<24}{count:>6} compared {wrong[place, group]:>4} different  "
                        f"({self._statuses(where, group)})"
                    )
        by_request: dict[tuple[str, str], dict[str, list[str]]] = {}
        for place, group, name, line in self.found:
            by_request.setdefault((group, name), {}).setdefault(place, []).append(line)
        for (group, name), found in list(by_request.items())[:_SHOWN]:
            say(f"\n{group}; {name} ({'; '.join(found)})")
            for line in next(iter(found.values())):
                say(f"  {line}")
        total = sum(self.counts.values())
        say(f"\n{total} comparisons, {len(self.found)} differences")

    def _statuses(self, place: str, group: str) -> str:
        """Return how many responses had which status; 0 is no response at all."""
        counts = {s: n for (p, g, s), n in self.statuses.items() if (p, g) == (place, group)}
        return ", ".join(f"{status}: {count}" for status, count in sorted(counts.items()))


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
