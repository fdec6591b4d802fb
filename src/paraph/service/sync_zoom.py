"""The object that a Python app without an event loop imports: `Zoom`, on a thread of its own.

    zoom = SyncZoom()

    @zoom.on("meeting.ended")               # a plain function, in a thread; it may use an ORM
    def ended(event, installation, zoom): ...

    response = zoom.installation(subject).get("/users/me")

It is the same service with the same calls. Nothing starts at import: the thread starts with the
first call, or with `start()` in the hook that a server runs in a new worker process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Concatenate, ParamSpec, Self, cast

from paraph.calls.asynchronous_handle import AsyncBackend
from paraph.calls.synchronous import Calls
from paraph.calls.synchronous_handle import Backend
from paraph.events.handlers import Handler
from paraph.service.loop_thread import STOP_SECONDS, LoopThread
from paraph.service.zoom import Zoom
from paraph.settings.model import Settings

P = ParamSpec("P")


def _with_arguments_of(
    _kind: Callable[P, Zoom],
) -> Callable[[Callable[..., None]], Callable[Concatenate[SyncZoom, P], None]]:
    """Give a constructor the signature of another one, for type checkers and `help`."""

    def give(constructor: Callable[..., None]) -> Callable[Concatenate[SyncZoom, P], None]:
        constructor.__wrapped__ = Zoom.__init__  # type: ignore[attr-defined]
        return constructor

    return give


class SyncZoom(Calls):
    """The service, in this process, for plain functions: Django, Flask, any WSGI app, scripts.

    Its arguments are those of `Zoom`. Use it as a context manager, or call `start()` in each worker
    process, or make a call: the first one starts it. It ends with the process.

    Raises:
        ConfigurationError: carries every problem of the settings.

    Example:
        with SyncZoom(settings) as zoom:
            installations = list(zoom.installations())
    """

    @_with_arguments_of(Zoom)
    def __init__(self, *args: Any, **keywords: Any) -> None:
        self.zoom = Zoom(*args, **keywords)
        self.zoom.handle_of = self.installation
        self.loop_thread: LoopThread[Zoom] = LoopThread(lambda: self.zoom)

    @property
    def settings(self) -> Settings:
        """The checked settings."""
        return self.zoom.settings

    def start(self) -> None:
        """Start the service; call it in each worker process, after the fork.

        A repeated start has no effect.

        Raises:
            UsageError: another process started it, or this server cannot run an event loop.
            ConfigurationError: the settings, the key ring or the database cannot be used.

        Example:
            zoom = SyncZoom(settings)
            zoom.start()
            zoom.stop()
        """
        self.loop_thread.start()

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """Stop the service: no new calls, and time to finish for those under way.

        Args:
            timeout: seconds until calls and handlers under way are cancelled. Their events are
                delivered again later.

        Example:
            zoom = SyncZoom(settings)
            zoom.start()
            zoom.stop(timeout=3.0)
        """
        self.loop_thread.stop(timeout)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def on(self, pattern: str) -> Callable[[Handler], Handler]:
        """Register a handler, as `Zoom.on` does; a plain function runs in a thread.

        Its third argument is the handle with which it calls Zoom, an `InstallationHandle`.

        Args:
            pattern: an event name, a prefix like "meeting.*", or "*" for all.

        Raises:
            UsageError: no event can match; the remedy names a pattern that may be meant.

        Example:
            @zoom.on("meeting.ended")
            def ended(event, installation, zoom):
                print(event.payload["object"]["uuid"])
        """
        return self.zoom.on(pattern)

    @property
    def _backend(self) -> Backend:
        return cast("Backend", _OnLoop(self))


class _OnLoop:
    """The backend of `Zoom`: each of its methods runs on the event loop, and this thread waits."""

    def __init__(self, owner: SyncZoom) -> None:
        self._owner = owner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return partial(self._owner.loop_thread.call, self._carry_out, name)

    async def _carry_out(self, name: str, *args: Any, **keywords: Any) -> Any:
        backend: AsyncBackend = self._owner.zoom._backend  # noqa: SLF001
        return await getattr(backend, name)(*args, **keywords)
