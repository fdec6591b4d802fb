"""An event loop in a thread, for programs that have no event loop of their own.

A WSGI server runs plain functions in processes that it forks. The service needs an event loop for
as long as such a process lives. `LoopThread` runs one in a thread and opens the service on it. Any
other thread may call it.

Nothing starts at import: a server loads the app once and forks afterwards, and a fork copies no
thread. The thread starts with the first call, or in the hook that a server runs in a new worker.
It ends with the interpreter, before the threads that the event loop itself needs are joined.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures.thread
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from functools import cache
from typing import Any, Generic, ParamSpec, TypeVar, cast

from paraph.errors import UsageError
from paraph.logs import get_logger

# Seconds for calls and events under way. A server sends SIGKILL soon after SIGTERM: some after 10.
STOP_SECONDS = 8.0
# The share of them that calls may use; closing gets at least the rest.
_CALLS_SHARE = 0.75
# Seconds for closing after the deadline, with everything under way cancelled.
_HURRY_SECONDS = 1.0
# Modules by the names that gevent and eventlet give them.
_REPLACED = ("thread", "threading", "socket", "select")
_STOPPED = "the event loop was stopped"
_HOOK_REMEDY = (
    "Start it in each worker, after the fork: call start() in the server's hook "
    "(gunicorn: post_worker_init; uWSGI: uwsgidecorators.postfork), and not while the app loads."
)

_log = get_logger("loop_thread")

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")


class LoopThread(Generic[T]):
    """Runs an asynchronous context manager on an event loop in a thread of its own.

    Args:
        open_context: makes the context manager. It is called at each start, in the thread.
        name: the name of the thread.

    Example:
        thread = LoopThread(lambda: zoom)
        thread.start()
        response = thread.call(zoom.installation("acct_42").get, "/users/me")
        thread.stop()
    """

    def __init__(
        self, open_context: Callable[[], AbstractAsyncContextManager[T]], *, name: str = "paraph"
    ) -> None:
        self._open = open_context
        self._name = name
        self._lock = threading.Lock()
        # Of the process that started it; None while it does not run.
        self._pid: int | None = None
        self._run: _Run[T] | None = None
        self._was_stopped = False

    def start(self) -> T:
        """Start the thread and open the context; return the opened value.

        A repeated start in the same process returns the same value.

        Raises:
            UsageError: another process started it, or this server cannot run an event loop.
            ParaphError: the context cannot be opened.
        """
        self._refuse_other_process()
        with self._lock:
            if self._run is None or self._run.has_ended:
                refuse_unfit_server()
                _stop_at_exit()
                self._pid = os.getpid()
                try:
                    self._run = _Run(self._open, self._name)
                except BaseException:
                    self._pid = None
                    raise
                self._was_stopped = False
                _started.add(self)
            return self._run.value

    def call(
        self, function: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run a coroutine function on the event loop; block until its result is there.

        The first call of a process starts the thread.

        Raises:
            UsageError: another process started the thread, it was stopped, or this code runs on
                the event loop itself.
            Exception: whatever the function raises.
        """
        self._refuse_other_process()
        if self._was_stopped:
            raise UsageError(_STOPPED, remedy="Call start() before further calls.")
        self.start()
        run = self._run
        if run is None:
            raise UsageError(_STOPPED, remedy="Call start() before further calls.")
        return run.call(function, *args, **kwargs)

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """Accept no more calls, finish those under way, close the context, end the thread.

        Args:
            timeout: seconds for calls and events under way; at the deadline they are cancelled.
                The method returns at most a second later. Cancelled events are delivered again
                once their lease has ended.

        Raises:
            Exception: whatever closing the context raised.
        """
        if self._pid != os.getpid():
            # It does not run, or it runs in the process that this one was forked from.
            return
        with self._lock:
            run, self._run = self._run, None
            self._pid = None
            self._was_stopped = True
        _started.discard(self)
        if run is not None:
            run.stop(timeout)

    @property
    def is_running(self) -> bool:
        """True while this process has started it and not stopped it."""
        run = self._run
        return self._pid == os.getpid() and run is not None and not run.has_ended

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running event loop.

        Raises:
            UsageError: it does not run in this process.
        """
        self._refuse_other_process()
        if self._run is None:
            raise UsageError("the event loop is not running", remedy="Call start() first.")
        return self._run.loop

    def _refuse_other_process(self) -> None:
        if self._pid is not None and self._pid != os.getpid():
            raise UsageError(
                "the event loop was started before this process was forked", remedy=_HOOK_REMEDY
            )


class _Run(Generic[T]):
    """One run of the thread, from its start to its end."""

    value: T
    loop: asyncio.AbstractEventLoop
    _stopping: asyncio.Future[float]

    def __init__(
        self, open_context: Callable[[], AbstractAsyncContextManager[T]], name: str
    ) -> None:
        self._lock = threading.Lock()
        self._calls: set[concurrent.futures.Future[Any]] = set()
        self._accepts_calls = False
        self._opened: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._failure: BaseException | None = None
        # A daemon: the interpreter must not wait for it before its exit hooks have run. Threads
        # that database drivers start on the event loop inherit this.
        self._thread = threading.Thread(
            target=self._run, args=(open_context,), name=name, daemon=True
        )
        self._thread.start()
        try:
            self.value = self._opened.result()
        except BaseException:
            # A signal's handler may have raised here: then no caller will ever stop this run.
            self._opened.add_done_callback(self._end_unheld)
            raise

    def _end_unheld(self, opened: concurrent.futures.Future[T]) -> None:
        if opened.exception() is None:
            with self._lock:
                self._accepts_calls = False
            self.loop.call_soon_threadsafe(self._stopping.set_result, 0.0)

    @property
    def has_ended(self) -> bool:
        """True once the thread accepts no more calls."""
        return not self._accepts_calls

    def call(
        self, function: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run a coroutine function on the event loop and wait for it.

        Raises:
            UsageError: this code runs on the event loop itself, or the event loop was stopped.
        """
        if threading.get_ident() == self._thread.ident:
            raise UsageError(
                "a blocking call was made on paraph's own event loop",
                remedy="Use a plain function as the handler: it runs in a thread.",
            )
        with self._lock:
            if not self._accepts_calls:
                raise UsageError(_STOPPED, remedy="Call start() before further calls.")
            # Created here: a coroutine that is never awaited would be a warning.
            call = asyncio.run_coroutine_threadsafe(function(*args, **kwargs), self.loop)
            self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        try:
            return call.result()
        except concurrent.futures.CancelledError:
            raise UsageError(
                "the event loop was stopped during this call",
                remedy="Repeat the call; Zoom may have received the first one.",
            ) from None
        finally:
            # A server's own timeout raised in this thread: the call has no caller any more.
            call.cancel()

    def stop(self, timeout: float) -> None:
        """End the thread; raise the exception that closing the context raised."""
        with self._lock:
            self._accepts_calls = False
        # A RuntimeError says that the loop is closed: the thread has ended by itself.
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._stopping.set_result, timeout)
        self._thread.join(timeout + _HURRY_SECONDS)
        if self._thread.is_alive():
            _log.error("loop_thread.abandoned", seconds=timeout + _HURRY_SECONDS)
        if self._failure is not None:
            raise self._failure

    def _run(self, open_context: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        try:
            asyncio.run(self._stay_open(open_context))
        except BaseException as error:  # noqa: BLE001 - Raised where start() or stop() waits.
            if not self._opened.done():
                self._opened.set_exception(error)
            elif not isinstance(error, asyncio.CancelledError):
                self._failure = error
                _log.error("loop_thread.failed", why=type(error).__name__)
        finally:
            with self._lock:
                self._accepts_calls = False
                calls = set(self._calls)
            for call in calls:
                call.cancel()

    async def _stay_open(self, open_context: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        loop = self.loop = asyncio.get_running_loop()
        self._stopping = loop.create_future()
        self._main = cast("asyncio.Task[None]", asyncio.current_task())
        async with open_context() as value:
            self._accepts_calls = True
            self._opened.set_result(value)
            timeout = await self._stopping
            loop.call_later(timeout, self._hurry, timeout)
            if calls := [asyncio.wrap_future(call) for call in set(self._calls)]:
                await asyncio.wait(calls, timeout=timeout * _CALLS_SHARE)
            for call in calls:
                call.cancel()

    def _hurry(self, timeout: float) -> None:
        """Cancel the closing: each of its steps that waits ends now, and the next one begins."""
        _log.warning("loop_thread.hurried", seconds=timeout)
        self._main.cancel()


# The ones that run: the exit hook stops them.
_started: set[LoopThread[Any]] = set()


@cache
def _stop_at_exit() -> None:
    """Register the exit hook, once in a process; a fork copies the registration.

    The hooks of the standard library's threads run before those of `atexit` and refuse new work
    for threads, without which nothing can be closed. The hook registered last runs first: this
    module imports `concurrent.futures.thread` before it registers its own.
    """
    register = getattr(threading, "_register_atexit", atexit.register)
    register(_stop_all)


def _stop_all() -> None:
    for one in list(_started):
        try:
            one.stop()
        except BaseException as error:  # noqa: BLE001 - The interpreter ends; it is logged.
            _log.error("loop_thread.failed", why=type(error).__name__)


def refuse_unfit_server() -> None:
    """Refuse servers in which an event loop in a thread would hang or never run.

    Raises:
        UsageError: gevent or eventlet replaced the threads, or uWSGI runs without threads.

    Example:
        refuse_unfit_server()
    """
    gevent: Any = sys.modules.get("gevent.monkey")
    eventlet: Any = sys.modules.get("eventlet.patcher")
    replaced = {
        "gevent": gevent is not None and any(map(gevent.is_module_patched, _REPLACED)),
        "eventlet": eventlet is not None and any(map(eventlet.is_monkey_patched, _REPLACED)),
    }
    for name, is_replaced in replaced.items():
        if is_replaced:
            raise UsageError(
                f"{name} has replaced the threads of this process; an event loop would block it",
                remedy="Run this server with threads (gunicorn: --worker-class gthread), or run "
                "`paraph serve` beside it and use paraph.Client.",
            )
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is not None:
        options = {
            name.decode() if isinstance(name, bytes) else name for name in getattr(uwsgi, "opt", {})
        }
        if not options & {"enable-threads", "threads"}:
            raise UsageError(
                "uWSGI runs this process without Python's threads",
                remedy="Set enable-threads = true (or threads = 2) in uWSGI's configuration.",
            )
