"""The lasting records of removals. They hold no personal data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

# A tombstone's time on Zoom's clock if the event had no readable time.
UNKNOWN_TIME = -1


class TombstoneTimes(NamedTuple):
    """The time of a deauthorization, and the time of its last report.

    Attributes:
        zoom_time: on Zoom's clock, from the event; `UNKNOWN_TIME` if it is not there.
        reported_at: when it was last reported, on paraph's clock.
    """

    zoom_time: int
    reported_at: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of a removal without personal data: the reason, the time, and what was deleted."""

    receipt_id: str
    installation_id: str
    reason: str
    requested_at: int
    completed_at: int
    destroyed: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RemovalExport:
    """The line of a removal that waits to be written to the receipt book."""

    export_id: str
    line: str
