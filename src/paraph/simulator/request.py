"""Reads requests of any endpoint: a bounded body, a form, and the host name that was called."""

from __future__ import annotations

import ipaddress
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import ClientDisconnect, Request

from paraph.simulator.state.behaviours import behaviour

MAX_BODY = 1 << 20
ZOOM_NAMES = {"zoom.us", "api.zoom.us", "marketplace.zoom.us"}


class Refusal(Exception):
    """A request is refused.

    Args:
        status: the HTTP status.
        text: the reason; it may be shown to any caller.
    """

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        super().__init__(text)


def is_loopback_address(host: str) -> bool:
    """Return true if a host is an IP address of loopback; a name is not looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Return true if a host is `localhost` or an IP address of loopback."""
    return host == "localhost" or is_loopback_address(host)


async def read_body(request: Request, limit: int = MAX_BODY) -> bytes:
    """Return the body of a request; one that is too long is not read to its end.

    Args:
        request: the request.
        limit: the largest allowed number of bytes.

    Raises:
        Refusal: the body is longer, or the caller closed the connection.
    """
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > limit:
                raise Refusal(413, f"the body is larger than {limit} bytes")
    except ClientDisconnect:
        raise Refusal(400, "the body ended early") from None
    return bytes(body)


async def read_form(request: Request) -> list[tuple[str, str]]:
    """Return the fields of a form in their order; another kind of body has no fields.

    Raises:
        Refusal: as for `read_body`.
    """
    text = (await read_body(request)).decode("utf-8", "replace")
    return parse_qsl(text, keep_blank_values=True)


@behaviour(
    "token endpoint",
    "api_url is https://api.zoom.us for clients that call by Zoom's names, else this simulator",
    "documented",
    source="changelog/platform/api_url_access_token_response",
)
def origin_as(
    request: Request, name: Literal["zoom.us", "api.zoom.us", "marketplace.zoom.us"], own: str
) -> str:
    """Return the origin by which the simulator refers to itself in a response.

    A client that was led here by name resolution believes that it talks to `zoom.us`, and checks
    certificates and hosts by that name. It would refuse an `api_url` of `https://127.0.0.1:8100`.

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
