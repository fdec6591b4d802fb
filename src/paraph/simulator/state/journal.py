"""The journal: every request that reached the simulated Zoom, unchanged, with its response.

It is bounded by the number of entries and by their size, so that a simulator may run for days.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

MAX_ENTRIES = 10_000
MAX_BYTES = 128 * 1024 * 1024

Pairs = list[list[str]]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request as the control API shows it, with the response as the console shows it.

    Attributes:
        entry: the members that the control API promises.
        response_headers: the response headers, as sent.
        response_body: the beginning of the response body.
        weight: the size for the journal's bound, in bytes.
    """

    entry: dict[str, Any]
    response_headers: Pairs
    response_body: bytes
    weight: int


@dataclass(slots=True)
class Performed:
    """A button of the console that was pressed.

    Attributes:
        time: epoch seconds of the real world.
        step: the same as a step of a scenario.
        delivery_id: the delivery that it sent; "" if it sent nothing.
        attempts: the number of attempts that the delivery had before.
    """

    time: float
    step: Any
    delivery_id: str = ""
    attempts: int = 0


class Journal:
    """The newest exchanges; the oldest are dropped first."""

    def __init__(self) -> None:
        self.exchanges: deque[Exchange] = deque()
        self._number = 0
        self._weight = 0

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Return all entries, the oldest first."""
        return [one.entry for one in self.exchanges]

    def add(self, exchange: Exchange) -> None:
        """Number an exchange and store it."""
        self._number += 1
        exchange.entry["number"] = self._number
        self.exchanges.append(exchange)
        self._weight += exchange.weight
        while len(self.exchanges) > MAX_ENTRIES or self._weight > MAX_BYTES:
            self._weight -= self.exchanges.popleft().weight

    def since(self, number: int) -> list[dict[str, Any]]:
        """Return entries newer than a number."""
        return [one.entry for one in self.exchanges if one.entry["number"] > number]

    def find(self, number: int) -> Exchange | None:
        """Return an exchange by the number of its entry."""
        return next((one for one in self.exchanges if one.entry["number"] == number), None)

    def clear(self) -> None:
        """Delete all entries; the numbering continues, so that `since` stays correct."""
        self.exchanges.clear()
        self._weight = 0
