"""The data-flow diagram of one configuration, as SVG."""

from __future__ import annotations

import html
from dataclasses import dataclass
from urllib.parse import urlsplit

from paraph.settings.model import Settings

_WIDTH = 880


@dataclass(frozen=True, slots=True)
class _Box:
    x: int
    y: int
    title: str
    lines: tuple[str, ...]
    width: int = 200
    height: int = 84


def data_flow_svg(settings: Settings) -> str:
    """Draw who sends what to whom, with the hosts and stores of these settings.

    Args:
        settings: checked settings; of URLs only hosts are drawn.
    """
    boxes = _boxes(settings)
    height = max(one.y + one.height for one in boxes) + 20
    way = "TLS" if settings.public_url.startswith("https://") else "loopback"
    arrows = [
        _arrow((220, 70), (340, 70), f"requests, {way}"),
        _arrow((220, 220), (340, 112), f"webhooks, {way}", shift=-16),
        _arrow((440, 114), (440, 190), ""),
        _arrow((340, 252), (220, 252), "code, tokens, API"),
        _arrow((540, 210), (660, 90), "sealed rows", shift=-20),
    ]
    if settings.forward_url:
        arrows.append(_arrow((540, 232), (660, 232), "signed events"))
    if settings.events_url:
        arrows.append(_arrow((540, 260), (660, 350), "sealed events", shift=26))
    if settings.key_service is not None:
        arrows.append(_arrow((440, 274), (440, 350), "wrapped keys", shift=4))
    parts = [_drawn(one) for one in boxes]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        'aria-label="Data flow" font-family="system-ui, sans-serif">'
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 10 5 0 10z" fill="#0b5cab"/></marker></defs>'
        f"{''.join(arrows)}{''.join(parts)}</svg>"
    )


def _boxes(settings: Settings) -> list[_Box]:
    public = urlsplit(settings.public_url).netloc
    zoom = urlsplit(settings.authorization_server).netloc
    api = urlsplit(settings.api_servers[0]).netloc
    proxied = settings.public_url.startswith("https://")
    sqlite = settings.database_url.startswith("sqlite:")
    boxes = [
        _Box(20, 30, "A person's browser", ("sealed cookie only,", "no token")),
        _Box(20, 190, "Zoom", tuple(dict.fromkeys((zoom, api)))),
        _Box(
            340,
            30,
            "TLS proxy" if proxied else "Public listener",
            (public, "terminates TLS" if proxied else "plain http on loopback"),
        ),
        _Box(340, 190, "paraph", ("six proofs, token vault,", "webhook verification")),
        _Box(
            660,
            30,
            "SQLite file" if sqlite else "PostgreSQL",
            ("tokens and bodies sealed", "with AES-256-GCM"),
        ),
    ]
    if settings.forward_url:
        host = urlsplit(settings.forward_url).netloc
        boxes.append(_Box(660, 190, "The product", (host, "gets events, no refresh token")))
    if settings.events_url:
        boxes.append(_Box(660, 320, "Event stream", ("NATS JetStream,", "bodies sealed")))
    if settings.key_service is not None:
        host = urlsplit(settings.key_service.url).netloc
        boxes.append(_Box(340, 350, "Key service", (host, "wraps the encryption keys")))
    return boxes


def _drawn(box: _Box) -> str:
    middle = box.x + box.width // 2
    lines = "".join(
        f'<text x="{middle}" y="{box.y + 48 + 18 * number}" font-size="13" fill="#505c6b" '
        f'text-anchor="middle">{html.escape(line)}</text>'
        for number, line in enumerate(box.lines)
    )
    return (
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="10" '
        f'fill="#fbfaf7" '
        'stroke="#8a93a0"/>'
        f'<text x="{middle}" y="{box.y + 26}" font-size="15" font-weight="600" fill="#1c2430" '
        f'text-anchor="middle">{html.escape(box.title)}</text>{lines}'
    )


def _arrow(start: tuple[int, int], end: tuple[int, int], label: str, *, shift: int = 0) -> str:
    """Draw an arrow; `shift` moves the label from the middle of the line, down if positive."""
    x, y = (start[0] + end[0]) // 2, (start[1] + end[1]) // 2 - 6 + shift
    text = (
        f'<text x="{x}" y="{y}" font-size="11.5" fill="#0b5cab" text-anchor="middle" '
        f'paint-order="stroke" stroke="#fff" stroke-width="4">{html.escape(label)}</text>'
    )
    return (
        f'<line x1="{start[0]}" y1="{start[1]}" x2="{end[0]}" y2="{end[1]}" stroke="#0b5cab" '
        f'stroke-width="1.6" marker-end="url(#tip)"/>{text if label else ""}'
    )
