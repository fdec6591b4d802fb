"""What a form of these pages sends, and what stands in a query: few fields, little text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from urllib.parse import parse_qsl

from starlette.types import Receive

from paraph.admin.refusal import Refusal

MAX_BYTES = 16 * 1024
READ_SECONDS = 10.0
_MAX_FIELDS = 100
# Each costs as much as a hundred plain bytes, and these pages need a few.
_MAX_ESCAPES = 512
_MEDIA_TYPE = b"application/x-www-form-urlencoded"


class Fields:
    """Names and values in their order."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs = list(pairs)

    def one(self, name: str) -> str:
        """The value of a field; empty where it is missing, or there are two."""
        found = self.all(name)
        return found[0] if len(found) == 1 else ""

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for key, value in self._pairs if key == name]


def parse_query(query: bytes) -> Fields:
    """The fields of a query. `Refusal` when it is none."""
    return _parsed(query[:MAX_BYTES])


async def read_form(headers: Iterable[tuple[bytes, bytes]], receive: Receive) -> Fields:
    """The fields of a form, read within some seconds.

    Raises:
        Refusal: it is no form, too long or too slow.
    """
    types = [v.partition(b";")[0].strip().lower() for n, v in headers if n == b"content-type"]
    if types != [_MEDIA_TYPE]:
        raise Refusal(415, "This is no form", "Open the page itself, and press the button there.")
    try:
        async with asyncio.timeout(READ_SECONDS):
            return _parsed(await _read(receive))
    except TimeoutError:
        # What is left of it must not be taken for a next request.
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
