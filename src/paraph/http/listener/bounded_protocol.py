"""The server's HTTP protocol, with bounds on everything that precedes a request's body.

The parser itself accepts any number of headers of any length and waits for them forever. It also
accepts any number of requests behind one that is not answered yet. So one sender without a cookie,
a key or a signature could fill the memory, and many senders could hold every connection.
Each header, each escape of a path and each chunk costs work of its own, however short it is. Their
number is bounded as well, so that no kilobyte costs much more than another.
Proxies in front have such bounds; the service must not depend on there being one.
"""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from paraph.http.listener.connections import Connections

# Five sealed cookies and a long query take a sixth of this.
MOST_HEAD_BYTES = 64 << 10
HEAD_SECONDS = 10.0
# A waiting request takes fifty times the bytes sent for it. Browsers and Zoom send one at a time.
MOST_BEHIND = 64
# Browsers send about twenty, Zoom ten, and each proxy adds some.
MOST_HEADERS = 100
MOST_TRAILERS = 32
# The ids in our paths need no escapes; e-mail addresses in Zoom's API paths need a few. A path
# with more escapes is not decoded.
MOST_PATH_ESCAPES = 64
# Body pieces below this size are counted; a sender that streams sends kilobytes at a time.
SMALL_PIECE_BYTES = 64
MOST_SMALL_PIECES = 78


class TooManyBehind(Exception):
    """Ends the parser's work on a connection that has ended."""


class TooManyParts(Exception):
    """A request has more headers, trailers or pieces than any client has use for."""


class BoundedHeadProtocol(HttpToolsProtocol):
    """Ends a connection whose head does not arrive, or whose sender sends useless bytes.

    Useless bytes are a head that never ends, and chunk extensions and trailers behind a body.
    A connection without a request under way is idle, and ends after the server's keep-alive time.
    So does one whose request was answered before its body had arrived. A connection ends at once
    if more requests than any client has use for wait behind an unanswered one.

    A request to upgrade is answered as any other, and is the last one of its connection. The bytes
    behind it belong to the other protocol, or to a request that a proxy in front did not see.

    Args:
        connections: all connections of the listener, for their limits; None: without limits.
    """

    def __init__(
        self, *arguments: Any, connections: Connections | None = None, **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self.has_received = self.has_written = False
        self._connections = connections
        self._is_upgraded = False
        self._headers_left = 0
        self._trailers_left = 0
        self._trailers_of: object = None
        self._small_pieces_left = MOST_SMALL_PIECES
        self._fruitless = 0
        self._got_on = False
        self._in_head = False
        self._head_timeout: asyncio.TimerHandle | None = None
        self._resting_since: float | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for a first request, with a timeout."""
        super().connection_made(transport)
        self._start_head_timeout()
        if self._connections is not None:
            self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timeouts of a closed connection."""
        if self._connections is not None:
            self._connections.remove(self)
        self._cancel_head_timeout()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._begin_head()

    @property
    def is_write_paused(self) -> bool:
        """Return true while the peer reads more slowly than the server writes."""
        return self.flow.write_paused

    @property
    def waits_for_peer(self) -> bool:
        """Return true while the peer has to send (the rest of) a request, or to read."""
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete or self.flow.write_paused:
            return True
        return bool(getattr(cycle, "more_body", False))

    def resume_writing(self) -> None:
        """Note that the peer has read most of the waiting bytes."""
        self.has_written = True
        super().resume_writing()

    def _begin_head(self) -> None:
        self._in_head, self._resting_since = True, None
        self._headers_left = MOST_HEADERS

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header. A trailer is not treated as a header (RFC 9110 section 6.5.1)."""
        left = self._headers_left
        if left:
            self._headers_left = left - 1
            super().on_header(name, value)
        else:
            self._count_trailer()

    def _count_trailer(self) -> None:
        if self._trailers_of is not self.headers:
            # Each request has its own list, so nothing has to be reset for those without trailers.
            self._trailers_of, self._trailers_left = self.headers, MOST_TRAILERS
        self._trailers_left -= 1
        if self._in_head or self._trailers_left < 0:
            raise TooManyParts

    def on_headers_complete(self) -> None:
        """End the head and begin its request."""
        self._end_head()
        if len(self.pipeline) >= MOST_BEHIND:
            self._cut_off()
        if b"%" in self.url and self.url.partition(b"?")[0].count(b"%") > MOST_PATH_ESCAPES:
            self._complete_without_decoding()
        else:
            super().on_headers_complete()
        parser: Any = self.parser
        if parser.should_upgrade():
            self.cycle.keep_alive = False

    def _complete_without_decoding(self) -> None:
        """Begin a request whose path the server would decode at length, escape by escape.

        Routes match the raw path, and no route has a path like this.
        """
        url = self.url
        self.url = url.replace(b"%", b"-")
        super().on_headers_complete()
        raw: bytes = httptools.parse_url(url).path
        self.scope["raw_path"], self.scope["path"] = raw, raw.decode("ascii")
        self.scope["query_string"] = url.partition(b"?")[2].partition(b"#")[0]

    def _cut_off(self) -> NoReturn:
        self.transport.close()
        raise TooManyBehind

    def _end_head(self) -> None:
        self._got_on, self._in_head, self._resting_since = True, False, None
        self._headers_left, self._small_pieces_left = 0, MOST_SMALL_PIECES
        if self._head_timeout is not None:
            self._cancel_head_timeout()

    def on_body(self, body: bytes) -> None:
        """Count a piece of a body. The code that reads the body has bounds of its own."""
        self._got_on = True
        # As in the server's own method, which first checks for an upgrade: none happens here.
        cycle: Any = self.cycle
        answered = cycle.response_complete
        if not answered:
            cycle.body += body
            cycle.message_event.set()
        if len(body) < SMALL_PIECE_BYTES:
            self._small_pieces_left -= 1
            if self._small_pieces_left < 0:
                raise TooManyParts
        elif not answered and len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        """Note that the whole request has arrived."""
        self._got_on = True
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Count received bytes that did not advance the request."""
        self.has_received = True
        if self._is_upgraded:
            return
        self._got_on = False
        super().data_received(data)
        self._fruitless = 0 if self._got_on else self._fruitless + len(data)
        if self._fruitless > MOST_HEAD_BYTES:
            self._refuse()
        elif self._in_head and self._head_timeout is None:
            self._start_head_timeout()

    def on_response_complete(self) -> None:
        """Begin the request that waits behind this one, or become idle."""
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
        """Do nothing: one timer that checks again is cheaper than one for each request."""

    def timeout_keep_alive_handler(self) -> None:
        """End a connection that has been idle long enough."""
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

    def _unsupported_upgrade_warning(self) -> None:
        """Ignore everything that follows a request to upgrade."""
        self._is_upgraded = True

    def send_400_response(self, msg: str) -> None:
        """Report the error, unless the connection has already ended."""
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

    def _start_head_timeout(self) -> None:
        self._head_timeout = asyncio.get_running_loop().call_later(
            HEAD_SECONDS, self.transport.close
        )

    def _cancel_head_timeout(self) -> None:
        if self._head_timeout is not None:
            self._head_timeout.cancel()
            self._head_timeout = None
