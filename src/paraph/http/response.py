"""Complete HTTP responses: the value that every endpoint returns.

On both paths Content-Length is the first header, so that both write the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import Message, Send

Headers = Sequence[tuple[bytes, bytes]]
_LENGTH = b"content-length"
# RFC 9110 section 8.6: a 204 must not have Content-Length.
WITHOUT_LENGTH = frozenset({204})


class Fields:
    """The headers of a response except its body's length, encoded once for many responses.

    Attributes:
        headers: names in lower case, and values.
        lines: the same headers in the form of HTTP/1.1.
    """

    __slots__ = ("headers", "lines")

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        self.headers = headers
        self.lines = b"".join([b"%b: %b\r\n" % header for header in headers])


class CompleteResponse(msgspec.Struct, eq=False, gc=False):
    """A complete response.

    Attributes:
        status: the HTTP status code.
        fields: its headers, except the length of the body.
        body: the complete body.
        again: True if the same response is sent many times, as a refusal is.
    """

    status: int
    fields: Fields
    body: bytes
    again: bool = False

    def __repr__(self) -> str:
        # A body can hold a token.
        return f"CompleteResponse(status={self.status})"

    @classmethod
    def of(
        cls, response: Response, *more: tuple[bytes, bytes], again: bool = False
    ) -> CompleteResponse:
        """Convert a response whose body is complete.

        Args:
            response: the response of Starlette.
            more: headers to append to its own.
            again: see the class.
        """
        headers: Any = response.raw_headers
        own = [header for header in headers if header[0] != _LENGTH]
        return cls(response.status_code, Fields(*own, *more), bytes(response.body), again=again)

    async def send(self, send: Send, *more: tuple[bytes, bytes]) -> None:
        """Send the response by ASGI, with further headers appended to its own."""
        headers = [(_LENGTH, b"%d" % len(self.body)), *self.fields.headers, *more]
        if self.status in WITHOUT_LENGTH:
            del headers[0]
        start: Message = {
            "type": "http.response.start",
            "status": self.status,
            "headers": headers,
        }
        await send(start)
        await send({"type": "http.response.body", "body": self.body})
