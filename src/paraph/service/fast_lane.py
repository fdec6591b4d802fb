"""The fast lane: some requests are judged in the server's own protocol, before ASGI.

What can be refused on its head is refused there, without a task, a scope or a copy of its body.
What needs its body, and came together with it, is judged at the end of the turn in which the
event loop read it, together with all others of that turn: work that is done for one request
after another costs a third of what it costs between the reading and writing of sockets, and a
question to the database that was asked after they all had come is answered for them all.

The lane decides nothing by itself: every verdict is a judge's (see `lanes`), who is asked on the
plain way too, and whatever is not the usual case goes that way, through ASGI: a body in pieces,
pipelining behind an unfinished answer, `Expect`, `Connection: close`, an upgrade, another
spelling of the path, a receiver that does not read its answers. So both ways answer the same,
byte for byte, and any other server does without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from starlette.types import Scope

from paraph.answer import Answer, Headers
from paraph.logs import get_logger
from paraph.service.bounded_head import (
    MOST_BEHIND,
    SMALL_PIECE_BYTES,
    BoundedHeadProtocol,
    TooManyParts,
)
from paraph.service.connections import Connections
from paraph.service.wire import Wire

_log = get_logger("service")


class _Nobody:
    """Nobody waits for the pieces of a request in the lane."""

    def set(self) -> None:
        """Wake nobody."""


class Request:
    """A request whose head is good, as its judge and the server's protocol see it.

    Args:
        judges: will be given it, with others, when it is here as a whole.
        head: whatever the judge made of its head.

    Attributes:
        body: all of it, as soon as it is whole.
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
        """A piece of its body. Many are joined once: chunks may be of a byte each."""
        if self._pieces is not None:
            self._pieces.append(piece)
        elif self.body:
            self._pieces = [self.body, piece]
        else:
            self.body = piece

    def join(self) -> bytes:
        """As much of the body as is here."""
        if self._pieces is not None:
            self.body, self._pieces = b"".join(self._pieces), None
        return self.body

    def answer(self, answer: Answer) -> None:
        """Answer it, once. Never raises: others of its batch wait behind it."""
        try:
            self.protocol.answer_late(self, answer)
        except Exception as error:  # noqa: BLE001 - Its connection ends, and no other.
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Close its connection, since it gets no answer."""
        _log.error("lane.failed", why=type(error).__name__)
        self.response_complete = True
        self.protocol.transport.close()

    def answer_by(self, work: Coroutine[Any, Any, Answer]) -> None:
        """Answer it by work that may not raise, once."""
        self.is_begun = True
        self.protocol.answer_by(self, work)


Judge = Callable[[Scope, Mapping[bytes, bytes]], "Answer | Request | None"]
"""Judges a head, given as much of an ASGI scope as the lane knows (`method`, `target`, `headers`,
`client`) and its headers as a mapping. None: the plain way answers this one."""

Judges = Callable[[bytes], "Judge | None"]
"""Whose a target is: the path as it came, with its query. None: nobody's in the lane."""


class Turn:
    """Whole requests of a listener that came in the same turn of the event loop."""

    def __init__(self) -> None:
        self._requests: list[Request] = []

    def add(self, request: Request) -> None:
        """Have it judged when everything else that has come is read."""
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
            except Exception as error:  # noqa: BLE001 - The last net: nobody waits for ever.
                self._isolate(together, error)

    @staticmethod
    def _isolate(together: Sequence[Request], error: BaseException) -> None:
        """Check those that were not reached one by one, so that the bad one ends alone."""
        for request in together:
            if request.response_complete or request.is_begun:
                continue
            if len(together) == 1:
                request.fail(error)
                return
            try:
                request.judges([request])
            except Exception as again:  # noqa: BLE001 - The last net: nobody waits for ever.
                request.fail(again)


_CLOSE = (b"connection", b"close")
# What still comes of a request that was answered is read past.
_ANSWERED: Any = Request(lambda _requests: None, None)
_ANSWERED.response_complete = True


def fast_lane(
    judges: Judges, *, turn: Turn | None = None, connections: Connections | None = None
) -> Callable[..., FastLaneProtocol]:
    """What makes the protocols of a listener's connections, which share a turn.

    Args:
        judges: who judges what.
        turn: the listener's; a new one by default.
        connections: all of the listener's, for their limits.
    """
    return partial(
        FastLaneProtocol,
        judges=judges,
        wire=Wire(),
        turn=turn or Turn(),
        connections=connections,
    )


class FastLaneProtocol(BoundedHeadProtocol):
    """See the module.

    Args:
        judges: who judges what.
        wire, turn: shared by all connections of a listener.
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
        """A head begins; what ASGI needs to know of it is only written down if ASGI is asked."""
        self.url, self.headers = b"", []
        self._begin_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, and nothing else about it yet; a trailer is none."""
        left = self._headers_left
        if left:
            self._headers_left = left - 1
            self.headers.append((name.lower(), value))
        else:
            self._count_trailer()

    def on_headers_complete(self) -> None:
        """Judge a request here, or let ASGI answer."""
        if self._answers and self._under_way() > MOST_BEHIND:
            self._cut_off()
        judge = self._judges(self.url)
        if judge is None or not self._judge_head(judge):
            self._go_the_plain_way()

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
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
        """A request is here as a whole."""
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
        """Judge what came; a body that has not come with it is waited for on the plain way."""
        super().data_received(data)
        if self.transport.is_closing():
            # Broken further on: the server has said so already, and says nothing else.
            self._coming = None
            self._answers.clear()
            return
        if self._answers:
            self.transport.write(b"".join(self._answers))
            self._answers.clear()
        coming, self._coming = self._coming, None
        if coming is not None:
            nothing: Any = None
            # As before a first request.
            self.cycle = nothing
            pieces_left = self._small_pieces_left
            self._go_the_plain_way()
            if body := coming.join():
                super().on_body(body)
            self._small_pieces_left = pieces_left

    def _under_way(self) -> int:
        """How many would wait on the plain way by now: a first one, and the others behind it."""
        cycle: Any = self.cycle
        unanswered = cycle is not None and not cycle.response_complete
        return len(self._answers) + unanswered + len(self.pipeline)

    def _judge_head(self, judge: Judge) -> bool:
        """False: the plain way answers this one."""
        parser: Any = self.parser
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            return False
        named = dict(self.headers)
        if (
            not parser.should_keep_alive()
            # Without that header only HTTP/1.1 is kept alive, and nothing is upgraded.
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
        """Answer at the end of this turn, unless what came with the request is broken."""
        self._answers.append(self._wire.carry(answer, self._own_headers()))
        self.on_response_complete()

    def _own_headers(self) -> Headers:
        return self.server_state.default_headers

    def answer_late(self, request: Request, answer: Answer) -> None:
        """Answer a request that was judged, unless nobody listens any more."""
        request.response_complete = True
        cycle: Any = self.cycle
        if cycle is request:
            # Else each would hold the other, and a long body, after the end of the connection.
            self.cycle = _ANSWERED
        if request.disconnected or self.transport.is_closing():
            return
        own = self._own_headers()
        # Where the server drains, its own headers say so to all.
        ends = not request.keep_alive or _CLOSE in own
        written = self._wire.carry(answer, own)
        if ends and _CLOSE not in own:
            written = written.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
        self.transport.write(written)
        if ends:
            self.transport.close()
        self.on_response_complete()

    def answer_by(self, request: Request, work: Coroutine[Any, Any, Answer]) -> None:
        """The same, when some work is done that gives the answer."""
        task = self.loop.create_task(self._await(request, work))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _await(self, request: Request, work: Coroutine[Any, Any, Answer]) -> None:
        self.answer_late(request, await work)
