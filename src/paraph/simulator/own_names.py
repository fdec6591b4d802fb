"""What the simulator calls itself in an answer: as it was called.

A client that was led here by name resolution believes that it speaks with `zoom.us`, and checks
certificates and hosts by that name: an `api_url` of `https://127.0.0.1:8100` would be refused.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from starlette.requests import Request

from paraph.simulator.behaviours import behaviour

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
    """An origin for the answer to a request.

    Args:
        request: by whose `Host` we know how we were called.
        name: which of Zoom's hosts the URL is of.
        own: the simulator's origin, for those who called it by that.
    """
    try:
        called = urlsplit(f"//{request.headers.get('host', '')}")
        port = "" if called.port is None else f":{called.port}"
    except ValueError:
        return own
    return f"{request.url.scheme}://{name}{port}" if called.hostname in ZOOM_NAMES else own
