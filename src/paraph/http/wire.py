"""Whole responses as bytes, as the server's own protocol would write them."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from paraph.http.response import Answer, Headers


class Wire:
    """Prepends the server's own headers to responses.

    They are cached for a second, because they contain the date.
    """

    def __init__(self) -> None:
        self._own: Headers | None = None
        self._lines = b""
        self._written: dict[Answer, bytes] = {}

    def carry(self, answer: Answer, own: Headers) -> bytes:
        """Return all bytes of a response.

        Args:
            answer: the response.
            own: the server's own headers; the same object for as long as they are the same.
        """
        if own is not self._own:
            self._own, self._written = own, {}
            self._lines = b"".join(b"%b: %b\r\n" % header for header in own)
        if not answer.again:
            return self._write(answer)
        written = self._written.get(answer)
        if written is None:
            written = self._written[answer] = self._write(answer)
        return written

    def _write(self, answer: Answer) -> bytes:
        return b"%b%bcontent-length: %d\r\n%b\r\n%b" % (
            STATUS_LINE[answer.status],
            self._lines,
            len(answer.body),
            answer.fields.lines,
            answer.body,
        )
