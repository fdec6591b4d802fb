"""The server's HTTP protocol, with bounds on what stands before a request's body.

The parser takes any number of headers of any length, and waits for them for ever; and any number
of requests are taken in behind one that is not answered yet. So one sender without a cookie, a
key or a signature could fill the memory, and many could hold all places.
Proxies before us have such bounds; the service must not depend on there being one.
"""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Five sealed cookies and a long query are a sixth of it.
MOST_HEAD_BYTES = 64 << 10
HEAD_SECONDS = 10.0
# Each that waits is fifty times what was sent for it, and browsers and Zoom send one at a time.
MOST_BEHIND = 64


class TooManyBehind(Exception):
    """Ends the parser's work on a connection that is over."""


class BoundedHeadProtocol(HttpToolsProtocol):
    """Ends a connection whose head does not come, or that sends too much of nothing.

    Nothing is: a head that does not end, and behind a chunked body extensions and trailers.
    A connection on which no request is under way rests, and ends after the server's keep-alive
    time; so does one whose request was answered before its body had come. It ends at once where
    more requests than any client has use for wait behind an unanswered one.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._fruitless = 0
        self._got_on = False
        self._in_head = False
        self._patience: asyncio.TimerHandle | None = None
        self._resting_since: float | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for a first request, not for ever."""
        super().connection_made(transport)
        self._be_patient()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._begin_head()

    def _begin_head(self) -> None:
        self._in_head, self._resting_since = True, None

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; a trailer is none, and is not read as one (RFC 9110 section 6.5.1)."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """It is over."""
        self._end_head()
        if len(self.pipeline) >= MOST_BEHIND:
            self._cut_off()
        super().on_headers_complete()

    def _cut_off(self) -> NoReturn:
        self.transport.close()
        raise TooManyBehind

    def _end_head(self) -> None:
        self._got_on, self._in_head, self._resting_since = True, False, None
        if self._patience is not None:
            self._stop_waiting()

    def on_body(self, body: bytes) -> None:
        """A piece of a body: whoever reads it has bounds of its own."""
        self._got_on = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is here as a whole."""
        self._got_on = True
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Count what brought the request no further."""
        self._got_on = False
        super().data_received(data)
        self._fruitless = 0 if self._got_on else self._fruitless + len(data)
        if self._fruitless > MOST_HEAD_BYTES:
            self._refuse()
        elif self._in_head and self._patience is None:
            self._be_patient()

    def on_response_complete(self) -> None:
        """Begin the request that waits behind this one, or rest."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        waiting = self.pipeline.pop() if self.pipeline else None
        if not self.pipeline:
            self.flow.resume_reading()
        if waiting is not None:
            self._start_asgi_task(*waiting)
            return
        self._resting_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_again_in(self.timeout_keep_alive)

    def _unset_keepalive_if_required(self) -> None:
        """Nothing: one timer that looks again is cheaper than one for each request."""

    def timeout_keep_alive_handler(self) -> None:
        """End a connection that has rested long enough."""
        self.timeout_keep_alive_task = None
        if self._resting_since is None:
            return
        left = self._resting_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._look_again_in(left)
        else:
            super().timeout_keep_alive_handler()

    def _look_again_in(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong, unless it is over already."""
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def _refuse(self) -> None:
        if self.transport.is_closing():
            return
        answering: Any = self.cycle
        if answering is None or answering.response_complete:
            self.send_400_response("The head of the request is too long.")
        else:
            self.transport.close()

    def _be_patient(self) -> None:
        self._patience = asyncio.get_running_loop().call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
