"""Handlers in Python: functions that receive events, chosen by name.

    @handlers.on("meeting.*")
    async def meeting(event, installation, zoom): ...

A handler takes one to three arguments: the event, its installation, and the API client of that
installation. The last two are `None` unless the event concerns exactly one installation. Plain
functions run in a thread.

Every handler of an event runs, one after the other, even if an earlier one raised. Exceptions are
logged with their traceback to the logger `paraph.handlers`. If any handler failed, the event counts
as not delivered and is tried again later, with all of its handlers. So a handler may receive
an event again: after a crash, and when another handler of the same event failed. `event.id`
stays the same.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, thread
from dataclasses import dataclass, field
from typing import Any, TypeVar

from paraph.errors import UsageError
from paraph.events.event_pattern import EventPattern
from paraph.events.recipients import Recipients
from paraph.lifecycle.context import Context
from paraph.model.event import KeptEvent
from paraph.model.public_value import installation_value
from paraph.strict_json import parse_json_object
from paraph.values import Installation

THREADS = 32
# The standard logging module, as hosts configure it: tracebacks belong in the host's own log.
_log = logging.getLogger("paraph.handlers")

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class HandedEvent:
    """One event as a handler receives it.

    Attributes:
        id: the same in every attempt; use it to recognise duplicates.
        name: such as `meeting.ended`; paraph's own notices begin with `installation.`.
        account_id: the Zoom account.
        received_at: when paraph received it, in epoch seconds.
        attempt: 1 for the first.
        payload: the event's own fields, as Zoom signed them.
        body: the signed bytes.
        installations: the active installations of the event's users, or of its account. For a
            notice, its own installation if that is still active.
        is_notice: True if paraph itself created it. A Zoom event can have any name, also that
            of a notice, but never this flag.
        selected_by: "concerned_users" or "account", the rule that selected them; "none" where the
            event names neither a user nor an account, and for notices.
        concerned_users: the Zoom users whom the event concerns.

    Example:
        @zoom.on("meeting.ended")
        async def ended(event: HandedEvent) -> None:
            print(event.id, event.payload["object"]["uuid"])
    """

    id: str
    name: str
    account_id: str = field(repr=False)
    received_at: int
    attempt: int
    payload: Mapping[str, Any] = field(repr=False)
    body: bytes = field(repr=False)
    installations: tuple[Installation, ...] = field(repr=False)
    is_notice: bool = False
    selected_by: str = "none"
    concerned_users: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class _Registered:
    pattern: EventPattern
    call: Callable[..., Any]
    wanted: int


class Handlers:
    """A registry of handlers. `bind` creates the target to which the dispatcher delivers events."""

    def __init__(self) -> None:
        self._registered: list[_Registered] = []

    def on(self, pattern: str) -> Callable[[Handler], Handler]:
        """Register a function for an event name or a pattern such as `meeting.*`.

        Raises:
            UsageError: no event can ever match the pattern, or the function does not take one
                to three arguments.
        """
        checked = EventPattern.parse(pattern)

        def register(handler: Handler) -> Handler:
            wanted = _wanted(handler)
            self._registered.append(_Registered(checked, handler, wanted))
            return handler

        return register

    def __bool__(self) -> bool:
        return bool(self._registered)

    def bind(
        self, context: Context, *, client_of: Callable[[Installation], Any] | None = None
    ) -> HandlerTarget:
        """Create the target for the dispatcher.

        Args:
            context: looks up the installations that an event concerns.
            client_of: creates the client with which a handler calls Zoom.
        """
        return HandlerTarget(context, self._registered, client_of)


def _wanted(handler: Callable[..., Any]) -> int:
    """Count the arguments of a handler: event, installation and zoom, in this order."""
    parameters = inspect.signature(handler).parameters.values()
    named = [one for one in parameters if one.kind is one.KEYWORD_ONLY]
    if required := [one.name for one in named if one.default is one.empty]:
        raise UsageError(f"a handler needs the keyword {required[0]!r}, which is never passed")
    wanted = sum(one.kind not in {one.KEYWORD_ONLY, one.VAR_KEYWORD} for one in parameters)
    if not 1 <= wanted <= 3:
        raise UsageError(f"a handler takes event, installation and zoom; this one takes {wanted}")
    return wanted


class HandlerTarget:
    """Calls every handler registered for an event, one after the other."""

    def __init__(
        self,
        context: Context,
        registered: Sequence[_Registered],
        client_of: Callable[[Installation], Any] | None,
    ) -> None:
        self._context = context
        self._registered = registered
        self._client_of = client_of
        # A pool of its own: a handler that hangs must not use up the threads of other code.
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="handler")

    async def forward(self, event: KeptEvent, recipients: Recipients) -> None:
        """Call every handler registered for the event.

        Raises:
            Exception: the first one that a handler raised, after all handlers ran.
        """
        wanting = [
            one
            for one in self._registered
            if one.pattern.matches(event.name, is_notice=event.notice)
        ]
        if not wanting:
            return
        shown = await self._shown_event(event, recipients)
        installation = shown.installations[0] if len(shown.installations) == 1 else None
        client = None
        if installation is not None and self._client_of is not None:
            client = self._client_of(installation)
        failures = [
            await self._failure_of(one.call, (shown, installation, client)[: one.wanted], shown)
            for one in wanting
        ]
        for failure in failures:
            if isinstance(failure, Exception):
                raise failure
            if failure is not None:
                # For example SystemExit, which would end the event loop.
                raise RuntimeError(f"a handler raised {type(failure).__name__}") from failure

    async def _shown_event(self, event: KeptEvent, recipients: Recipients) -> HandedEvent:
        content = parse_json_object(event.body or b"{}")
        payload = content if event.notice else content.get("payload", {})
        installations = await self._installations(event, recipients, content)
        return HandedEvent(
            id=event.event_id,
            name=event.name,
            is_notice=event.notice,
            account_id=event.account_id,
            received_at=event.received_at,
            attempt=event.attempts,
            payload=payload,
            body=event.body or b"",
            installations=tuple(installations),
            selected_by=recipients.selected_by.value,
            concerned_users=recipients.concerned_users,
        )

    async def _installations(
        self, event: KeptEvent, recipients: Recipients, content: Mapping[str, Any]
    ) -> Sequence[Installation]:
        """Read the complete installations, which a handler may ask for."""
        wanted = [one.link_id for one in recipients.installations]
        if event.notice:
            # The notice's installation may be removed by now; never pass one of another user.
            wanted = [str(content.get("installation", {}).get("id", ""))]
        if not wanted:
            return ()
        async with self._context.store.reading() as tx:
            found = await tx.installations.active(wanted)
        return [installation_value(one) for one in found]

    async def _failure_of(
        self, handler: Callable[..., Any], values: tuple[Any, ...], event: HandedEvent
    ) -> BaseException | None:
        """Call one handler. Log its exception and return it, so that the others still run."""
        task = asyncio.current_task()
        cancelled = 0 if task is None else task.cancelling()
        try:
            await self._call(handler, values)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if task is not None and task.cancelling() > cancelled:
                # The attempt was cancelled from outside: it timed out, or the service stops.
                raise
            name = getattr(handler, "__qualname__", type(handler).__name__)
            _log.exception(
                "The handler %s failed for %s %s (attempt %d).",
                name,
                "the notice" if event.is_notice else "the event",
                event.name,
                event.attempt,
            )
            return error
        return None

    async def _call(self, handler: Callable[..., Any], values: tuple[Any, ...]) -> None:
        if inspect.iscoroutinefunction(handler):
            await handler(*values)
            return
        loop = asyncio.get_running_loop()
        result, error = await loop.run_in_executor(self._threads, _outcome_of, handler, values)
        if error is not None:
            raise error
        if isinstance(result, Awaitable):
            await result

    def close(self) -> None:
        """Release the threads, without waiting for one that hangs."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        # The interpreter joins the threads in this mapping at its exit. There is no public call.
        joined_at_exit: Any = getattr(thread, "_threads_queues", {})
        for one in self._threads._threads:  # noqa: SLF001 - As above.
            joined_at_exit.pop(one, None)


def _outcome_of(
    handler: Callable[..., Any], values: tuple[Any, ...]
) -> tuple[Any, BaseException | None]:
    """Call a plain function in a thread; return its result and its exception.

    The exception is returned because a future refuses a StopIteration: its waiter would hang.
    """
    try:
        return handler(*values), None
    except BaseException as error:  # noqa: BLE001 - Raised again where the handler is awaited.
        return None, error
