"""Chooses the host name by which the simulator refers to itself: the one used by the client.

A client that was led here by name resolution believes that it talks to `zoom.us`, and checks
certificates and hosts by that name: an `api_url` of `https://127.0.0.1:8100` would be refused.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from starlette.requests import Request

from paraph.simulator.state.behaviours import behaviour

ZOOM_NAMES = {"zoom.us", "api.zoom.us", "marketplace.zoom.us"}


@behaviour(
    "token endpoint",
    "api_url is https://api.zoom.us for clients that call by Zoom's names, else this simulator",
    "documented",
    source="changelog/platform/api_url_access_token_response",
)
def origin_as(
    request: Request, name: Literal["zoom.us", "api.zoom.us", "marketplace.zoom.us"], own: str
) -> str:
    """Return an origin for the response to a request.

    Args:
        request: its `Host` is the name that the client used.
        name: the host of Zoom's that the URL belongs to.
        own: the simulator's origin, for clients that used it.
    """
    try:
        called = urlsplit(f"//{request.headers.get('host', '')}")
        port = "" if called.port is None else f":{called.port}"
    except ValueError:
        return own
    return f"{request.url.scheme}://{name}{port}" if called.hostname in ZOOM_NAMES else own
