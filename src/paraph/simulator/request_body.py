"""Reads a request's body up to a limit."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from paraph.simulator.steering.access import Refusal

MAX_BODY = 1 << 20


async def read_body(request: Request, most: int = MAX_BODY) -> bytes:
    """Return a body of at most `most` bytes; a longer one is not read to its end.

    Raises:
        Refusal: the body is longer, or the caller closed the connection.
    """
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > most:
                raise Refusal(413, f"the body is larger than {most} bytes")
    except ClientDisconnect:
        raise Refusal(400, "the body ended early") from None
    return bytes(body)


async def read_form(request: Request) -> list[tuple[str, str]]:
    """Return the fields of a form, in their order; a body that is not a form has no fields.

    Raises:
        Refusal: as for `read_body`.
    """
    text = (await read_body(request)).decode("utf-8", "replace")
    return parse_qsl(text, keep_blank_values=True)
