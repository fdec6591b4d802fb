"""Group commit, and what is refused when the store cannot keep up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from events.inbox_kit import delivery_of, install, keep, kept, meeting, open_context, removal
from paraph.errors import InboxFull, StorageError
from paraph.events import inbox as inbox_module
from paraph.events.inbox import Inbox
from paraph.lifecycle.context import Context
from paraph.model.event import KeptEvent, Outcome

pytestmark = pytest.mark.anyio


class Gate:
    """A store that keeps nothing before it is told to, and then does."""

    def __init__(self, context: Context) -> None:
        self.store = context.store
        self.open = asyncio.Event()
        self.asked = asyncio.Event()
        self.batches: list[list[str]] = []

    async def keep_events(self, events: Sequence[KeptEvent], *, client_id: str) -> list[Outcome]:
        """Wait, then pass on."""
        self.batches.append([event.name for event in events])
        self.asked.set()
        await self.open.wait()
        return await self.store.keep_events(events, client_id=client_id)


async def test_what_arrives_during_a_commit_shares_the_next(context: Context) -> None:
    """One alone goes at once; a hundred that came meanwhile go together."""
    gate = Gate(context)
    inbox = Inbox(context, gate)
    first = asyncio.create_task(keep(inbox, meeting("first")))
    await gate.asked.wait()
    others = [asyncio.create_task(keep(inbox, meeting(str(number)))) for number in range(100)]
    await asyncio.sleep(0)
    assert not first.done()
    gate.open.set()
    assert [Outcome.KEPT] * 101 == await asyncio.gather(first, *others)
    assert [1, 100] == [len(batch) for batch in gate.batches]
    assert 101 == len(await kept(context))


async def test_a_deauthorization_stands_in_front(context: Context) -> None:
    """However many wait, a removal is in the next batch, first."""
    gate = Gate(context)
    inbox = Inbox(context, gate)
    tasks = [asyncio.create_task(keep(inbox, meeting("first")))]
    await gate.asked.wait()
    tasks += [asyncio.create_task(keep(inbox, meeting(str(number)))) for number in range(600)]
    tasks.append(asyncio.create_task(keep(inbox, removal())))
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(*tasks)
    assert "app_deauthorized" == gate.batches[1][0]


async def test_a_full_queue_refuses_early_and_never_a_deauthorization(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bound nothing is queued; a removal still is."""
    monkeypatch.setattr(inbox_module, "MOST_WAITING", 3)
    gate = Gate(context)
    inbox = Inbox(context, gate)
    first = asyncio.create_task(keep(inbox, meeting("first")))
    await gate.asked.wait()
    waiting = [asyncio.create_task(keep(inbox, meeting(str(number)))) for number in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(InboxFull):
        await keep(inbox, meeting("one too many"))
    urgent = asyncio.create_task(keep(inbox, removal()))
    await asyncio.sleep(0)
    gate.open.set()
    assert [Outcome.KEPT] * 5 == await asyncio.gather(first, *waiting, urgent)
    assert 5 == len(await kept(context))


async def test_a_store_that_hangs_refuses_everybody_in_time(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever, nobody gets a 200; when it comes back the retry is a duplicate."""
    monkeypatch.setattr(inbox_module, "KEEP_SECONDS", 0.05)
    gate = Gate(context)
    inbox = Inbox(context, gate)
    with pytest.raises(StorageError):
        await keep(inbox, meeting())
    with pytest.raises(InboxFull):
        await keep(inbox, meeting("2"))
    gate.open.set()
    await inbox.close()
    # From here on it answers, as quickly as this machine lets it.
    monkeypatch.undo()
    assert Outcome.DUPLICATE is await keep(inbox, meeting())
    assert Outcome.KEPT is await keep(inbox, meeting("2"))


async def test_closing_waits_for_what_was_taken_in(context: Context) -> None:
    """A graceful stop ends when the last delivery is kept."""
    inbox = Inbox(context)
    tasks = [asyncio.create_task(keep(inbox, meeting(str(number)))) for number in range(50)]
    await asyncio.sleep(0)
    await inbox.close()
    assert 50 == len(await kept(context))
    assert [Outcome.KEPT] * 50 == [task.result() for task in tasks]


async def test_a_sender_that_disconnects_delays_no_other(context: Context) -> None:
    """A cancelled waiter leaves the batch; the others are kept and answered."""
    gate = Gate(context)
    inbox = Inbox(context, gate)
    first = asyncio.create_task(keep(inbox, meeting("first")))
    await gate.asked.wait()
    gone, stays = (asyncio.create_task(keep(inbox, meeting(mark))) for mark in ("gone", "stays"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    gate.open.set()
    assert [Outcome.KEPT] * 2 == list(await asyncio.gather(first, stays))
    assert 2 == len(await kept(context))


async def test_an_event_of_an_account_without_an_installation_is_kept(database_url: str) -> None:
    """The signature makes it this app's, whether or not its account has installed the app."""
    async with open_context(database_url, installed=False) as context:
        inbox = Inbox(context)
        assert Outcome.KEPT is await keep(inbox, meeting("before"))
        await install(context)
        assert Outcome.KEPT is await keep(inbox, meeting("after"))


async def test_the_order_of_arrival_is_kept(context: Context) -> None:
    """Each event of a process arrives after the one before, also within one second."""
    inbox = Inbox(context)
    await asyncio.gather(*(keep(inbox, meeting(str(number))) for number in range(20)))
    marks = [
        one.body.split(b'"uuid": "')[1].split(b'"')[0] for one in await kept(context) if one.body
    ]
    assert [str(number).encode() for number in range(20)] == marks


async def test_more_than_one_statement_holds_is_kept(context: Context) -> None:
    """Batches of any size, duplicates among them, are kept exactly once."""
    inbox = Inbox(context)
    contents = [meeting(str(number % 700)) for number in range(1000)]
    outcomes = await asyncio.gather(*(keep(inbox, content) for content in contents))
    assert 700 == outcomes.count(Outcome.KEPT)
    assert 300 == outcomes.count(Outcome.DUPLICATE)
    assert 700 == len(await kept(context))
    assert 700 == inbox.flow.kept


async def test_only_verified_deliveries_get_in(context: Context) -> None:
    """The inbox takes what `verify_webhook` made; the digest of the signed bytes is its id."""
    delivery, event = delivery_of(meeting())
    await Inbox(context).keep(delivery, event)
    (one,) = await kept(context)
    assert delivery.body == one.body
    assert 64 == len(one.event_id)
