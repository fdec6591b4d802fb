"""Writes a request or a delivery as a cURL command, with its secrets in clear."""

from __future__ import annotations

import base64
import shlex
import string
from collections.abc import Sequence
from urllib.parse import quote, urlencode

from paraph.simulator.engine import Simulator
from paraph.visible_text import visible

# cURL sets these by itself, from the URL and the body.
_OWN = {"host", "content-length", "connection", "transfer-encoding", "accept-encoding"}

Pairs = Sequence[Sequence[str]]


def curl_of(simulator: Simulator, key: str) -> str | None:
    """Return an entry of the timeline as a cURL command; None if it is no longer kept.

    Args:
        simulator: the simulated Zoom; requests are directed at it.
        key: the key of the row.
    """
    if key.startswith("d"):
        delivery = simulator.sender.find(key[1:])
        if delivery is None or not delivery.url:
            return None
        headers = [*delivery.headers.items(), *delivery.more_headers]
        url = quote(delivery.url, safe=string.punctuation)
        return _command("POST", url, headers, delivery.body)
    number = key[1:]
    known = key.startswith("r") and number.isascii() and number.isdecimal() and len(number) < 20
    exchange = simulator.journal.find(int(number)) if known else None
    if exchange is None:
        return None
    entry = exchange.entry
    query = f"?{urlencode([tuple(pair) for pair in entry['query']])}" if entry["query"] else ""
    url = f"{simulator.origin}{quote(entry['path'])}{query}"
    return _command(entry["method"], url, entry["headers"], entry["body"].encode())


def _command(method: str, url: str, headers: Pairs, body: bytes) -> str:
    words = ["curl", "--silent", "--show-error", "--include"]
    if method not in {"GET", "POST"} or (method == "POST") != bool(body):
        words += ["--request", shlex.quote(method)]
    # cURL reads brackets in a URL as a pattern.
    words += ["--globoff"] if set(url) & set("[]{}") else []
    words.append(shlex.quote(url))
    lines = [" ".join(words)]
    for name, value in headers:
        if name.lower() not in _OWN:
            # A header without a value needs a semicolon.
            text = f"{name}: {value}" if value else f"{name};"
            lines.append(f"--header {shlex.quote(visible(text))}")
    before = ""
    if body:
        shown = _as_text(body)
        if shown is None:
            before = f"printf %s {base64.b64encode(body).decode()} | base64 --decode | "
            lines.append("--data-binary @-")
        else:
            # A body that begins with @ would name a file.
            lines.append(f"--data-raw {shlex.quote(shown)}")
    return before + " \\\n  ".join(lines)


def _as_text(body: bytes) -> str | None:
    """Return a body that a shell passes on unchanged; None for any other bytes."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    # cURL and shells drop NUL; a terminal shows other control characters badly.
    return text if all(one.isprintable() or one in "\n\t" for one in text) else None
