"""The fast path: some requests are answered in the server's own protocol, before ASGI.

A request that its head alone disqualifies is refused without a task, a scope or a copy of its body.
A request whose body arrived together with its head is processed at the end of that event loop
iteration, together with all other such requests. Work done for requests one after another costs a
third of the same work done between reads and writes of sockets. One database query, made after all
of them arrived, answers them all.

The fast path decides nothing by itself: it calls the same checks as the ASGI path (see `lanes`).
Everything unusual takes the ASGI path: a body in pieces, pipelining behind an unfinished response,
`Expect`, `Connection: close`, an upgrade, another spelling of the path, a receiver that does not
read. So both paths answer alike, byte for byte, and any other server works without the fast path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from starlette.types import Scope

from paraph.http.listener.bounded_protocol import (
    MOST_BEHIND,
    SMALL_PIECE_BYTES,
    BoundedHeadProtocol,
    TooManyParts,
)
from paraph.http.listener.connections import Connections
from paraph.http.response import Answer, Headers
from paraph.http.wire import Wire
from paraph.logs import get_logger

_log = get_logger("service")


class _Nobody:
    """Stands in for a reader: on the fast path no task waits for the pieces of a body."""

    def set(self) -> None:
        """Do nothing."""


class Request:
    """A request whose head passed its check.

    `judges` receives it with others of its batch when the whole request has arrived; `head` is the
    result of the check of its head.

    Attributes:
        body: the complete body, once it has arrived.
        is_begun: whether work that will answer it is under way.
    """

    __slots__ = (
        "_pieces",
        "body",
        "disconnected",
        "head",
        "is_begun",
        "judges",
        "keep_alive",
        "protocol",
        "response_complete",
    )
    message_event = _Nobody()
    protocol: FastLaneProtocol

    def __init__(self, judges: Callable[[Sequence[Request]], None], head: Any) -> None:
        self.judges = judges
        self.head = head
        self.is_begun = False
        self.body = b""
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = False
        self._pieces: list[bytes] | None = None

    def add(self, piece: bytes) -> None:
        """Add a piece of its body. Pieces are joined once: a chunk may be a single byte."""
        if self._pieces is not None:
            self._pieces.append(piece)
        elif self.body:
            self._pieces = [self.body, piece]
        else:
            self.body = piece

    def join(self) -> bytes:
        """Return the part of the body that has arrived."""
        if self._pieces is not None:
            self.body, self._pieces = b"".join(self._pieces), None
        return self.body

    def answer(self, answer: Answer) -> None:
        """Send its response, once. Never raises: others of its batch wait behind it."""
        try:
            self.protocol.answer_late(self, answer)
        except Exception as error:  # noqa: BLE001 - Only its own connection ends.
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Close its connection, since it gets no response."""
        _log.error("lane.failed", why=type(error).__name__)
        self.response_complete = True
        self.protocol.transport.close()

    def answer_by(self, work: Coroutine[Any, Any, Answer]) -> None:
        """Answer it with the result of work that does not raise, once."""
        self.is_begun = True
        self.protocol.answer_by(self, work)


Judge = Callable[[Scope, Mapping[bytes, bytes]], "Answer | Request | None"]
"""Checks a head: its ASGI scope (only `method`, `target`, `headers` and `client` are set) and its
headers as a mapping. Returns None where the ASGI path answers."""

Judges = Callable[[bytes], Judge | None]
"""Finds the check for a target (the raw path with its query); None: the ASGI path answers."""


class Turn:
    """Whole requests of a listener that arrived in the same event loop iteration."""

    def __init__(self) -> None:
        self._requests: list[Request] = []

    def add(self, request: Request) -> None:
        """Process it after everything else that has arrived was read."""
        if not self._requests:
            asyncio.get_running_loop().call_soon(self._judge)
        self._requests.append(request)

    def _judge(self) -> None:
        requests, self._requests = self._requests, []
        by_judge: dict[Callable[[Sequence[Request]], None], list[Request]] = {}
        for request in requests:
            by_judge.setdefault(request.judges, []).append(request)
        for judge, together in by_judge.items():
            try:
                judge(together)
            except Exception as error:  # noqa: BLE001 - The last net: every request gets an end.
                self._isolate(together, error)

    @staticmethod
    def _isolate(together: Sequence[Request], error: BaseException) -> None:
        """Process the remaining requests one by one, so that only the bad one fails."""
        for request in together:
            if request.response_complete or request.is_begun:
                continue
            if len(together) == 1:
                request.fail(error)
                return
            try:
                request.judges([request])
            except Exception as again:  # noqa: BLE001 - The last net: every request gets an end.
                request.fail(again)


_CLOSE = (b"connection", b"close")
# The rest of a request that was already answered is read and ignored.
_ANSWERED: Any = Request(lambda _requests: None, None)
_ANSWERED.response_complete = True


def fast_lane(
    judges: Judges, *, turn: Turn | None = None, connections: Connections | None = None
) -> Callable[..., FastLaneProtocol]:
    """Return the factory of the listener's protocols, which share a batch.

    `judges` finds the check for a target. `turn` is the batch of the listener, a new one by
    default; `connections` holds all connections of the listener, for their limits.
    """
    return partial(
        FastLaneProtocol,
        judges=judges,
        wire=Wire(),
        turn=turn or Turn(),
        connections=connections,
    )


class FastLaneProtocol(BoundedHeadProtocol):
    """The server's protocol with the fast path in front.

    `judges` finds the check for a target; `wire` and `turn` are shared by all connections of a
    listener.
    """

    def __init__(
        self, *arguments: Any, judges: Judges, wire: Wire, turn: Turn, **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self._judges = judges
        self._wire = wire
        self._turn = turn
        self._coming: Request | None = None
        self._answers: list[bytes] = []

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
        """Check a request here, or leave it to ASGI."""
        if self._answers and self._under_way() > MOST_BEHIND:
            self._cut_off()
        judge = self._judges(self.url)
        if judge is None or not self._judge_head(judge):
            self._go_the_plain_way()

    def on_body(self, body: bytes) -> None:
        """Add a piece of a body."""
        coming = self._coming
        if coming is None and self.cycle is not _ANSWERED:
            BoundedHeadProtocol.on_body(self, body)
            return
        if len(body) < SMALL_PIECE_BYTES:
            self._small_pieces_left -= 1
            if self._small_pieces_left < 0:
                raise TooManyParts
        if coming is None:
            self._got_on = True
        else:
            coming.add(body)

    def on_message_complete(self) -> None:
        """Note that the whole request has arrived."""
        coming = self._coming
        if coming is None:
            if self.cycle is _ANSWERED:
                self._got_on = True
            else:
                super().on_message_complete()
            return
        self._got_on, self._coming = True, None
        coming.join()
        coming.protocol = self
        self._turn.add(coming)

    def data_received(self, data: bytes) -> None:
        """Process what arrived; a body that is still incomplete is read on the ASGI path."""
        super().data_received(data)
        if self.transport.is_closing():
            # The rest is malformed: the server has reported it, and sends nothing else.
            self._coming = None
            self._answers.clear()
            return
        if self._answers:
            self.transport.write(b"".join(self._answers))
            self._answers.clear()
        coming, self._coming = self._coming, None
        if coming is not None:
            nothing: Any = None
            # The same state as before a first request.
            self.cycle = nothing
            pieces_left = self._small_pieces_left
            self._go_the_plain_way()
            if body := coming.join():
                super().on_body(body)
            self._small_pieces_left = pieces_left

    def _under_way(self) -> int:
        """Count the requests that would now wait on the ASGI path: the first and those behind."""
        cycle: Any = self.cycle
        unanswered = cycle is not None and not cycle.response_complete
        return len(self._answers) + unanswered + len(self.pipeline)

    def _judge_head(self, judge: Judge) -> bool:
        """Return false if the ASGI path answers this request."""
        parser: Any = self.parser
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            return False
        named = dict(self.headers)
        if (
            not parser.should_keep_alive()
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
        scope = {
            "method": parser.get_method(),
            "target": self.url,
            "headers": self.headers,
            "client": self.client,
        }
        verdict = judge(scope, named)
        if verdict is None:
            return False
        self._end_head()
        if isinstance(verdict, Answer):
            self.cycle = _ANSWERED
            self._answer(verdict)
        else:
            coming: Any = verdict
            self._coming = self.cycle = coming
        return True

    def _go_the_plain_way(self) -> None:
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()

    def _answer(self, answer: Answer) -> None:
        """Answer after this iteration, unless the rest of the received bytes is malformed."""
        self._answers.append(self._wire.carry(answer, self._own_headers()))
        self.on_response_complete()

    def _own_headers(self) -> Headers:
        return self.server_state.default_headers

    def answer_late(self, request: Request, answer: Answer) -> None:
        """Answer a processed request, unless its connection has ended."""
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
        written = self._wire.carry(answer, own)
        if ends and _CLOSE not in own:
            written = written.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
        self.transport.write(written)
        if ends:
            self.transport.close()
        self.on_response_complete()

    def answer_by(self, request: Request, work: Coroutine[Any, Any, Answer]) -> None:
        """Answer a request with the result of some work."""
        task = self.loop.create_task(self._await(request, work))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _await(self, request: Request, work: Coroutine[Any, Any, Answer]) -> None:
        self.answer_late(request, await work)
