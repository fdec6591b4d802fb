"""The webhook: one answer to everything that proves nothing, 200 only for what is kept."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from paraph.model.event import KeptEvent
from paraph.simulator.webhooks.webhook_sender import encode_body, sign
from paraph.storage.database import Database
from paraph.storage.engines.sqlite_intake import SqliteIntake
from service_kit import ACCOUNT, Kit, running

pytestmark = pytest.mark.anyio

MEETING = {"account_id": ACCOUNT, "object": {"topic": "Tides"}}


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    """A service with one installation."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        await kit.install(browser)
        yield kit


async def kept(kit: Kit) -> list[KeptEvent]:
    """Zoom's events in the inbox."""
    async with kit.service.context.store.reading() as tx:
        return [one for one in await tx.events.page(limit=1000) if not one.notice]


async def test_every_refusal_is_the_same(kit: Kit) -> None:
    """Up to and including the MAC everything wrong has one status and one body."""
    body = json.dumps({"event": "meeting.ended", "payload": MEETING}).encode()
    now = str(int(time.time()))
    good = sign(kit.zoom.app.webhook_secret, now, body)
    wrong: list[dict[str, str]] = [
        {},
        {"x-zm-signature": good},
        {"x-zm-request-timestamp": now},
        {"x-zm-signature": "v0=", "x-zm-request-timestamp": now},
        {"x-zm-signature": good[:-1], "x-zm-request-timestamp": now},
        {"x-zm-signature": good.upper(), "x-zm-request-timestamp": now},
        {"x-zm-signature": f"v0={'0' * 64}", "x-zm-request-timestamp": now},
        {"x-zm-signature": good, "x-zm-request-timestamp": f"+{now[1:]}"},
        {"x-zm-signature": good, "x-zm-request-timestamp": f"{now}000"},
        {"x-zm-signature": good, "x-zm-request-timestamp": "nan"},
        {"x-zm-signature": good, "x-zm-request-timestamp": str(int(now) - 7300)},
        {"x-zm-signature": good, "x-zm-request-timestamp": str(int(now) + 400)},
        {"authorization": "verification-token"},
    ]
    async with kit.browser() as sender:
        answers = [await sender.post("/webhook", content=body, headers=one) for one in wrong]
        chunked = await sender.post("/webhook", content=_endless(), headers=wrong[6])
        latin = await sender.post(
            "/webhook",
            content=body,
            headers=[(b"x-zm-signature", b"v0=\xe9"), (b"x-zm-request-timestamp", now.encode())],
        )
    every = [*answers, chunked, latin]
    assert {(401, every[0].content)} == {(one.status_code, one.content) for one in every}
    assert await kept(kit) == []


async def _endless() -> AsyncIterator[bytes]:
    for _ in range(40):
        yield b"x" * 65536


async def test_two_signatures_are_refused(kit: Kit) -> None:
    """Nobody chooses which of two signatures or timestamps is read."""
    body = json.dumps({"event": "meeting.ended", "payload": MEETING}).encode()
    now = str(int(time.time()))
    good = sign(kit.zoom.app.webhook_secret, now, body)
    stamp = ("x-zm-request-timestamp", now)
    async with kit.browser() as sender:
        for pairs in (
            [("x-zm-signature", good), ("x-zm-signature", "v0=" + "0" * 64), stamp],
            [("x-zm-signature", good), stamp, stamp],
        ):
            answer = await sender.post("/webhook", content=body, headers=pairs)
            assert answer.status_code == 401


async def test_a_long_body_is_refused_by_its_announcement(kit: Kit) -> None:
    """A body that is announced too long is not read."""
    async with kit.browser() as sender:
        answer = await sender.post("/webhook", content=b"x" * ((1 << 20) + 1))
    assert answer.status_code == 413


async def test_mixed_escapes_are_accepted(kit: Kit) -> None:
    """Bytes that nobody who prints the JSON again would get are accepted as they were signed."""
    payload = {"account_id": ACCOUNT, "object": {"topic": "Café 🎉 / naïve"}}
    body = encode_body({"event": "meeting.started", "payload": payload}, variant="mixed_escapes")
    assert b"\\ud83c" in body
    assert "é".encode() in body
    assert (await kit.post_webhook("", {}, body=body)).status_code == 200
    (one,) = await kept(kit)
    async with kit.service.context.store.reading() as tx:
        found = await tx.events.get(one.event_id)
    assert found is not None
    assert body == found.body


async def test_a_reserialised_body_is_refused(kit: Kit) -> None:
    """The same JSON in other bytes than the signed ones proves nothing."""
    body = json.dumps(
        {"event": "meeting.ended", "payload": MEETING}, separators=(",", ":")
    ).encode()
    now = str(int(time.time()))
    signature = sign(kit.zoom.app.webhook_secret, now, body)
    async with kit.browser() as sender:
        answer = await sender.post(
            "/webhook",
            content=json.dumps(json.loads(body)).encode(),
            headers={"x-zm-signature": signature, "x-zm-request-timestamp": now},
        )
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{}",
        b'{"event":1}',
        b'{"event":"a b"}',
        b'{"event":"x","event":"y"}',
        b'{"event":"x","payload":[]}',
        b'{"event":"x","payload":{"a":NaN}}',
        b'\xef\xbb\xbf{"event":"x"}',
        b'{"event":"\\ud800"}',
        b"[" * 100_000,
        b'{"event":"x","payload":{"n":' + b"9" * 5000 + b"}}",
        b"\xff\xfe{\x00}\x00",
    ],
    ids=range(15),
)
async def test_signed_nonsense_is_a_400(kit: Kit, body: bytes) -> None:
    """What is signed and no event gets a 400, and never a 500."""
    answer = await kit.post_webhook("", {}, body=body)
    assert answer.status_code == 400
    assert await kept(kit) == []


async def test_a_replay_has_one_effect(kit: Kit) -> None:
    """The same signed bytes, twenty times at once and with new unsigned headers: one event."""
    body = json.dumps({"event": "meeting.ended", "payload": MEETING}).encode()
    answers = await asyncio.gather(*(kit.post_webhook("", {}, body=body) for _ in range(20)))
    late = await kit.post_webhook("", {}, body=body, timestamp=int(time.time()) - 1500)
    assert {200} == {one.status_code for one in [*answers, late]}
    assert len(await kept(kit)) == 1


async def test_a_removal_of_another_client_has_no_effect(kit: Kit) -> None:
    """A signed removal that names another client is answered 200 and not kept."""
    payload = {"client_id": "other", "account_id": ACCOUNT, "user_id": "u"}
    assert (await kit.post_webhook("app_deauthorized", payload)).status_code == 200
    assert await kept(kit) == []


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("foo.bar", {}),
        ("meeting.ended", {"object": {}}),
        ("foo.bar", {"account_id": "another-account"}),
        ("meeting.ended", {"account_id": "another-account", "object": {}}),
        ("account.created", {"account_id": "a-master", "object": {"id": "a-sub-account"}}),
    ],
)
async def test_an_event_without_an_installed_account_is_kept(
    kit: Kit, event: str, payload: dict[str, Any]
) -> None:
    """An event of no or another account is this app's, because the app's secret signed it."""
    assert (await kit.post_webhook(event, payload)).status_code == 200
    assert [event] == [one.name for one in await kept(kit)]


async def test_the_challenge_is_answered_when_signed(kit: Kit) -> None:
    """URL validation: the HMAC of the plain token under the secret that verified it."""
    import hashlib
    import hmac

    token = "qgg8vlvZRS6UYooatFL8Aw"
    answer = await kit.post_webhook("endpoint.url_validation", {"plainToken": token})
    expected = hmac.new(
        kit.zoom.app.webhook_secret.encode(), token.encode(), hashlib.sha256
    ).hexdigest()
    assert {"plainToken": token, "encryptedToken": expected} == answer.json()


async def test_the_signing_oracle_chain_fails_at_its_first_step(kit: Kit) -> None:
    """A challenge that asks for the MAC of a forged removal gets what every forgery gets."""
    now = str(int(time.time()))
    forged = json.dumps({"event": "app_deauthorized", "payload": kit.deauthorization()}).encode()
    body = json.dumps(
        {
            "event": "endpoint.url_validation",
            "payload": {"plainToken": f"v0:{now}:{forged.decode()}"},
        }
    ).encode()
    async with kit.browser() as sender:
        unsigned = await sender.post("/webhook", content=body)
        plain = await sender.post("/webhook", content=b"{}")
    signed = await kit.post_webhook("", {}, body=body)
    assert (401, plain.content) == (unsigned.status_code, unsigned.content)
    assert signed.status_code == 400
    assert "encryptedToken" not in signed.text
    assert len(await kit.installations()) == 1


async def test_a_full_disk_answers_503(kit: Kit) -> None:
    """What is not on disk is never answered 200: Zoom is told to come again."""
    store = kit.service.context.store
    assert isinstance(store, Database)
    payload = {"account_id": ACCOUNT, "object": {"topic": "x" * 200_000}}
    body = json.dumps({"event": "meeting.ended", "payload": payload}).encode()
    # SQLite grows no further than this many pages: the same error as that of a full disk.
    await _allow_pages(store, 1)
    assert 503 == (await kit.post_webhook("", {}, body=body)).status_code
    assert [] == await kept(kit)
    await _allow_pages(store, 1 << 30)
    assert 200 == (await kit.post_webhook("", {}, body=body)).status_code
    assert 1 == len(await kept(kit))


async def _allow_pages(store: Database, count: int) -> None:
    intake = store._intake
    assert isinstance(intake, SqliteIntake)
    await intake.call(lambda driver: driver.execute(f"PRAGMA max_page_count = {count}"))
