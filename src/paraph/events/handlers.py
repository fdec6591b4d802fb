"""Handlers in Python: functions that are handed events, chosen by name.

    @handlers.on("meeting.*")
    async def meeting(event, installation, zoom): ...

A handler takes as many of the three as it names: the event, the installation that it concerns
(None when no single one of its account does), and the client for that installation. Plain
functions run in a thread. At least once means that a handler may see an event again: after a
crash, and when another handler of the same event failed. `event.id` stays the same.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from paraph.errors import UsageError
from paraph.lifecycle.context import Context
from paraph.oauth.strict_json import parse_json_object
from paraph.storage.records import Concerned, Installation, KeptEvent

THREADS = 32
_PATTERN = re.compile(r"[A-Za-z0-9_.]{1,100}|[A-Za-z0-9_.]{0,99}\*")

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class HandedEvent:
    """One event as a handler sees it.

    Attributes:
        id: the same over all attempts: deduplicate on it.
        name: such as `meeting.ended`; notices of paraph's own begin with `installation.`.
        account_id: the Zoom account.
        received_at: when it arrived here, epoch seconds.
        attempt: 1 for the first.
        payload: the event's own fields, as Zoom signed them.
        body: the signed bytes themselves.
        installations: all active ones of the account.
    """

    id: str
    name: str
    account_id: str = field(repr=False)
    received_at: int
    attempt: int
    payload: Mapping[str, Any] = field(repr=False)
    body: bytes = field(repr=False)
    installations: tuple[Installation, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Registered:
    pattern: str
    call: Callable[..., Any]
    wanted: int

    def wants(self, name: str) -> bool:
        """Whether the pattern means this event."""
        if self.pattern.endswith("*"):
            return name.startswith(self.pattern[:-1])
        return name == self.pattern


class Handlers:
    """A registry of handlers. `bind` makes the target that the dispatcher hands events to."""

    def __init__(self) -> None:
        self._registered: list[_Registered] = []

    def on(self, pattern: str) -> Callable[[Handler], Handler]:
        """Register a function for a name, or for all names that begin as `meeting.*` does.

        Raises:
            UsageError: no such pattern, or a function that wants other than one to three values.
        """
        if not _PATTERN.fullmatch(pattern):
            raise UsageError(
                f"{pattern!r} is no event name", remedy='Write "meeting.ended", "meeting.*" or "*".'
            )

        def register(handler: Handler) -> Handler:
            wanted = len(inspect.signature(handler).parameters)
            if not 1 <= wanted <= 3:
                raise UsageError(
                    f"a handler takes event, installation and zoom; this one takes {wanted}"
                )
            self._registered.append(_Registered(pattern, handler, wanted))
            return handler

        return register

    def __bool__(self) -> bool:
        return bool(self._registered)

    def bind(
        self, context: Context, *, client_of: Callable[[Installation], Any] | None = None
    ) -> HandlerTarget:
        """The target for the dispatcher.

        Args:
            context: for the installations that an event concerns.
            client_of: makes the client that a handler calls Zoom with.
        """
        return HandlerTarget(context, self._registered, client_of)


class HandlerTarget:
    """Calls every handler that wants an event, one after the other."""

    def __init__(
        self,
        context: Context,
        registered: Sequence[_Registered],
        client_of: Callable[[Installation], Any] | None,
    ) -> None:
        self._context = context
        self._registered = registered
        self._client_of = client_of
        # Of its own: a plain function that hangs must not use up the threads of others.
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="handler")

    async def hand_on(self, event: KeptEvent, concerned: Sequence[Concerned]) -> None:
        """Call them. Whatever one raises means that the event was not handed on."""
        del concerned  # A handler may want the whole installations, which are read here.
        wanting = [one for one in self._registered if one.wants(event.name)]
        if not wanting:
            return
        handed = await self._handed(event)
        whose = _concerned(event, handed.installations)
        client = None
        if whose is not None and self._client_of is not None:
            client = self._client_of(whose)
        for one in wanting:
            await self._call(one.call, (handed, whose, client)[: one.wanted])

    async def _handed(self, event: KeptEvent) -> HandedEvent:
        content = parse_json_object(event.body or b"{}")
        payload = content if event.notice else content.get("payload", {})
        async with self._context.store.reading() as tx:
            installations = await tx.installations.in_account(
                self._context.client.client_id, event.account_id
            )
        return HandedEvent(
            id=event.event_id,
            name=event.name,
            account_id=event.account_id,
            received_at=event.received_at,
            attempt=event.attempts,
            payload=payload,
            body=event.body or b"",
            installations=tuple(installations),
        )

    async def _call(self, handler: Callable[..., Any], values: tuple[Any, ...]) -> None:
        if inspect.iscoroutinefunction(handler):
            await handler(*values)
            return
        loop = asyncio.get_running_loop()
        result = await loop.run_in_executor(self._threads, lambda: handler(*values))
        if isinstance(result, Awaitable):
            await result

    def close(self) -> None:
        """Let go of the threads; one that hangs is left behind."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _concerned(event: KeptEvent, installations: Sequence[Installation]) -> Installation | None:
    """Whose event it is: the person's that it names, or the only one's there is."""
    for one in installations:
        if one.grant.identity.user_id == event.user_id:
            return one
    return installations[0] if len(installations) == 1 else None
