"""The event pages and redelivery."""

from __future__ import annotations

import re
from functools import partial

import pytest

from admin.operators import Desk
from paraph.admin.event_pages import PAGE
from paraph.events.redelivery import redeliver_dead
from paraph.lifecycle.hosted_installation import remove_installation
from paraph.model.event import EventStatus

pytestmark = pytest.mark.anyio


def _links(text: str) -> list[str]:
    return re.findall(r'href="/admin/events/([0-9a-f]{64})"', text)


async def test_newest_first_page_by_page(signed_in: Desk) -> None:
    """Each event once, in order, until nothing is older."""
    kept = [await signed_in.keep(number) for number in range(PAGE * 2 + 3)]
    path, seen = "/admin/events?status=dead", []
    for _ in range(3):
        page = (await signed_in.get(path)).text
        seen += _links(page)
        older = re.search(r'href="([^"]+)">Older</a>', page)
        path = older[1].replace("&amp;", "&") if older else ""
    assert "" == path
    assert kept == seen


async def test_by_status(signed_in: Desk) -> None:
    """Each list shows its own events; an empty list says that it is empty."""
    empty = (await signed_in.get("/admin/events?status=dead")).text
    assert "no event was given up" in empty
    now = signed_in.kit.service.context.now()
    dead = await signed_in.keep(1)
    waits = await signed_in.keep(2, status=EventStatus.RECEIVED, next_attempt_at=now + 600)
    done = await signed_in.keep(3, status=EventStatus.FORWARDED, handed_on_at=now)
    for status, event_id in (("dead", dead), ("received", waits), ("handed_on", done)):
        page = (await signed_in.get(f"/admin/events?status={status}")).text
        assert [event_id] == _links(page)
        assert f'?status={status}" aria-current="page"' in page
    assert [dead, waits, done] == _links((await signed_in.get("/admin/events")).text)


async def test_the_backlog_stands_on_top(signed_in: Desk) -> None:
    """The waiting events, the oldest one's age and the dead letters, as numbers and bars."""
    context = signed_in.kit.service.context
    now = context.now()
    async with context.store.transaction() as tx:
        # The notice of the installation, unless it went by itself already.
        await tx.events.mark_due_forwarded(now=now, limit=100)
    calm = (await signed_in.get("/admin/events")).text
    assert "<dt>waiting</dt><dd>0 " in calm and "<dt>dead letters</dt><dd>0 " in calm
    assert 3 == calm.count('width="0" height="4"') + calm.count('width="0.0" height="4"')
    await signed_in.keep(1)
    await signed_in.keep(
        2, received_at=now - 7300, status=EventStatus.RECEIVED, next_attempt_at=now + 600
    )
    busy = (await signed_in.get("/admin/events")).text
    assert "<dt>waiting</dt><dd>1 " in busy
    assert re.search(r'oldest</dt><dd class="words"><time [^>]+>2 h ago</time>', busy)
    assert '<dt>dead letter</dt><dd class="has-dead">1 ' in busy
    assert '<rect class="waiting" width="5.0" height="4"/>' in busy


async def test_a_forged_notice_does_not_look_like_one(signed_in: Desk) -> None:
    """An event of Zoom's with the name of a notice is shown with the prefix `zoom.`."""
    forged = await signed_in.keep(1, name="installation.removed")
    own = await signed_in.keep(2, name="installation.removed", notice=True)
    for event_id, name in ((forged, "zoom.installation.removed"), (own, "installation.removed")):
        shown = f"{name.replace('.', '.<wbr>')}<wbr></"
        assert f"<h1>{shown}" in (await signed_in.get(f"/admin/events/{event_id}")).text
        assert f'{event_id}">{shown}' in (await signed_in.get("/admin/events")).text


async def test_one_event_with_its_cause(signed_in: Desk) -> None:
    """Name, account, attempts, exact times and cause; a prefix of the id finds it."""
    event_id = await signed_in.keep(7)
    page = (await signed_in.get(f"/admin/events/{event_id}")).text
    for text in ("raised: CanaryCause", "meeting.<wbr>ended", "AbcDEFghiJKLmnoPQRst01", ">12<"):
        assert text in page
    assert re.search(r'<time datetime="[0-9T:-]+Z" title="[0-9 :-]+ UTC">1 min ago</time>', page)
    short = await signed_in.get(f"/admin/events/{event_id[:63]}")
    assert (303, f"/admin/events/{event_id}") == (short.status_code, short.headers["location"])
    assert 404 == (await signed_in.get("/admin/events/ffffffffffff")).status_code


async def test_redelivery(signed_in: Desk) -> None:
    """It is due again from its first attempt; the audit names the operator."""
    event_id = await signed_in.keep(1)
    response = await signed_in.press(f"/admin/events/{event_id}/redeliver")
    assert 303 == response.status_code
    event = await signed_in.event(event_id)
    assert (EventStatus.DEAD, "") != (event.status, event.failure)
    shown = (await signed_in.get(response.headers["location"])).text
    assert 'role="status">It will be delivered again' in shown
    operator = signed_in.key.split("_")[1]
    assert ("event.redelivered", {"event": event_id[:16], "operator": operator}) in (
        await signed_in.audited()
    )


async def test_a_removed_installation_gets_nothing_again(signed_in: Desk) -> None:
    """The page says why; the button of an older page is refused with the reason."""
    event_id = await signed_in.keep(1)
    csrf_token = await signed_in.csrf_token()
    (one,) = await signed_in.kit.installations()
    await remove_installation(signed_in.kit.service.context, one.link.link_id, reason="test")
    shown = await signed_in.get(f"/admin/events/{event_id}")
    assert "its installation was removed" in shown.text
    assert "Redeliver</button>" not in shown.text
    refused = await signed_in.client.post(
        f"/admin/events/{event_id}/redeliver", data={"csrf_token": csrf_token}
    )
    assert 400 == refused.status_code
    assert "It was not delivered again." in refused.text
    assert "Ask Zoom for the data itself, for an account that is installed." in refused.text
    assert EventStatus.FORWARDED is (await signed_in.event(event_id)).status


async def test_a_deleted_body_is_not_redelivered(signed_in: Desk) -> None:
    """Retention deleted the body, so nothing can be forwarded."""
    now = signed_in.kit.service.context.now()
    event_id = await signed_in.keep(
        1, status=EventStatus.FORWARDED, handed_on_at=now, failure="", body=None
    )
    refused = await signed_in.press(f"/admin/events/{event_id}/redeliver")
    assert 400 == refused.status_code
    assert "its body was deleted" in refused.text


async def test_a_deauthorization_has_no_button(signed_in: Desk) -> None:
    """The service retries it by itself; the same POST is refused."""
    event_id = await signed_in.keep(1, urgent=True, failure="")
    shown = await signed_in.get(f"/admin/events/{event_id}")
    assert "cannot be redelivered by hand" in shown.text
    assert "Redeliver</button>" not in shown.text
    assert 400 == (await signed_in.press(f"/admin/events/{event_id}/redeliver")).status_code


async def test_all_dead_letters_that_are_shown(signed_in: Desk) -> None:
    """Only the shown ones; the page says how many were refused."""
    kept = [await signed_in.keep(number) for number in range(3)]
    gone = await signed_in.keep(3, body=None)
    page = (await signed_in.get("/admin/events?status=dead")).text
    shown = re.findall(r'name="event" value="([0-9a-f]{64})"', page)
    assert [*kept, gone] == shown
    response = await signed_in.press("/admin/dead-letters/redeliver", event=shown[1:])
    told = (await signed_in.get(response.headers["location"])).text
    assert "2 events are being delivered again" in told
    assert "1 was refused: the body was deleted" in told
    assert [kept[0], gone] == _links(told)
    twice = await signed_in.press("/admin/dead-letters/redeliver", event=shown[1:])
    assert "refused=3" in twice.headers["location"]


@pytest.mark.parametrize(
    "query",
    [
        "status=lost",
        "status=DEAD",
        "after=%00",
        "after=" + "a" * 81,
        "after=%2e%2e/",
        "after=%27%20OR%201=1",
    ],
)
async def test_an_unknown_status_or_cursor_is_not_found(signed_in: Desk, query: str) -> None:
    """The page repeats nothing of the request."""
    response = await signed_in.get(f"/admin/events?{query}")
    assert (404, True) == (response.status_code, "There is nothing here" in response.text)


@pytest.mark.parametrize("query", ["redelivered=-1", "redelivered=<b>", "redelivered=9999", "x=y"])
async def test_an_invalid_result_count_is_not_shown(signed_in: Desk, query: str) -> None:
    """Only a small number is shown."""
    response = await signed_in.get(f"/admin/events?{query}")
    assert (200, False) == (response.status_code, "delivered again" in response.text)


async def test_names_are_escaped(signed_in: Desk) -> None:
    """Text from Zoom is escaped."""
    await signed_in.keep(1, name="<script>.x", account_id='"><img>', failure="<b>&")
    page = (await signed_in.get("/admin/events")).text
    assert "<script" not in page and "<img>" not in page and "<b>&" not in page
    assert "&lt;script&gt;" in page


async def test_a_pause_stands_on_every_page(signed_in: Desk) -> None:
    """Pausing and resuming are forms of ours; the operator stands on the pages and in the audit."""
    pages = ("events", "installations", "audit", "settings", "search", "events?status=dead")
    before = await signed_in.get("/admin/events")
    assert "Pause forwarding" in before.text and "Forwarding is paused" not in before.text
    assert 303 == (await signed_in.press("/admin/forwarding/pause")).status_code
    for page in pages:
        shown = (await signed_in.get(f"/admin/{page}")).text
        assert "Forwarding is paused" in shown, page
        assert "Pause forwarding" not in shown
    key_id = (await signed_in.audited())[-1][1]["operator"]
    assert f">{key_id}</span>. Deliveries" in shown
    assert 303 == (await signed_in.press("/admin/forwarding/resume")).status_code
    assert "Forwarding is paused" not in (await signed_in.get("/admin/events")).text
    assert [
        ("forwarding.paused", {"operator": key_id}),
        ("forwarding.resumed", {"operator": key_id}),
    ] == (await signed_in.audited())[-2:]


@pytest.mark.parametrize("action", ["pause", "resume"])
async def test_a_pause_needs_a_form_of_this_session(signed_in: Desk, action: str) -> None:
    """Without the CSRF token nothing happens."""
    refused = await signed_in.client.post(
        f"/admin/forwarding/{action}", data={"csrf_token": "0" * 64}
    )
    assert 403 == refused.status_code
    assert "Forwarding is paused" not in (await signed_in.get("/admin/events")).text


async def test_dead_letters_of_a_filter(signed_in: Desk) -> None:
    """The list, its pages and the redelivery use the same filter."""
    others = [await signed_in.keep(number) for number in range(3)]
    wanted = [
        await signed_in.keep(100 + number, failure="http 500 & more", name="recording.completed")
        for number in range(PAGE + 2)
    ]
    path = "/admin/events?status=dead&cause=500+%26+more&name=recording.completed"
    first = (await signed_in.get(path)).text
    assert wanted[:PAGE] == _links(first)
    older = re.search(r'href="([^"]+)">Older</a>', first)
    assert older is not None
    assert wanted[PAGE:] == _links((await signed_in.get(older[1].replace("&amp;", "&"))).text)
    done = await signed_in.press(
        "/admin/dead-letters/redeliver-matching", cause="500 & more", name="recording.completed"
    )
    assert f"{PAGE + 2} events are being" in (await signed_in.get(done.headers["location"])).text
    assert set(others) == set(_links((await signed_in.get("/admin/events?status=dead")).text))


async def test_refused_dead_letters_do_not_block_the_others(
    signed_in: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form continues after the letters of the previous call, refused ones too."""
    two = partial(redeliver_dead, limit=2)
    monkeypatch.setattr("paraph.admin.event_pages.redeliver_dead", two)
    gone = [await signed_in.keep(10 + number, body=None) for number in range(2)]
    wanted = await signed_in.keep(1)
    fields: dict[str, str] = {"name": "meeting.ended"}
    for redelivered, refused in ((0, 2), (1, 0)):
        done = await signed_in.press("/admin/dead-letters/redeliver-matching", **fields)
        shown = (await signed_in.get(done.headers["location"])).text
        assert (redelivered, refused) == (
            shown.count("1 event is being delivered again"),
            2 * shown.count("2 were refused"),
        )
        assert (redelivered == 0) == ("Redeliver the next that match</button>" in shown)
        fields.update(re.findall(r'name="(further)" value="([^"]+)"', shown))
    assert gone == _links(shown)
    assert wanted not in _links(shown)


@pytest.mark.parametrize(
    "query", ["further=abc", "name=%00", "from=2024-13-01", "before=now", f"cause={'x' * 256}"]
)
async def test_an_invalid_filter_is_not_found(signed_in: Desk, query: str) -> None:
    """The page repeats nothing of it."""
    assert 404 == (await signed_in.get(f"/admin/events?{query}")).status_code
