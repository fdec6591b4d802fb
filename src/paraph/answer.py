"""Whole answers, whoever writes them on the wire: ASGI, or the service's fast lane.

On either way the length of the body is the first header, so that both write the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response
from starlette.types import Message, Send

Headers = Sequence[tuple[bytes, bytes]]
_LENGTH = b"content-length"


class Fields:
    """The header section of an answer but for the length of its body, written once for many.

    Attributes:
        headers: names in lower case, and values.
        lines: the same, as HTTP/1.1 has them.
    """

    __slots__ = ("headers", "lines")

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        self.headers = headers
        self.lines = b"".join([b"%b: %b\r\n" % header for header in headers])


class Answer:
    """An answer as a whole.

    Attributes:
        status: of HTTP.
        fields: its headers, but for the length of the body.
        body: all of it.
        again: whether this very answer is given again and again, as a refusal is.
    """

    __slots__ = ("again", "body", "fields", "status")

    def __init__(self, status: int, fields: Fields, body: bytes, *, again: bool = False) -> None:
        self.status = status
        self.fields = fields
        self.body = body
        self.again = again

    @classmethod
    def of(cls, response: Response, *more: tuple[bytes, bytes], again: bool = False) -> Answer:
        """A response whose body is there.

        Args:
            response: of Starlette.
            more: headers that stand behind its own.
            again: see the class.
        """
        headers: Any = response.raw_headers
        own = [header for header in headers if header[0] != _LENGTH]
        return cls(response.status_code, Fields(*own, *more), bytes(response.body), again=again)

    async def send(self, send: Send) -> None:
        """Write it as ASGI wants it."""
        length = b"%d" % len(self.body)
        start: Message = {
            "type": "http.response.start",
            "status": self.status,
            "headers": [(_LENGTH, length), *self.fields.headers],
        }
        await send(start)
        await send({"type": "http.response.body", "body": self.body})
