"""A request's body, read no further than it may be long."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from paraph.simulator.gate import Refusal

MAX_BODY = 1 << 20


async def read_body(request: Request, most: int = MAX_BODY) -> bytes:
    """A body no longer than `most`; the rest of a longer one is not even read.

    Raises:
        Refusal: it is longer, or the caller went away.
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
    """The fields of a form, in their order; what is no form has none.

    Raises:
        Refusal: as `read_body`.
    """
    text = (await read_body(request)).decode("utf-8", "replace")
    return parse_qsl(text, keep_blank_values=True)
