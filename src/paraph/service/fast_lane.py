"""The fast lane: some requests are judged in the server's own protocol, before ASGI.

What can be refused on its head is refused there, without a task, a scope or a copy of its body;
what needs its body, and came together with it, is judged in the same turn. The lane decides
nothing by itself: every verdict is a judge's (see `lanes`), who is asked on the plain way too,
and whatever is not the usual case goes that way, through ASGI: a body in pieces, pipelining
behind an unfinished answer, `Expect`, `Connection: close`, an upgrade, another spelling of the
path, a receiver that does not read its answers. So both ways answer the same, byte for byte,
and any other server does without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple, Protocol

from starlette.types import Scope

from paraph.service.answer import Answer, Headers, Wire
from paraph.service.bounded_head import MOST_BEHIND, BoundedHeadProtocol


class Later(NamedTuple):
    """An answer that is made when something is done, or what will give it; that may not raise."""

    done: asyncio.Future[Any]
    answer: Callable[[asyncio.Future[Any]], Answer | Coroutine[Any, Any, Answer]]


class Judged(Protocol):
    """A request whose head is good and whose body decides."""

    def judge(self, body: bytes) -> Answer | Later | Coroutine[Any, Any, Answer]:
        """The answer, or what will give it. Neither may raise."""


Judge = Callable[[Scope, Mapping[bytes, bytes]], "Answer | Judged | None"]
"""Judges a head, given as much of an ASGI scope as the lane knows (`method`, `target`, `headers`,
`client`) and its headers as a mapping. None: the plain way answers this one."""

Judges = Callable[[bytes], "Judge | None"]
"""Whose a target is: the path as it came, with its query. None: nobody's in the lane."""


class _Nobody:
    """Nobody waits for the pieces of a request in the lane."""

    def set(self) -> None:
        """Wake nobody."""


class _Cycle:
    """A request in the lane, as the server's protocol looks at requests."""

    __slots__ = ("disconnected", "keep_alive", "response_complete")
    message_event = _Nobody()

    def __init__(self, *, response_complete: bool) -> None:
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = response_complete


class _Coming(_Cycle):
    """A request whose head is good, and of whose body a part may have come."""

    __slots__ = ("judged", "pieces")

    def __init__(self, judged: Judged) -> None:
        super().__init__(response_complete=False)
        self.judged = judged
        self.pieces: list[bytes] = []

    @property
    def body(self) -> bytes:
        """As much of it as is here. Joined once: chunks may be of a byte each."""
        return b"".join(self.pieces)


# What still comes of a request that was answered is read past.
_ANSWERED: Any = _Cycle(response_complete=True)


class FastLaneProtocol(BoundedHeadProtocol):
    """See the module.

    Args:
        judges: who judges what.
        wire: shared by all connections of a listener.
    """

    def __init__(self, *arguments: Any, judges: Judges, wire: Wire, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._judges = judges
        self._wire = wire
        self._coming: _Coming | None = None
        self._answers: list[bytes] = []

    def on_message_begin(self) -> None:
        """A head begins; what ASGI needs to know of it is only written down if ASGI is asked."""
        self.url, self.headers = b"", []
        self._begin_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, and nothing else about it yet; a trailer is none."""
        if self._in_head:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Judge a request here, or let ASGI answer."""
        # The first of them would wait on the plain way, and the others behind it.
        if len(self._answers) > MOST_BEHIND:
            self._cut_off()
        judge = self._judges(self.url)
        if judge is None or not self._judge_head(judge):
            self._go_the_plain_way()

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        coming = self._coming
        if coming is not None:
            coming.pieces.append(body)
        elif self.cycle is _ANSWERED:
            self._got_on = True
        else:
            super().on_body(body)

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
        verdict = coming.judged.judge(coming.body)
        if isinstance(verdict, Answer):
            coming.response_complete = True
            self._answer(verdict)
        elif isinstance(verdict, Later):
            # No task for each: thousands wait for one commit.
            verdict.done.add_done_callback(lambda done: self._go_on(coming, verdict.answer(done)))
        else:
            self._go_on(coming, verdict)

    def _go_on(self, coming: _Coming, verdict: Answer | Coroutine[Any, Any, Answer]) -> None:
        if isinstance(verdict, Answer):
            self._answer_late(coming, verdict)
            return
        task = self.loop.create_task(self._await(coming, verdict))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

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
            self._go_the_plain_way()
            if coming.pieces:
                super().on_body(coming.body)

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
            coming: Any = _Coming(verdict)
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

    async def _await(self, coming: _Coming, work: Coroutine[Any, Any, Answer]) -> None:
        self._answer_late(coming, await work)

    def _answer_late(self, coming: _Coming, answer: Answer) -> None:
        coming.response_complete = True
        if coming.disconnected or self.transport.is_closing():
            return
        written = self._wire.carry(answer, self._own_headers())
        if not coming.keep_alive:
            # The server is stopping.
            written = written.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
        self.transport.write(written)
        if not coming.keep_alive:
            self.transport.close()
        self.on_response_complete()
