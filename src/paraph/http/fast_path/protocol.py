"""The fast path: some requests are answered in the server's own protocol, before ASGI.

A request whose endpoint refuses its head is answered without a task, a scope or a copy of its body.
A request whose body arrived together with its head continues at the end of that event loop
iteration, together with all other such requests (see `batch`).

The fast path decides nothing by itself: it runs the endpoints of the ASGI path. Everything unusual
takes the ASGI path: a body in pieces, pipelining behind an unfinished response, `Expect`,
`Connection: close`, an upgrade, another spelling of the path, a receiver that does not read. So
does an endpoint that has to wait before it reads the body. Both paths answer alike, byte for byte,
and any other server works without the fast path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from paraph.http.endpoint import ReadBody, Wait
from paraph.http.fast_path.batch import Batch, FastRoute, FindRoute, Request
from paraph.http.listener.bounded_protocol import (
    MOST_BEHIND,
    SMALL_PIECE_BYTES,
    BoundedHeadProtocol,
    TooManyParts,
)
from paraph.http.response import WITHOUT_LENGTH, CompleteResponse, Headers

_CLOSE = (b"connection", b"close")


# The rest of a request that was already answered is read and ignored.
_NO_STEPS: Any = None
_ANSWERED: Any = Request(
    FastRoute(b"", lambda _scope, _named: None), _NO_STEPS, _NO_STEPS, Context()
)
_ANSWERED.response_complete = True


class Wire:
    """Writes complete responses as the server's own protocol would write them.

    It prepends the server's own headers. They are cached for a second, because they contain the
    date.
    """

    def __init__(self) -> None:
        self._own: Headers | None = None
        self._lines = b""
        self._written: dict[CompleteResponse, tuple[bytes, bytes]] = {}

    def write(self, response: CompleteResponse, own: Headers, more: bytes = b"") -> bytes:
        """Return all bytes of a response.

        Args:
            response: the response.
            own: the server's own headers; the same object for as long as they are the same.
            more: further headers, as lines, which end the head.
        """
        if own is not self._own:
            self._own, self._written = own, {}
            self._lines = b"".join(b"%b: %b\r\n" % header for header in own)
        if not response.again:
            return self._write(response, more)
        written = self._written.get(response)
        if written is None or written[0] is not more:
            written = self._written[response] = more, self._write(response, more)
        return written[1]

    def _write(self, response: CompleteResponse, more: bytes) -> bytes:
        status, body, lines = response.status, response.body, response.fields.lines
        if status in WITHOUT_LENGTH:
            return b"%b%b%b%b\r\n%b" % (STATUS_LINE[status], self._lines, lines, more, body)
        return b"%b%bcontent-length: %d\r\n%b%b\r\n%b" % (
            STATUS_LINE[status],
            self._lines,
            len(body),
            lines,
            more,
            body,
        )


def fast_path(
    find_route: FindRoute, *, batch: Batch | None = None
) -> Callable[..., FastPathProtocol]:
    """Return the factory of the listener's protocols, which share a batch.

    Args:
        find_route: finds the route of a target.
        batch: the batch of the listener, a new one by default.
    """
    return partial(FastPathProtocol, find_route=find_route, wire=Wire(), batch=batch or Batch())


class FastPathProtocol(BoundedHeadProtocol):
    """The server's protocol with the fast path in front.

    `find_route` finds the route of a target; `wire` and `batch` are shared by all connections of a
    listener.
    """

    def __init__(
        self, *arguments: Any, find_route: FindRoute, wire: Wire, batch: Batch, **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self._find_route = find_route
        self._wire = wire
        self._batch = batch
        self._arriving: Request | None = None
        self._responses: list[bytes] = []

    def on_message_begin(self) -> None:
        """Begin a head; the ASGI scope is filled only if ASGI answers."""
        self.url, self.headers = b"", []
        self._begin_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header unchecked; trailers are ignored."""
        left = self._headers_left
        if left:
            self._headers_left = left - 1
            self.headers.append((name.lower(), value))
        else:
            self._count_trailer()

    def on_headers_complete(self) -> None:
        """Begin a request here, or leave it to ASGI."""
        if self._responses and self._unanswered() > MOST_BEHIND:
            self._cut_off()
        route = self._find_route(self.url)
        if route is None or not self._begin(route):
            self._fall_back()

    def on_body(self, body: bytes) -> None:
        """Add a piece of a body."""
        arriving = self._arriving
        if arriving is None and self.cycle is not _ANSWERED:
            BoundedHeadProtocol.on_body(self, body)
            return
        if len(body) < SMALL_PIECE_BYTES:
            self._small_pieces_left -= 1
            if self._small_pieces_left < 0:
                raise TooManyParts
        if arriving is None:
            self._got_on = True
        else:
            arriving.add(body)

    def on_message_complete(self) -> None:
        """Note that the whole request has arrived."""
        arriving = self._arriving
        if arriving is None:
            if self.cycle is _ANSWERED:
                self._got_on = True
            else:
                super().on_message_complete()
            return
        self._got_on, self._arriving = True, None
        arriving.join()
        arriving.connection = self
        self._batch.add(arriving)

    def data_received(self, data: bytes) -> None:
        """Process what arrived; a body that is still incomplete is read on the ASGI path."""
        super().data_received(data)
        arriving, self._arriving = self._arriving, None
        if self.transport.is_closing():
            # The rest is malformed: the server has reported it, and sends nothing else.
            self._responses.clear()
            if arriving is not None:
                arriving.close()
            return
        if self._responses:
            self.transport.write(b"".join(self._responses))
            self._responses.clear()
        if arriving is not None:
            arriving.close()
            nothing: Any = None
            # The same state as before a first request.
            self.cycle = nothing
            pieces_left = self._small_pieces_left
            self._fall_back()
            if body := arriving.join():
                super().on_body(body)
            self._small_pieces_left = pieces_left

    def _unanswered(self) -> int:
        """Count the requests that would now wait on the ASGI path: the first and those behind."""
        cycle: Any = self.cycle
        unanswered = cycle is not None and not cycle.response_complete
        return len(self._responses) + unanswered + len(self.pipeline)

    def _begin(self, route: FastRoute) -> bool:
        """Return false if the ASGI path answers this request."""
        parser: Any = self.parser
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            return False
        named = dict(self.headers)
        if (
            not parser.should_keep_alive()
            or parser.get_method() != route.method
            # Without that header only HTTP/1.1 stays open, and nothing is upgraded.
            or (
                b"connection" in named
                and (parser.get_http_version() != "1.1" or parser.should_upgrade())
            )
            or b"expect" in named
            or self.flow.write_paused
            or (self._connections is not None and self._connections.is_draining)
        ):
            return False
        scope = {"target": self.url, "headers": self.headers, "client": self.client}
        steps = route.begin(scope, named)
        if steps is None:
            return False
        # Of its own: requests of a batch continue in each other's callbacks.
        context = copy_context()
        try:
            step = context.run(next, steps)
        except StopIteration as end:
            self._end_head()
            self.cycle = _ANSWERED
            self._respond_early(route, end.value)
            return True
        except Exception:  # noqa: BLE001 - ASGI begins the request again, and reports the error.
            return False
        together = None if isinstance(step, ReadBody) else step
        if together is not None and (isinstance(together, Wait) or together.body is None):
            steps.close()
            if isinstance(together, Wait):
                together.discard()
            return False
        self._end_head()
        arriving: Any = Request(route, steps, together, context)
        self._arriving = self.cycle = arriving
        return True

    def _fall_back(self) -> None:
        """Let ASGI answer the request."""
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()

    def _respond_early(self, route: FastRoute, response: CompleteResponse) -> None:
        """Respond after this iteration, unless the rest of the received bytes is malformed."""
        self._responses.append(self._wire.write(response, self._own_headers(), route.lines))
        self.on_response_complete()

    def _own_headers(self) -> Headers:
        return self.server_state.default_headers

    def respond(self, request: Request, response: CompleteResponse) -> None:
        """Write the response of a request, unless its connection has ended."""
        request.response_complete = True
        cycle: Any = self.cycle
        if cycle is request:
            # Else each would keep the other, and a long body, alive after the connection ended.
            self.cycle = _ANSWERED
        if request.disconnected or self.transport.is_closing():
            return
        own = self._own_headers()
        # While the server drains, its own headers say so on every response.
        ends = not request.keep_alive or _CLOSE in own
        written = self._wire.write(response, own, request.route.lines)
        if ends and _CLOSE not in own:
            written = written.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
        self.transport.write(written)
        if ends:
            self.transport.close()
        self.on_response_complete()

    def start(self, work: Coroutine[Any, Any, Any], context: Context) -> asyncio.Task[Any]:
        """Start a task that the server waits for when it stops."""
        task: asyncio.Task[Any] = self.loop.create_task(work, context=context)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task
