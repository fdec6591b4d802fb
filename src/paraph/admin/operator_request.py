"""One request of a signed-in operator: its session, and its query and form within small limits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.responses import Response
from starlette.types import Receive

from paraph.admin.page import Refusal, render
from paraph.admin.session import Session
from paraph.model.event import ForwardingPause

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


@dataclass(frozen=True, slots=True)
class OperatorRequest:
    """An operator request.

    Attributes:
        session: the session of the operator.
        app_name: the name of the app, for display.
        now: epoch seconds.
        pause: the pause of forwarding, which every page shows; None while events are forwarded.
        argument: the id in the path, or "".
        query: the fields of the query.
        form: the fields of the form; empty for a GET.
    """

    session: Session
    app_name: str
    now: int
    pause: ForwardingPause | None
    argument: str
    query: Fields
    form: Fields

    def page(self, name: str, *, status: int = 200, **values: Any) -> Response:
        """Render a page with the values that all pages need."""
        return render(
            name,
            status=status,
            session=self.session,
            app_name=self.app_name,
            now=self.now,
            pause=self.pause,
            **values,
        )

    def count(self, name: str) -> int:
        """Return a small number from the query: the result of the preceding action."""
        value = self.query.one(name)
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 3 else 0


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
