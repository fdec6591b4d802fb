"""What is seen of deliveries from outside, and the modes of the webhook."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from paraph.endpoints import webhook_endpoint, webhook_stats
from paraph.endpoints.webhook_endpoint import WebhookEndpoint
from paraph.http import refusals
from paraph.http.endpoint import ReadBody
from paraph.simulator.webhooks.webhook_sender import sign
from paraph.zoom.webhook_response import CHALLENGE_BURST
from paraph.zoom.webhook_verification import MAX_BODY_BYTES
from service_kit import ACCOUNT, Kit, running, webhook_of

pytestmark = pytest.mark.anyio

MEETING = {"account_id": ACCOUNT, "object": {"topic": "canary-topic"}}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Kit]:
    """A service with one installation."""
    async with running(tmp_path) as kit, kit.browser() as browser:
        await kit.install(browser)
        yield kit


async def _metrics(kit: Kit) -> dict[str, float]:
    api = await kit.api()
    async with api:
        text = (await api.get("/metrics", headers={"authorization": ""})).text
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def _endpoint(kit: Kit) -> WebhookEndpoint:
    return webhook_of(kit.service)


async def test_metrics_count_every_kind(kit: Kit) -> None:
    """Kept, duplicate, not ours, and each refusal by its reason; labels from fixed words."""
    body = json.dumps({"event": "meeting.ended", "payload": MEETING}).encode()
    await kit.post_webhook("", {}, body=body)
    await kit.post_webhook("", {}, body=body)
    await kit.post_webhook("meeting.ended", {"account_id": "another"})
    await kit.post_webhook("meeting.ended", {"account_id": "another", "object": {}})
    await kit.post_webhook("app_deauthorized", kit.deauthorization(client_id="another"))
    await kit.post_webhook("", {}, body=body, secret="somebody else's secret")
    await kit.post_webhook("", {}, body=body, timestamp=1_600_000_000)
    await kit.post_webhook("", {}, body=b"[]")
    found = await _metrics(kit)
    expected = {
        'paraph_deliveries_total{outcome="kept"}': 3,
        'paraph_deliveries_total{outcome="duplicate"}': 1,
        'paraph_deliveries_total{outcome="not_ours"}': 1,
        'paraph_deliveries_total{outcome="removed"}': 0,
        'paraph_events_dropped_total{reason="other_client"}': 1,
        'paraph_events_dropped_total{reason="removed_user"}': 0,
        'paraph_deliveries_refused_total{reason="signature_mismatch"}': 1,
        'paraph_deliveries_refused_total{reason="stale_timestamp"}': 1,
        'paraph_deliveries_refused_total{reason="event_invalid"}': 1,
        "paraph_events_dead": 0,
    }
    assert expected == {name: found[name] for name in expected}


async def test_a_stale_genuine_delivery_raises_the_alarm(kit: Kit) -> None:
    """Refused like everything stale, and told to people: this clock may be wrong."""
    late = int(time.time()) - 9000
    answer = await kit.post_webhook("meeting.ended", MEETING, timestamp=late)
    assert 401 == answer.status_code
    async with kit.browser() as browser:
        ready = (await browser.get("/readyz")).json()
    assert (True, 1) == (ready["ready"], ready["late_deliveries"])
    assert ready["late_by_seconds"] in range(8999, 9060)
    assert 1 == (await _metrics(kit))["paraph_deliveries_late_total"]


async def test_only_a_sample_of_stale_deliveries_is_checked(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of stale ones costs no MAC each."""
    monkeypatch.setattr(webhook_stats, "SAMPLES", 2)
    monkeypatch.setattr(webhook_stats, "SAMPLE_SECONDS", 3600)
    for _ in range(5):
        await kit.post_webhook("meeting.ended", MEETING, timestamp=1_600_000_000)
    assert 2 == _endpoint(kit).watch.late


async def test_during_a_rotation_a_wrong_mac_is_told_to_come_again(tmp_path: Path) -> None:
    """503 until the end of the mode, 401 behind it; what is stale or misshapen stays refused."""
    for until, expected in ((int(time.time()) + 60, 503), (int(time.time()) - 1, 401)):
        (folder := tmp_path / str(expected)).mkdir()
        async with running(folder, webhook_rotation_until=until) as kit:
            wrong = await kit.post_webhook("meeting.ended", MEETING, secret="the new, unknown one")
            stale = await kit.post_webhook("meeting.ended", MEETING, timestamp=1_600_000_000)
            assert (expected, 401) == (wrong.status_code, stale.status_code)


async def test_challenges_have_a_budget_of_their_own(kit: Kit) -> None:
    """Signed challenges are signed what they chose: a few, then 429; deliveries go on."""
    challenge = {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}
    answers = [
        (await kit.post_webhook("endpoint.url_validation", challenge)).status_code
        for _ in range(CHALLENGE_BURST + 5)
    ]
    assert {200, 429} == set(answers)
    assert 200 == (await kit.post_webhook("meeting.ended", MEETING)).status_code


async def test_a_slow_body_gets_the_same_refusal(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who never ends sending is refused like every other, and holds nothing."""
    stamp = str(int(time.time()))
    scope = {
        "type": "http",
        "path": "/webhook",
        "method": "POST",
        "headers": [
            (b"x-zm-signature", sign(kit.zoom.app.webhook_secret, stamp, b"x").encode()),
            (b"x-zm-request-timestamp", stamp.encode()),
        ],
    }
    sent: list[Any] = []
    parts = [{"type": "http.request", "body": b"x" * 1000, "more_body": True}]

    async def receive() -> Any:
        if parts:
            return parts.pop()
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    monkeypatch.setattr(webhook_endpoint, "_READ_BODY", ReadBody(MAX_BODY_BYTES, 0.05))
    await kit.service.public(scope, receive, send)
    assert 401 == sent[0]["status"]
    assert 0 == kit.service.public._bodies._all.counted


async def test_a_line_for_each_delivery_and_one_for_a_flood(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    """Deliveries are named by digest, name and outcome; refusals are counted in one line."""
    monkeypatch.setattr(refusals, "SUMMARY_SECONDS", 0.3)
    await kit.post_webhook("meeting.ended", MEETING)
    for _ in range(30):
        await kit.post_webhook("meeting.ended", MEETING, secret="somebody else's secret")
    await asyncio.sleep(0.6)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    taken = [line for line in lines if line["event"] == "delivery.taken"]
    refused = [line for line in lines if line["event"] == "deliveries.refused"]
    assert [("meeting.ended", "kept", "inbox")] == [
        (line["event_name"], line["outcome"], line["part"]) for line in taken
    ]
    assert 30 == sum(line["count"] for line in refused)
    assert len(refused) < 10
    assert "canary" not in log.getvalue() and ACCOUNT not in log.getvalue()


async def test_the_trace_of_a_delivery_is_kept(kit: Kit) -> None:
    """A well-formed traceparent goes with the event; anything else does not."""
    for number, value in enumerate([TRACE, "00-zz", TRACE.upper()]):
        body = json.dumps({"event": "meeting.ended", "payload": MEETING, "n": number}).encode()
        stamp = str(int(time.time()))
        async with kit.browser() as sender:
            answer = await sender.post(
                "/webhook",
                content=body,
                headers={
                    "traceparent": value,
                    "x-zm-signature": sign(kit.zoom.app.webhook_secret, stamp, body),
                    "x-zm-request-timestamp": stamp,
                },
            )
        assert 200 == answer.status_code
    async with kit.service.context.store.reading() as tx:
        traces = [one.trace for one in await tx.events.page() if not one.notice]
    assert [TRACE, "", ""] == sorted(traces, reverse=True)
