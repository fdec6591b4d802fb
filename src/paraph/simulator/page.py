"""Pages of the simulated Zoom: server-rendered, own style, nothing from elsewhere."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    # Not "no-referrer": that makes browsers send "Origin: null" with forms, and the console tells
    # its own forms from those of other sites by their origin.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("paraph.simulator", "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page from a template; every value is escaped."""
    text = _environment().get_template(name).render(**values)
    return HTMLResponse(text, status_code=status, headers=_HEADERS)


def static_file(name: str) -> bytes:
    """One of the simulator's own static files."""
    return (files("paraph.simulator") / "static" / name).read_bytes()
