"""The data-flow diagram of one configuration, as SVG."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from paraph.settings.model import Settings

_WIDTH = 880
_BOX, _HEIGHT = 190, 84
_LEFT, _MIDDLE, _RIGHT = 5, 345, 685
_TOP, _CENTRE, _BOTTOM = 20, 210, 400
Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Box:
    x: int
    y: int
    title: str
    lines: tuple[str, ...]


def data_flow_svg(settings: Settings) -> str:
    """Draw who sends what to whom, with the hosts and stores of these settings.

    Args:
        settings: checked settings; of URLs only hosts are drawn.
    """
    boxes = list(_boxes(settings))
    height = max(one.y for one in boxes) + _HEIGHT + 20
    drawn = [*_arrows(settings), *map(_drawn, boxes)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        'aria-label="Data flow" font-family="system-ui, sans-serif">'
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 10 5 0 10z" fill="#0b5cab"/></marker></defs>'
        f"{''.join(drawn)}</svg>"
    )


def _boxes(settings: Settings) -> Iterator[_Box]:
    public = urlsplit(settings.public_url).netloc
    zoom = urlsplit(settings.authorization_server).netloc
    api = urlsplit(settings.api_servers[0]).netloc
    proxied = settings.public_url.startswith("https://")
    sqlite = settings.database_url.startswith("sqlite:")
    product = urlsplit(settings.forward_url or settings.link_url).netloc or "on the private side"
    yield _Box(_LEFT, _TOP, "A person's browser", ("sealed cookie only,", "no token"))
    yield _Box(_LEFT, _CENTRE, "Zoom", tuple(dict.fromkeys((zoom, api))))
    yield _Box(
        _MIDDLE,
        _TOP,
        "TLS proxy" if proxied else "Public listener",
        (public, "terminates TLS" if proxied else "plain http on loopback"),
    )
    yield _Box(_MIDDLE, _CENTRE, "paraph", ("six proofs, token vault,", "webhook verification"))
    yield _Box(
        _RIGHT,
        _TOP,
        "SQLite file" if sqlite else "PostgreSQL",
        ("tokens and bodies sealed", "with AES-256-GCM"),
    )
    host = "The product" if settings.forward_url else "The host's backend"
    yield _Box(_RIGHT, _CENTRE, host, (product, "gets no refresh token"))
    if settings.key_service is not None:
        host = urlsplit(settings.key_service.url).netloc
        yield _Box(_LEFT, _BOTTOM, "Key service", (host, "wraps the encryption keys"))
    if settings.events_url:
        yield _Box(_RIGHT, _BOTTOM, "Event stream", ("NATS JetStream,", "bodies sealed"))


def _arrows(settings: Settings) -> Iterator[str]:
    way = "TLS" if settings.public_url.startswith("https://") else "loopback"
    first, last = _LEFT + _BOX, _MIDDLE + _BOX
    gap, other_gap = (first + _MIDDLE) // 2, (last + _RIGHT) // 2
    upper, lower = _TOP + _HEIGHT, _CENTRE + _HEIGHT
    middle = (upper + _CENTRE) // 2 + 10
    yield _arrow([(first, 62), (_MIDDLE, 62)], f"requests, {way}", (gap, 54))
    yield _arrow([(35, upper), (35, _CENTRE)], "consent", (72, middle - 16))
    webhooks = [(130, _CENTRE), (130, middle), (_MIDDLE + 40, middle), (_MIDDLE + 40, upper)]
    yield _arrow(webhooks, f"webhooks, {way}", (gap, middle - 8))
    yield _arrow([(last - 60, upper), (last - 60, _CENTRE)], "", (0, 0))
    yield _arrow([(_MIDDLE, 252), (first, 252)], "code, tokens, API", (gap, 244))
    rows = [(last, 232), (other_gap, 232), (other_gap, 62), (_RIGHT, 62)]
    yield _arrow(rows, "sealed rows", (other_gap, 150))
    yield _arrow([(_RIGHT, 276), (last, 276)], "API key: links, calls", (other_gap, 293))
    if settings.forward_url:
        yield _arrow([(last, 254), (_RIGHT, 254)], "signed events", (other_gap, 247))
    bottom = _BOTTOM + 42
    if settings.key_service is not None:
        keys = [(_MIDDLE + 40, lower), (_MIDDLE + 40, bottom), (first, bottom)]
        yield _arrow(keys, "wrapped keys", (gap, bottom - 8))
    if settings.events_url:
        events = [(last - 40, lower), (last - 40, bottom), (_RIGHT, bottom)]
        yield _arrow(events, "sealed events", (other_gap, bottom - 8))


def _drawn(box: _Box) -> str:
    middle = box.x + _BOX // 2
    lines = "".join(
        f'<text x="{middle}" y="{box.y + 48 + 18 * number}" font-size="13" fill="#505c6b" '
        f'text-anchor="middle">{html.escape(line)}</text>'
        for number, line in enumerate(box.lines)
    )
    return (
        f'<rect x="{box.x}" y="{box.y}" width="{_BOX}" height="{_HEIGHT}" rx="10" '
        'fill="#fbfaf7" stroke="#8a93a0"/>'
        f'<text x="{middle}" y="{box.y + 26}" font-size="15" font-weight="600" fill="#1c2430" '
        f'text-anchor="middle">{html.escape(box.title)}</text>{lines}'
    )


def _arrow(points: Sequence[Point], label: str, at: Point) -> str:
    """Draw an arrow along straight lines, with its label centred at a point."""
    text = (
        f'<text x="{at[0]}" y="{at[1]}" font-size="12" fill="#0b5cab" text-anchor="middle" '
        f'paint-order="stroke" stroke="#fff" stroke-width="4">{html.escape(label)}</text>'
    )
    line = " ".join(f"{x},{y}" for x, y in points)
    return (
        f'<polyline points="{line}" fill="none" stroke="#0b5cab" stroke-width="1.6" '
        f'marker-end="url(#tip)"/>{text if label else ""}'
    )
