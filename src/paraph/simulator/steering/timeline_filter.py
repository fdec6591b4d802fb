"""Selects rows of the timeline: by grant, by delivery, and by text.

A text is looked for in the masked row, so that a search reveals no secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from urllib.parse import parse_qs, urlsplit

from paraph.simulator.engine import Simulator
from paraph.simulator.state.journal import Exchange
from paraph.simulator.steering.timeline import SHOWN, Row, delivery_row, request_row
from paraph.simulator.webhooks.delivery import Delivery

# A row is built before a text is looked for in it.
SEARCHED = 1000
REQUESTS, DELIVERIES = "requests", "deliveries"
_CARRIED = ("code", "refresh_token", "token")


@dataclass(frozen=True, slots=True)
class TimelineFilter:
    """A selection of rows; empty fields select everything.

    Attributes:
        grant: client id and user id, joined with a slash.
        entries: "requests", "deliveries", or the name of an event.
        text: words that all stand in a row.
    """

    grant: str = ""
    entries: str = ""
    text: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> TimelineFilter:
        """Read a selection from the query of the console's URL."""
        return cls(*(query.get(name, "")[:200] for name in ("grant", "entries", "text")))

    @property
    def is_on(self) -> bool:
        """Return true if it leaves out anything."""
        return bool(self.grant or self.entries or self.text.strip())


def selected_rows(simulator: Simulator, chosen: TimelineFilter) -> list[Row]:
    """Return the newest rows that a filter selects, the newest first.

    Args:
        simulator: the simulated Zoom.
        chosen: the filter; a text is looked for in the newest 1 000 requests and deliveries.
    """
    found = [*_requests(simulator, chosen), *_deliveries(simulator, chosen)]
    return sorted(found, key=lambda row: row.time, reverse=True)[:SHOWN]


def grant_choices(simulator: Simulator) -> list[tuple[str, str]]:
    """Return the grants that the filter offers: its value, and the words to show."""
    several = len(simulator.world.apps) > 1
    choices = []
    for client_id, user_id in simulator.ledger.known_grants():
        user = simulator.world.user(user_id)
        name = user_id if user is None else user.display_name
        choices.append((f"{client_id}/{user_id}", f"{name}, {client_id}" if several else name))
    return choices


def event_choices(simulator: Simulator) -> list[str]:
    """Return the names of the events that were sent."""
    return sorted({one.event for one in simulator.sender.deliveries})


def _requests(simulator: Simulator, chosen: TimelineFilter) -> list[Row]:
    if chosen.entries not in {"", REQUESTS}:
        return []
    rows = (
        request_row(one)
        for one in islice(reversed(simulator.journal.exchanges), SEARCHED)
        if not chosen.grant or chosen.grant in _grants_of(simulator, one)
    )
    return _first(rows, chosen)


def _deliveries(simulator: Simulator, chosen: TimelineFilter) -> list[Row]:
    if chosen.entries == REQUESTS:
        return []
    rows = (
        delivery_row(one)
        for one in islice(reversed(list(simulator.sender.deliveries)), SEARCHED)
        if chosen.entries in {"", DELIVERIES, one.event} and _concerns(one, chosen.grant)
    )
    return _first(rows, chosen)


def _first(rows: Iterator[Row], chosen: TimelineFilter) -> list[Row]:
    words = chosen.text.lower().split()
    found: list[Row] = []
    for row in rows:
        if len(found) == SHOWN:
            break
        if not words or all(word in _text(row) for word in words):
            found.append(row)
    return found


def _text(row: Row) -> str:
    parts = [row.title, row.place, row.status, row.summary, *row.tolerated]
    for part in row.parts:
        parts += [part.text, *(f"{pair.name} {pair.value}" for pair in part.pairs)]
    return " ".join(parts).lower()


def _concerns(delivery: Delivery, grant: str) -> bool:
    if not grant:
        return True
    client_id, _, user_id = grant.rpartition("/")
    return delivery.client_id == client_id and user_id.encode() in delivery.body


def _grants_of(simulator: Simulator, exchange: Exchange) -> set[str]:
    """Return the grants whose code or token a request carries, or its response brings."""
    entry = exchange.entry
    values = [value for name, value in (*entry["query"], *entry["form"]) if name in _CARRIED]
    headers = {name.lower(): value for name, value in entry["headers"]}
    values.append(headers.get("authorization", "").partition(" ")[2])
    for name, value in exchange.response_headers:
        if name.lower() == "location":
            values += parse_qs(urlsplit(value).query).get("code", [])
    owners = {simulator.ledger.owner_of(value) for value in values}
    return {"/".join(owner) for owner in owners if owner is not None}
