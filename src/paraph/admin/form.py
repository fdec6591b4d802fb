"""Parses the forms and queries of these pages, within small limits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from urllib.parse import parse_qsl

from starlette.types import Receive

from paraph.admin.refusal import Refusal

MAX_BYTES = 16 * 1024
READ_SECONDS = 10.0
_MAX_FIELDS = 100
# Parsing one costs as much as a hundred other bytes, and these pages need only a few.
_MAX_ESCAPES = 512
_MEDIA_TYPE = b"application/x-www-form-urlencoded"


class Fields:
    """The fields of a form or query, in order."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs = list(pairs)

    def one(self, name: str) -> str:
        """Return the value of a field; "" if it is missing or repeated."""
        found = self.all(name)
        return found[0] if len(found) == 1 else ""

    def all(self, name: str) -> list[str]:
        """Return every value of a field."""
        return [value for key, value in self._pairs if key == name]


def parse_query(query: bytes) -> Fields:
    """Parse a query.

    Raises:
        Refusal: the query is invalid or exceeds a limit.
    """
    return _parsed(query[:MAX_BYTES])


async def read_form(headers: Iterable[tuple[bytes, bytes]], receive: Receive) -> Fields:
    """Read and parse a form, within a deadline of some seconds.

    Raises:
        Refusal: the body is not a form, is too long, or arrives too slowly.
    """
    types = [v.partition(b";")[0].strip().lower() for n, v in headers if n == b"content-type"]
    if types != [_MEDIA_TYPE]:
        raise Refusal(415, "This is not a form", "Open the page itself and use its form.")
    try:
        async with asyncio.timeout(READ_SECONDS):
            return _parsed(await _read(receive))
    except TimeoutError:
        # The rest of the body must not be read as the next request.
        raise Refusal(
            408, "The form did not arrive", "Send it again.", headers={"connection": "close"}
        ) from None


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Refusal(400, "The form did not arrive", "Send it again.")
        body += message.get("body", b"")
        if len(body) > MAX_BYTES:
            raise Refusal(
                413, "The form is too long", "Send less.", headers={"connection": "close"}
            )
        more = message.get("more_body", False)
    return body


def _parsed(text: bytes) -> Fields:
    if text.count(b"%") > _MAX_ESCAPES:
        raise _unreadable()
    try:
        return Fields(
            parse_qsl(
                text.decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=_MAX_FIELDS,
            )
        )
    except ValueError:
        raise _unreadable() from None


def _unreadable() -> Refusal:
    return Refusal(400, "This cannot be read", "Open the page itself, and try again.")
