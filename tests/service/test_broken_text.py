"""Names that were cut within a character, through all of the service, on every kind of store."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events.test_http_target import Host, forwarding, listening
from paraph.events.recipients import Recipients
from paraph.model.event import KeptEvent
from paraph.service.app import open_service
from paraph.simulator.pytest_plugin import SimulatedZoom
from scripted_zoom import Scripted, ScriptedZoom, scripted_zoom
from service_kit import ACCOUNT, JANE, Kit, give_back, settings_for, simulated_zoom

pytestmark = pytest.mark.anyio

# As programs write them: half a pair as an escape, the other half, and bytes without their end.
HALVES = [b"\\ud83d", b"\\ude00", b"\xf0\x9f"]


def user(**changes: bytes) -> Scripted:
    """The answer of users/me, with raw JSON text in some members."""
    fields = {
        "id": JANE.encode(),
        "account_id": ACCOUNT.encode(),
        "email": b"jane@example.com",
        "display_name": b"Jane",
        **changes,
    }
    pairs = b",".join(b'"%b":"%b"' % (name.encode(), text) for name, text in fields.items())
    return Scripted(pieces=[b"{%b}" % pairs])


@asynccontextmanager
async def service(
    folder: Path, rest: ScriptedZoom, **changes: Any
) -> AsyncIterator[tuple[Kit, SimulatedZoom]]:
    """A service whose REST API is scripted."""
    zoom = simulated_zoom()
    settings = settings_for(zoom, folder, api_servers=(rest.url,), **changes)
    async with open_service(settings) as opened:
        yield Kit(zoom, opened, settings), zoom
    give_back(zoom)


async def test_a_person_whose_name_is_broken_can_install(tmp_path: Path, database_url: str) -> None:
    """The name is cleaned; the host gets JSON that every parser reads."""
    with scripted_zoom() as rest:
        async with (
            service(tmp_path, rest, database_url=database_url) as (kit, _zoom),
            kit.browser() as browser,
        ):
            api = await kit.api("read")
            for half in HALVES:
                rest.ordinary = user(display_name=b"Jane " + half, email=half + b"@example.com")
                done = await kit.install(browser)
                assert (303, "/installed") == (done.status_code, done.headers["location"])
                (one,) = await kit.installations()
                assert "Jane \ufffd" == one.grant.display_name
                assert "\ufffd@example.com" == one.grant.email
                shown = await api.get("/v1/installations")
                assert msgspec.json.decode(shown.content)["installations"]
            await api.aclose()


async def test_an_identifier_that_is_broken_is_refused(tmp_path: Path) -> None:
    """An id is never cleaned: two that were cut in different places would become one."""
    with scripted_zoom() as rest:
        async with service(tmp_path, rest) as (kit, _zoom), kit.browser() as browser:
            for name in ("id", "account_id"):
                for half in HALVES:
                    rest.ordinary = user(**{name: b"Jane" + half})
                    assert (await kit.install(browser)).status_code == 400
            assert [] == list(await kit.installations())


async def test_a_signed_event_is_kept_and_forwarded(tmp_path: Path, database_url: str) -> None:
    """Its body is kept as it was signed; the host gets it whole, and cleaned if it is broken."""
    with scripted_zoom() as rest:
        rest.ordinary = user()
        async with (
            service(tmp_path, rest, database_url=database_url) as (kit, _zoom),
            kit.browser() as browser,
            listening(Host()) as host,
            forwarding(kit.service.context, host.url) as forwarder,
        ):
            await kit.install(browser)
            for text in (*HALVES, b"\\u0000", b"\\u001b[2J", b"\\ud83d\\ude00"):
                kept = await keep(kit, text)
                await forwarder.forward(kept, Recipients())
                posted = host.requests[-1].body
                told = msgspec.json.decode(posted)["data"]["event"]
                is_broken = text in HALVES
                expected = "T \ufffd" if is_broken else json.loads(b'"T %b"' % text)
                assert expected == told["payload"]["object"]["topic"]
                assert is_broken == ((kept.body or b"") not in posted)


async def keep(kit: Kit, text: bytes) -> KeptEvent:
    """Deliver an event with a text, twice; the event that is kept."""
    payload = b'{"account_id":"%b","object":{"topic":"T %b"}}' % (ACCOUNT.encode(), text)
    body = b'{"event":"meeting.ended","payload":' + payload + b"}"
    for _ in range(2):
        assert 200 == (await kit.post_webhook("", {}, body=body)).status_code
    async with kit.service.context.store.reading() as tx:
        found = [await tx.events.get(one.event_id) for one in await tx.events.page(limit=20)]
    (kept,) = [one for one in found if one is not None and one.body == body]
    return kept
