"""Shows single entries of the console: in clear, as cURL, explained, and two side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from paraph.simulator.engine import Simulator
from paraph.simulator.page import render
from paraph.simulator.steering.comparison import compare
from paraph.simulator.steering.curl import curl_of
from paraph.simulator.steering.timeline import find_exchange, find_row, redirect_of

_GONE = "This entry is no longer kept."


@dataclass(frozen=True, slots=True)
class SentWebhook:
    """A webhook and the settings of its app, for an explanation of its verification.

    Attributes:
        sent_at: epoch seconds of the first attempt, or of the present.
    """

    path: str
    headers: Sequence[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)
    client_id: str
    webhook_secret: str = field(repr=False)
    level: Literal["user", "account"]
    sent_at: float


@dataclass(frozen=True, slots=True)
class SentRedirect:
    """An authorization response that the browser was redirected with.

    Attributes:
        asked: the parameters of the authorization request; empty if it is not known.
        asked_at, sent_at: epoch seconds of the request and of the redirect.
        server: the URL of the simulated Zoom.
    """

    url: str = field(repr=False)
    asked: Mapping[str, str] = field(repr=False)
    asked_at: float
    sent_at: float
    server: str


Explain = Callable[[SentWebhook | SentRedirect], Sequence[str]]
"""Returns one line for each step of a verification; the command line passes it to the console."""


class ConsoleEntries:
    """Pages about entries of one simulator.

    Args:
        simulator: the simulated Zoom.
        explain: explains an entry; None if the program that runs the simulator has no explainer.
    """

    def __init__(self, simulator: Simulator, explain: Explain | None) -> None:
        self._simulator = simulator
        self._explain = explain

    def reveal(self, fields: Mapping[str, str]) -> Response:
        """Show one entry or an app's credentials in clear, for a form of the console only."""
        key = fields.get("key", "")
        app = self._simulator.world.app(key[1:]) if key.startswith("a") else None
        row = None if app is not None else find_row(self._simulator, key)
        if app is None and row is None:
            return Response(_GONE, status_code=404)
        name = "entry_fragment.html" if fields.get("fragment") else "entry.html"
        return render(name, console=True, row=row, app=app)

    def curl(self, fields: Mapping[str, str]) -> Response:
        """Show an entry as a cURL command in clear, for a form of the console only."""
        text = curl_of(self._simulator, fields.get("key", ""))
        if text is None:
            return Response(_GONE, status_code=404)
        return _note(fields, "cURL command", text=text, warning="Secrets are in clear here.")

    def explain(self, fields: Mapping[str, str]) -> Response:
        """Explain step by step why a webhook or a redirect is accepted or refused."""
        key = fields.get("key", "")
        sent = self._webhook(key) if key.startswith("d") else self._redirect(key)
        if sent is None or self._explain is None:
            return Response(_GONE, status_code=404)
        steps = [_step(line) for line in self._explain(sent)]
        return _note(fields, "Verification, step by step", steps=steps)

    def _webhook(self, key: str) -> SentWebhook | None:
        delivery = self._simulator.sender.find(key[1:])
        if delivery is None:
            return None
        return SentWebhook(
            path=urlsplit(delivery.url).path or "/",
            headers=[*delivery.headers.items(), *delivery.more_headers],
            body=delivery.body,
            client_id=delivery.client_id,
            webhook_secret=delivery.app.webhook_secret,
            level=delivery.app.level,
            sent_at=delivery.attempts[0].time if delivery.attempts else self._simulator.wall(),
        )

    def _redirect(self, key: str) -> SentRedirect | None:
        """Return the redirect of an entry, with the authorization request of the same state."""
        exchange = find_exchange(self._simulator, key)
        url = "" if exchange is None else redirect_of(exchange)
        if exchange is None or not url:
            return None
        state = dict(parse_qsl(urlsplit(url).query)).get("state", "")
        asked: dict[str, str] = {}
        asked_at = sent_at = exchange.entry["time"]
        for one in self._simulator.journal.entries if state else ():
            if one["number"] > exchange.entry["number"]:
                break
            query = dict(one["query"])
            # The last one: an app may send the same state again and again.
            if one["path"] == "/oauth/authorize" and query.get("state") == state:
                asked, asked_at = query, one["time"]
        return SentRedirect(url, asked, asked_at, sent_at, self._simulator.origin)

    def compare(self, request: Request) -> Response:
        """Show two entries side by side, with masked secrets."""
        keys = request.query_params.getlist("key")
        found = compare(self._simulator, *keys) if len(keys) == 2 else None
        if found is None:
            text = "Select two entries that are still kept, then press Compare."
            return render("compare.html", status=400, console=True, found=None, text=text)
        return render("compare.html", console=True, found=found, text="")


def _note(
    fields: Mapping[str, str],
    heading: str,
    *,
    text: str = "",
    warning: str = "",
    steps: Sequence[tuple[str, str]] = (),
) -> Response:
    name = "note_fragment.html" if fields.get("fragment") else "note.html"
    return render(name, console=True, heading=heading, text=text, warning=warning, steps=steps)


def _step(line: str) -> tuple[str, str]:
    """Split a line into its first word, which is its kind, and the rest."""
    word, _, rest = line.partition(" ")
    return word.rstrip(":"), rest.strip()
