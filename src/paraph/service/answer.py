"""Whole answers: as messages for ASGI, and as bytes for the fast lane."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

Headers = Sequence[tuple[bytes, bytes]]


class Answer:
    """An answer as a whole.

    Attributes:
        status: of HTTP.
        again: whether this very answer is given again and again, as a refusal is.
        start, end: the two messages of ASGI.
        wire: all that stands on the wire behind what the server itself says first.
    """

    __slots__ = ("again", "end", "start", "status", "wire")

    def __init__(self, status: int, headers: Headers, body: bytes, *, again: bool = False) -> None:
        self.status = status
        self.again = again
        self.start: Message = {"type": "http.response.start", "status": status, "headers": headers}
        self.end: Message = {"type": "http.response.body", "body": body}
        self.wire = b"".join([b"%b: %b\r\n" % header for header in headers]) + b"\r\n" + body


class Wire:
    """Answers as the server's protocol writes them, with the server's own headers in front.

    Those change with the second: the date is one of them.
    """

    def __init__(self) -> None:
        self._own: Headers | None = None
        self._lines = b""
        self._written: dict[Answer, bytes] = {}

    def carry(self, answer: Answer, own: Headers) -> bytes:
        """All bytes of an answer."""
        if own is not self._own:
            self._own, self._written = own, {}
            self._lines = b"".join(b"%b: %b\r\n" % header for header in own)
        written = self._written.get(answer)
        if written is None:
            written = b"%b%b%b" % (STATUS_LINE[answer.status], self._lines, answer.wire)
            if answer.again:
                self._written[answer] = written
        return written
