"""The event loop in a thread: its start, its calls, its end, and the servers that it refuses."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import types
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from paraph.errors import UsageError
from paraph.service.loop_thread import LoopThread, refuse_unfit_server


class Opened:
    """A context that records what happens to it."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Record the thread, and the end."""
        self.steps.append(f"opened in {threading.current_thread().name}")
        try:
            yield "the value"
        finally:
            self.steps.append("closed")


@pytest.fixture
def opened() -> Opened:
    """A context, not opened yet."""
    return Opened()


@pytest.fixture
def thread(opened: Opened) -> Iterator[LoopThread[str]]:
    """A thread for it, stopped at the end."""
    made = LoopThread(opened.open, name="loop")
    yield made
    made.stop()


async def add(one: int, *, other: int) -> int:
    """A coroutine function."""
    await asyncio.sleep(0)
    return one + other


def test_the_first_call_starts_and_nothing_starts_before(
    thread: LoopThread[str], opened: Opened
) -> None:
    """Creating it starts nothing; the first call opens the context once, in the thread."""
    assert not thread.is_running
    assert [] == opened.steps
    assert 5 == thread.call(add, 2, other=3)
    assert "the value" == thread.start()
    assert ["opened in loop"] == opened.steps
    thread.stop()
    assert ["opened in loop", "closed"] == opened.steps
    assert not thread.is_running


def test_calls_of_many_threads_share_one_start(thread: LoopThread[str], opened: Opened) -> None:
    """Threads that call at the same time open the context once."""
    results: list[int] = []
    callers = [
        threading.Thread(target=lambda: results.append(thread.call(add, 1, other=1)))
        for _ in range(20)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert [2] * 20 == results
    assert 1 == len(opened.steps)


def test_exceptions_reach_the_caller(thread: LoopThread[str]) -> None:
    """A call raises what its function raises, and the next call works."""

    async def fail() -> None:
        raise LookupError("absent")

    with pytest.raises(LookupError, match="absent"):
        thread.call(fail)
    assert 3 == thread.call(add, 1, other=2)


def test_a_context_that_cannot_be_opened_raises_at_the_start() -> None:
    """A failed start raises its cause; the next start tries again."""
    tries: list[int] = []

    @asynccontextmanager
    async def open_at_second_try() -> AsyncIterator[str]:
        tries.append(1)
        if len(tries) == 1:
            raise UsageError("not yet")
        yield "open"

    thread = LoopThread(open_at_second_try)
    with pytest.raises(UsageError, match="not yet"):
        thread.start()
    assert not thread.is_running
    assert "open" == thread.start()
    thread.stop()


def test_after_stop_only_start_starts_again(thread: LoopThread[str], opened: Opened) -> None:
    """A late call of a stopped product does not open the service again; start() does."""
    thread.start()
    thread.stop()
    with pytest.raises(UsageError, match="stopped"):
        thread.call(add, 1, other=1)
    thread.start()
    assert 2 == thread.call(add, 1, other=1)
    assert 3 == len(opened.steps)


def test_stop_finishes_calls_under_way(thread: LoopThread[str], opened: Opened) -> None:
    """A call that runs when the stop begins returns its result; the context closes after it."""
    begun, end = threading.Event(), threading.Event()
    results: list[str] = []

    async def work() -> str:
        begun.set()
        await asyncio.to_thread(end.wait, 30)
        opened.steps.append("worked")
        return "done"

    caller = threading.Thread(target=lambda: results.append(thread.call(work)))
    caller.start()
    assert begun.wait(30)
    stopping = threading.Thread(target=thread.stop)
    stopping.start()
    end.set()
    caller.join(30)
    stopping.join(30)
    assert ["done"] == results
    assert ["opened in loop", "worked", "closed"] == opened.steps


def test_stop_cancels_calls_at_its_deadline(thread: LoopThread[str], opened: Opened) -> None:
    """A call that does not end is cancelled; its caller learns that it may have had an effect."""
    begun = threading.Event()
    raised: list[BaseException] = []

    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    def call() -> None:
        try:
            thread.call(hang)
        except UsageError as error:
            raised.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    assert begun.wait(30)
    thread.stop(timeout=0.1)
    caller.join(30)
    assert ["the event loop was stopped during this call"] == [str(one) for one in raised]
    assert "closed" == opened.steps[-1]


def test_closing_that_hangs_is_cancelled_at_the_deadline() -> None:
    """The steps of closing that follow the hanging one still run."""
    steps: list[str] = []

    @asynccontextmanager
    async def open_context() -> AsyncIterator[None]:
        try:
            yield
        finally:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                steps.append("closed")

    thread = LoopThread(open_context)
    thread.start()
    thread.stop(timeout=0.1)
    assert ["closed"] == steps


def test_a_failure_of_closing_is_raised() -> None:
    """stop() raises what closing raised."""

    @asynccontextmanager
    async def open_context() -> AsyncIterator[None]:
        yield
        raise OSError("the disk is full")

    thread = LoopThread(open_context)
    thread.start()
    with pytest.raises(OSError, match="disk"):
        thread.stop()


def test_a_blocking_call_on_the_event_loop_itself_is_refused(thread: LoopThread[str]) -> None:
    """It would wait for itself forever."""

    async def call_back() -> int:
        return thread.call(add, 1, other=1)

    with pytest.raises(UsageError, match="own event loop"):
        thread.call(call_back)


def test_a_forked_process_is_refused_with_the_remedy(thread: LoopThread[str]) -> None:
    """A fork copies no thread: calls there are refused, and stop() does nothing."""
    thread.start()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            thread.call(add, 1, other=1)
        except UsageError as error:
            thread.stop()
            os.write(writing, error.remedy.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        remedy = stream.read()
    os.waitpid(child, 0)
    assert "post_worker_init" in remedy
    assert 2 == thread.call(add, 1, other=1)


def test_a_fork_before_the_start_is_none_of_its_business(thread: LoopThread[str]) -> None:
    """Two processes forked before the first call each start their own."""
    child = os.fork()
    if not child:
        os._exit(thread.call(add, 1, other=1))
    assert 2 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert 2 == thread.call(add, 1, other=1)


@pytest.mark.parametrize(
    ("module", "function", "name"),
    [
        ("gevent.monkey", "is_module_patched", "gevent"),
        ("eventlet.patcher", "is_monkey_patched", "eventlet"),
    ],
)
def test_replaced_threads_are_refused_by_name(
    module: str, function: str, name: str, monkeypatch: pytest.MonkeyPatch, opened: Opened
) -> None:
    """A server on gevent or eventlet is refused once it has replaced a module, and only then."""
    patched = {"thread": False}
    fake = types.ModuleType(module)
    setattr(fake, function, lambda one: patched.get(one, False))
    monkeypatch.setitem(sys.modules, module, fake)
    refuse_unfit_server()
    patched["thread"] = True
    with pytest.raises(UsageError, match=name):
        LoopThread(opened.open).start()
    assert [] == opened.steps


def test_uwsgi_needs_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without enable-threads a thread of uWSGI's process never runs."""
    fake = types.ModuleType("uwsgi")
    fake.opt = {"http": b":8000"}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "uwsgi", fake)
    with pytest.raises(UsageError, match="uWSGI") as caught:
        refuse_unfit_server()
    assert "enable-threads" in caught.value.remedy
    for option in ({"enable-threads": True}, {b"threads": b"2"}):
        fake.opt = option  # type: ignore[attr-defined]
        refuse_unfit_server()


def test_the_interpreter_closes_it_before_it_refuses_threads(tmp_path: Path) -> None:
    """At the exit of the process the context closes, and may still use threads for it."""
    script = tmp_path / "product.py"
    script.write_text(
        """
import asyncio, threading
from contextlib import asynccontextmanager
from paraph.service.loop_thread import LoopThread

@asynccontextmanager
async def open_context():
    # As a database driver does it: a thread that ends only when the context is closed.
    closed = threading.Event()
    threading.Thread(target=closed.wait).start()
    yield
    print(await asyncio.to_thread(lambda: "closed in a thread"), flush=True)
    closed.set()

LoopThread(open_context).start()
"""
    )
    run = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=60, check=True
    )
    assert "closed in a thread\n" == run.stdout
    assert "" == run.stderr


def test_a_handler_that_hangs_does_not_hold_the_process(tmp_path: Path) -> None:
    """A plain function in a thread cannot be ended; the interpreter does not wait for it."""
    script = tmp_path / "product.py"
    script.write_text(
        """
import asyncio, threading, time
from contextlib import asynccontextmanager
from paraph.events.handlers import HandlerTarget
from paraph.service.loop_thread import LoopThread

begun = threading.Event()

def hang():
    begun.set()
    time.sleep(600)

@asynccontextmanager
async def open_context():
    target = HandlerTarget(None, [], None)
    asyncio.get_running_loop().run_in_executor(target._threads, hang)
    yield
    target.close()

LoopThread(open_context).start()
begun.wait()
"""
    )
    subprocess.run([sys.executable, script], timeout=60, check=True)
