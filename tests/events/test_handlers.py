"""Handlers: chosen by name, handed what they ask for, and at least once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from events.inbox_kit import install, keep, kept, meeting
from paraph.errors import UsageError
from paraph.events.handlers import HandedEvent, Handlers
from paraph.events.inbox import Inbox
from paraph.events.recipients import Recipients, find_recipients
from paraph.lifecycle.context import Context
from paraph.model.event import KeptEvent
from paraph.values import Installation
from storage import sample

pytestmark = pytest.mark.anyio


async def _kept(context: Context, content: dict[str, Any] | None = None) -> KeptEvent:
    await keep(Inbox(context), content or meeting())
    return (await kept(context))[-1]


async def _recipients(context: Context, event: KeptEvent) -> Recipients:
    """The recipients of a kept event, which is claimed for it."""
    now = event.next_attempt_at
    async with context.store.transaction() as tx:
        claimed = (await tx.events.claim(now=now, until=now + 60, limit=100, urgent=False)).events
    (mine,) = [one for one in claimed if one.event_id == event.event_id]
    found = await find_recipients(context, mine)
    assert found is not None
    return found


async def test_a_handler_is_handed_event_installation_and_client(context: Context) -> None:
    """All three, of the person whom the event names."""
    handlers = Handlers()
    seen: list[tuple[HandedEvent, Installation | None, Any]] = []

    @handlers.on("meeting.*")
    async def meeting_handler(event: HandedEvent, installation: Installation, zoom: Any) -> None:
        seen.append((event, installation, zoom))

    event = await _kept(context)
    await handlers.bind(context, client_of=lambda one: f"client of {one.subject}").forward(
        event, await _recipients(context, event)
    )
    ((handed, installation, client),) = seen
    assert ("meeting.ended", "canary-topic-1") == (handed.name, handed.payload["object"]["topic"])
    assert event.body == handed.body and event.event_id == handed.id
    assert installation is not None and "link-1" == installation.id
    assert "client of subject-1" == client


async def test_patterns_choose_by_name(context: Context) -> None:
    """A name means itself, a star what begins so; nothing else is called."""
    handlers = Handlers()
    called: list[str] = []
    for pattern in (
        "meeting.ended",
        "meeting.*",
        "*",
        "meeting.e",
        "meeting.ended.*",
        "recording.*",
    ):
        handlers.on(pattern)(_noting(called, pattern))
    await handlers.bind(context).forward(await _kept(context), Recipients())
    assert ["meeting.ended", "meeting.*", "*"] == called


def _noting(called: list[str], pattern: str) -> Callable[[HandedEvent], None]:
    def handler(_event: HandedEvent) -> None:
        called.append(pattern)

    return handler


async def test_an_event_that_names_no_user_has_all_installations(context: Context) -> None:
    """An event that names no user has every installation of its account, and no single one."""
    await install(context, "2")
    handlers = Handlers()
    seen: list[Any] = []

    @handlers.on("*")
    async def handler(event: HandedEvent, installation: Installation | None) -> None:
        seen.append((installation, len(event.installations)))

    event = await _kept(context, meeting(host_id=""))
    await handlers.bind(context).forward(event, await _recipients(context, event))
    assert [(None, 2)] == seen


async def test_what_a_handler_raises_is_a_failed_attempt(context: Context) -> None:
    """It reaches the dispatcher, which retries."""
    handlers = Handlers()

    @handlers.on("*")
    def handler(_event: HandedEvent) -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await handlers.bind(context).forward(await _kept(context), Recipients())


async def test_a_handler_that_fails_keeps_no_other_from_running(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    """Every handler runs; each exception is logged with its traceback, and the attempt failed."""
    handlers = Handlers()
    called: list[str] = []

    @handlers.on("*")
    def plain(_event: HandedEvent) -> None:
        called.append("plain")
        raise KeyError("of the plain one")

    @handlers.on("*")
    async def asynchronous(_event: HandedEvent) -> None:
        called.append("asynchronous")
        raise ValueError("of the asynchronous one")

    handlers.on("meeting.ended")(_noting(called, "good"))
    with pytest.raises(KeyError):
        await handlers.bind(context).forward(await _kept(context), Recipients())
    assert ["plain", "asynchronous", "good"] == called
    assert ["paraph.handlers"] * 2 == [record.name for record in caplog.records]
    assert 2 == caplog.text.count("Traceback (most recent call last)")
    assert "of the plain one" in caplog.text and "of the asynchronous one" in caplog.text
    assert ".plain failed for the event meeting.ended (attempt 0)" in caplog.text


@pytest.mark.parametrize("is_plain", [True, False])
@pytest.mark.parametrize("error", [StopIteration(), SystemExit(3), asyncio.CancelledError()])
async def test_whatever_a_handler_raises_the_others_run(
    context: Context, error: BaseException, *, is_plain: bool
) -> None:
    """What ends a loop or a task when anybody else raises it is a failed attempt here."""
    handlers = Handlers()
    called: list[str] = []

    def plain(_event: HandedEvent) -> None:
        raise error

    async def asynchronous(_event: HandedEvent) -> None:
        raise error

    handlers.on("*")(plain if is_plain else asynchronous)
    handlers.on("*")(_noting(called, "good"))
    with pytest.raises(RuntimeError):
        await handlers.bind(context).forward(await _kept(context), Recipients())
    assert ["good"] == called


async def test_an_attempt_that_is_cancelled_ends(context: Context) -> None:
    """The end of an attempt's time is no exception of a handler's."""
    handlers = Handlers()
    called: list[str] = []
    begun = asyncio.Event()

    @handlers.on("*")
    async def hangs(_event: HandedEvent) -> None:
        begun.set()
        await asyncio.Event().wait()

    handlers.on("*")(_noting(called, "never"))
    attempt = asyncio.create_task(
        handlers.bind(context).forward(await _kept(context), Recipients())
    )
    await begun.wait()
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert [] == called


async def test_an_event_of_a_notices_name_reaches_no_handler_of_notices(context: Context) -> None:
    """An event that is signed with a leaked secret never becomes a notice."""
    handlers = Handlers()
    called: list[tuple[str, bool]] = []

    def noting(by: str) -> Callable[[HandedEvent], None]:
        return lambda event: called.append((by, event.is_notice))

    for pattern in ("installation.removed", "installation.*", "installation.re*", "*"):
        handlers.on(pattern)(noting(pattern))
    target = handlers.bind(context)
    forged = await _kept(context, meeting() | {"event": "installation.removed"})
    await target.forward(forged, Recipients())
    assert [("*", False)] == called
    called.clear()
    notice = replace(sample.event(), name="installation.removed", notice=True, body=b"{}")
    await target.forward(notice, Recipients())
    assert [
        ("installation.removed", True),
        ("installation.*", True),
        ("installation.re*", True),
        ("*", True),
    ] == called


async def test_a_notice_has_only_its_own_installation(context: Context) -> None:
    """The only other installation of the account is not handed in for one that was removed."""
    handlers = Handlers()
    seen: list[Any] = []

    @handlers.on("installation.*")
    async def handler(event: HandedEvent, installation: Installation | None) -> None:
        seen.append(None if installation is None else installation.id)
        assert len(event.installations) == (installation is not None)

    target = handlers.bind(context)
    for link_id in ("link-9", "link-1"):
        body = json.dumps({"installation": {"id": link_id}}).encode()
        name = "installation.activated"
        await target.forward(
            replace(sample.event(), name=name, notice=True, body=body), Recipients()
        )
    assert [None, "link-1"] == seen


async def test_notices_are_delivered_too(context: Context) -> None:
    """What the host must hear of its installations has the notice itself as payload."""
    handlers = Handlers()
    seen: list[Any] = []

    @handlers.on("installation.removed")
    async def handler(event: HandedEvent) -> None:
        seen.append(event.payload)

    notice = replace(
        sample.event(), name="installation.removed", notice=True, body=b'{"reason":"asked"}'
    )
    await handlers.bind(context).forward(notice, Recipients())
    assert [{"reason": "asked"}] == seen


@pytest.mark.parametrize("pattern", ["", "meeting ended", "*.ended", "meet*ing", "meeting.**"])
def test_a_pattern_that_means_nothing_is_refused(pattern: str) -> None:
    """At registration, not by silence later."""
    with pytest.raises(UsageError):
        Handlers().on(pattern)


def test_a_handler_with_other_parameters_is_refused() -> None:
    """One to three values are handed in."""
    with pytest.raises(UsageError):
        Handlers().on("*")(lambda: None)


async def test_a_handlers_own_keyword_is_left_to_its_default(context: Context) -> None:
    """A keyword is no value to hand in; one without a default is refused."""
    handlers = Handlers()
    seen: list[tuple[str, bool]] = []

    @handlers.on("meeting.*")
    async def keyword(event: HandedEvent, *, verbose: bool = False) -> None:
        seen.append((event.name, verbose))

    event = await _kept(context)
    await handlers.bind(context).forward(event, await _recipients(context, event))
    assert [("meeting.ended", False)] == seen

    async def demanding(event: HandedEvent, *, verbose: bool) -> None: ...

    with pytest.raises(UsageError, match="verbose"):
        handlers.on("meeting.*")(demanding)
