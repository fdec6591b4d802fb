"""The timeline: received requests and sent webhooks, as rows for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from paraph.simulator.engine import Simulator
from paraph.simulator.state.journal import Exchange
from paraph.simulator.steering.mask import Pair, mask_body, mask_pairs, mask_text
from paraph.simulator.steering.summary import summarize, tolerated
from paraph.simulator.webhooks.delivery import Attempt
from paraph.simulator.webhooks.webhook_sender import Delivery

SHOWN = 60
# Enough for a list; the page of one entry shows all that was kept.
_SHORT_BODY = 6_000

Tone = Literal["good", "moved", "refused", "broken", "waiting"]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a row under its own heading.

    Attributes:
        pairs: names and values.
        text: a text.
        cut: the number of characters that are left out at the end of the text.
    """

    heading: str
    pairs: list[Pair] = field(default_factory=list)
    text: str = ""
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One request or delivery.

    Attributes:
        key: its name in the page and in a request to reveal it.
        version: changes if the row has to be drawn again.
        direction: "in" for a request to Zoom, "out" for a webhook.
        time: epoch seconds of the real world.
        summary: one line for the list.
        tolerated: accepted parts that the app should not rely on.
        redirects: whether the response sends the browser to an app's redirect URI.
    """

    key: str
    version: str
    direction: Literal["in", "out"]
    time: float
    title: str
    place: str
    status: str
    tone: Tone
    parts: Sequence[Part]
    summary: str = ""
    tolerated: Sequence[str] = ()
    redirects: bool = False

    @property
    def at(self) -> str:
        """Return the time of day in the simulator's time zone."""
        return f"{_local(self.time):%H:%M:%S}"

    @property
    def date(self) -> str:
        """Return the full date and time."""
        return _local(self.time).isoformat(timespec="milliseconds")


def find_row(simulator: Simulator, key: str, *, revealed: bool = True) -> Row | None:
    """Return one row; None if it is no longer kept.

    Args:
        simulator: the simulated Zoom.
        key: the key of the row.
        revealed: show it in clear and in full.
    """
    if key.startswith("r"):
        exchange = find_exchange(simulator, key)
        return None if exchange is None else request_row(exchange, revealed=revealed)
    delivery = simulator.sender.find(key[1:]) if key.startswith("d") else None
    return None if delivery is None else delivery_row(delivery, revealed=revealed)


def find_exchange(simulator: Simulator, key: str) -> Exchange | None:
    """Return the exchange of a row; None if it is no longer kept."""
    is_number = key.startswith("r") and key[1:].isdecimal() and len(key) < 20
    return simulator.journal.find(int(key[1:])) if is_number else None


def request_row(exchange: Exchange, *, revealed: bool = False) -> Row:
    """Build the row of a request and its response, with masked secrets unless `revealed`."""
    entry = exchange.entry
    parts = [
        Part("Query", mask_pairs(entry["query"], revealed=revealed)),
        Part("Form", mask_pairs(entry["form"], revealed=revealed)),
        Part("Headers", mask_pairs(entry["headers"], revealed=revealed)),
        _body("Body", "" if entry["form"] else entry["body"], revealed=revealed),
        Part("Response", mask_pairs(exchange.response_headers, revealed=revealed)),
        _body("Response body", _readable(exchange), revealed=revealed),
    ]
    status = entry["status"]
    path = entry["path"]
    return Row(
        key=f"r{entry['number']}",
        version="1",
        direction="in",
        time=entry["time"],
        title=f"{entry['method']} {path if revealed else mask_text(path)}",
        place=entry["host"],
        status=str(status) if status else "cut",
        tone=_tone(status),
        parts=[part for part in parts if part.pairs or part.text],
        summary=summarize(exchange),
        tolerated=tolerated(exchange),
        redirects=bool(redirect_of(exchange)),
    )


def redirect_of(exchange: Exchange) -> str:
    """Return the URL of an authorization response that an exchange sent; "" if it sent none."""
    where = next((v for n, v in exchange.response_headers if n.lower() == "location"), "")
    names = {name for name, _ in parse_qsl(urlsplit(where).query, keep_blank_values=True)}
    return where if names & {"code", "error"} else ""


def delivery_row(delivery: Delivery, *, revealed: bool = False) -> Row:
    """Build the row of a webhook and its attempts, with masked secrets unless `revealed`."""
    attempts = list(delivery.attempts)
    tried = [
        Pair(f"{_local(one.time):%H:%M:%S}", one.reason or str(one.status)) for one in attempts
    ]
    if delivery.retry_at:
        tried.append(
            Pair("next attempt", f"{_local(delivery.retry_at):%H:%M:%S} by the simulated clock")
        )
    body = delivery.body.decode("utf-8", "replace")
    parts = [
        Part("Attempts", tried),
        Part("Headers", mask_pairs(delivery.headers.items(), revealed=revealed)),
        _body("Body", body, revealed=revealed),
    ]
    last = attempts[-1].status if attempts else None
    return Row(
        key=f"d{delivery.id}",
        version=f"{len(attempts)}-{delivery.retry_at:.0f}",
        direction="out",
        time=attempts[0].time if attempts else _signed_at(delivery),
        title=delivery.event,
        place=delivery.url or "no URL",
        status=_status_of(delivery, attempts),
        tone="waiting" if last is None else _tone(last),
        parts=[part for part in parts if part.pairs or part.text],
        summary=delivery.url or "no URL",
    )


def _status_of(delivery: Delivery, attempts: Sequence[Attempt]) -> str:
    if not attempts:
        return "…" if delivery.url else "unsent"
    words = [str(attempts[-1].status or "no response")]
    if len(attempts) > 1:
        words.append(f"{len(attempts)} attempts")
    if delivery.retry_at:
        words.append(f"next {_local(delivery.retry_at):%H:%M}")
    return ", ".join(words)


def _signed_at(delivery: Delivery) -> float:
    # A fault may have put any text there.
    text = delivery.headers.get("x-zm-request-timestamp", "")
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 11 else 0.0


def _body(heading: str, text: str, *, revealed: bool) -> Part:
    shown = mask_body(text, revealed=revealed)
    if revealed or len(shown) <= _SHORT_BODY:
        return Part(heading, text=shown)
    return Part(heading, text=shown[:_SHORT_BODY], cut=len(shown) - _SHORT_BODY)


def _readable(exchange: Exchange) -> str:
    """Return a response's body, but not the markup of the simulator's own pages."""
    media_type = next(
        (value for name, value in exchange.response_headers if name.lower() == "content-type"), ""
    )
    text = exchange.response_body.decode("utf-8", "replace")
    return "" if media_type.startswith("text/html") and "simulated Zoom" in text else text


def _tone(status: int) -> Tone:
    if not status or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "broken"
    if status >= HTTPStatus.BAD_REQUEST:
        return "refused"
    return "moved" if status >= HTTPStatus.MULTIPLE_CHOICES else "good"


def _local(instant: float) -> datetime:
    return datetime.fromtimestamp(instant, tz=UTC).astimezone()
