"""Handlers of a project: functions in `zoom_handlers.py` of its apps, which may use the ORM.

A handler runs in a thread, outside any request. So `ATOMIC_REQUESTS` does not apply: a handler that
writes more than one row uses `transaction.atomic()`. It may be called again for the same event.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from asgiref.sync import async_to_sync
from django.db import close_old_connections

from paraph.events.event_pattern import EventPattern

Handler = TypeVar("Handler", bound=Callable[..., Any])

_registered: list[tuple[str, Callable[..., Any]]] = []


def on(pattern: str) -> Callable[[Handler], Handler]:
    """Register a function for an event name, for a prefix like `meeting.*`, or for all: `*`.

    The module `zoom_handlers` of each installed app is imported when Django starts.

    Args:
        pattern: as for `Zoom.on`; `installation.removed` and its like are paraph's own notices.

    Raises:
        UsageError: no event can match; the remedy names a pattern that may be meant.

    Example:
        from paraph.integrations.django import on

        @on("meeting.ended")
        def count_meeting(event, installation, zoom):
            print(event.id, event.payload["object"]["topic"])
    """
    EventPattern.parse(pattern)

    def register(handler: Handler) -> Handler:
        _registered.append((pattern, with_connections(handler)))
        return handler

    return register


def register_with(register: Callable[[str], Callable[[Callable[..., Any]], Any]]) -> None:
    """Pass every handler to the service.

    Args:
        register: the service's own `on`.
    """
    for pattern, handler in _registered:
        register(pattern)(handler)


def with_connections(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Return a plain function that closes unusable database connections around a handler.

    A thread keeps its connections between events. One that the database has closed meanwhile would
    fail the next event. Coroutines run in the same thread, so that their queries use the same
    connections.
    """
    plain = async_to_sync(handler) if inspect.iscoroutinefunction(handler) else handler

    @wraps(handler)
    def call(*values: Any) -> Any:
        close_old_connections()
        try:
            return plain(*values)
        finally:
            close_old_connections()

    return call
