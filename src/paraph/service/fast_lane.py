"""The fast lane: deliveries are judged in the server's own protocol, before ASGI.

What can be refused on its headers is refused there, without a task, a scope or a copy of its
body; a body that came together with its head is verified in the same turn. It decides nothing
by itself: every verdict is `WebhookEndpoint`'s, and whatever is not the usual case goes the
plain way, through ASGI: a body in pieces, pipelining behind an unfinished answer, `Expect`,
`Connection: close`, an upgrade, another spelling of the path, a receiver that does not read its
answers. So both ways answer the same, byte for byte, and any other server does without it.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from paraph.errors import StaleTimestamp
from paraph.service.bounded_head import BoundedHeadProtocol
from paraph.service.webhook_endpoint import PATH, Answer, Headers, WebhookEndpoint
from paraph.zoom.webhook import FreshHeaders, VerifiedDelivery

_TARGET = PATH.encode()


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
    """A delivery whose headers are good, and of whose body a part may have come."""

    __slots__ = ("body", "fresh", "headers")

    def __init__(self, fresh: FreshHeaders, headers: Headers) -> None:
        super().__init__(response_complete=False)
        self.fresh = fresh
        self.headers = headers
        self.body = b""


# What still comes of a request that was answered is read past.
_ANSWERED = _Cycle(response_complete=True)


class Wire:
    """Answers as bytes, written anew when the headers of the server itself change: the date."""

    def __init__(self) -> None:
        self._own: Any = None
        self._written: dict[Answer, bytes] = {}

    def carry(self, answer: Answer, own: Headers) -> bytes:
        """An answer with the server's own headers in front, as the server's protocol writes it."""
        if own is not self._own:
            self._own, self._written = own, {}
        written = self._written.get(answer)
        if written is None:
            lines = b"".join(b"%b: %b\r\n" % header for header in own)
            written = STATUS_LINE[answer.status] + lines + answer.wire
            self._written[answer] = written
        return written


class FastLaneProtocol(BoundedHeadProtocol):
    """See the module.

    Args:
        endpoint: the judge.
        wire: shared by all connections of a listener.
    """

    def __init__(
        self, *arguments: Any, endpoint: WebhookEndpoint, wire: Wire, **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self._endpoint = endpoint
        self._wire = wire
        self._coming: _Coming | None = None
        self._answers: list[bytes] = []

    def on_message_begin(self) -> None:
        """A head begins; what ASGI needs to know of it is only written down if ASGI is asked."""
        self.url, self.headers = b"", []
        self._begin_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, and nothing else about it yet."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Judge a delivery here, or let ASGI answer."""
        if not self._is_usual_delivery() or not self._judge_headers():
            self._go_the_plain_way()

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        coming = self._coming
        if coming is not None:
            coming.body = coming.body + body if coming.body else body
        elif self._is_answered():
            self._got_on = True
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is here as a whole."""
        coming = self._coming
        if coming is None:
            if self._is_answered():
                self._got_on = True
            else:
                super().on_message_complete()
            return
        self._got_on, self._coming = True, None
        verdict = self._endpoint.judge_body(coming.fresh, coming.body)
        if isinstance(verdict, Answer):
            coming.response_complete = True
            self._answer(verdict)
        else:
            task = self.loop.create_task(self._take(coming, verdict))
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
            # As before a first request.
            self._under_way(None)
            self._go_the_plain_way()
            if coming.body:
                super().on_body(coming.body)

    def _is_answered(self) -> bool:
        """Whether the request whose rest is coming in was answered in the lane."""
        cycle: Any = self.cycle
        return cycle is _ANSWERED

    def _is_usual_delivery(self) -> bool:
        if self.url != _TARGET:
            return False
        parser: Any = self.parser
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            return False
        named = dict(self.headers)
        return bool(
            parser.get_method() == b"POST"
            and parser.should_keep_alive()
            # Without that header only HTTP/1.1 is kept alive, and nothing is upgraded.
            and (
                b"connection" not in named
                or (parser.get_http_version() == "1.1" and not parser.should_upgrade())
            )
            and b"expect" not in named
            and not self.flow.write_paused
        )

    def _judge_headers(self) -> bool:
        """False: the plain way wants to look at the body of this one too."""
        try:
            verdict = self._endpoint.judge_headers({"headers": self.headers, "client": self.client})
        except StaleTimestamp:
            return False
        self._end_head()
        if isinstance(verdict, Answer):
            self._under_way(_ANSWERED)
            self._answer(verdict)
        else:
            self._coming = _Coming(verdict, self.headers)
            self._under_way(self._coming)
        return True

    def _under_way(self, cycle: Any) -> None:
        """What the server's protocol takes for the request that it is serving."""
        self.cycle = cycle

    def _go_the_plain_way(self) -> None:
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()

    def _answer(self, answer: Answer) -> None:
        """Answer at the end of this turn, unless what came with the request is broken."""
        self._answers.append(self._wire.carry(answer, self.server_state.default_headers))
        self.on_response_complete()

    async def _take(self, coming: _Coming, delivery: VerifiedDelivery) -> None:
        answer = await self._endpoint.take(delivery, coming.headers)
        coming.response_complete = True
        if coming.disconnected or self.transport.is_closing():
            return
        written = self._wire.carry(answer, self.server_state.default_headers)
        if not coming.keep_alive:
            # The server is stopping.
            written = written.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1)
        self.transport.write(written)
        if not coming.keep_alive:
            self.transport.close()
        self.on_response_complete()
