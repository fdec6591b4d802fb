"""Two people of one account, one removal, and a host that was away: who receives what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from paraph.secret import Secret
from service_kit import ACCOUNT, JANE, RAVI, Kit, agree_as, running

pytestmark = pytest.mark.anyio

# Ten kinds, each naming its user in another place.
KINDS: dict[str, Any] = {
    "meeting.ended": lambda user: {"object": {"host_id": user}},
    "recording.completed": lambda user: {"object": {"host_id": user, "id": "1"}},
    "user.updated": lambda user: {"operator_id": "Admin", "object": {"id": user}},
    "phone.callee_answered": lambda user: {"object": {"callee": {"user_id": user}}},
    "phone.recording_completed": lambda user: {
        "object": {"recordings": [{"owner": {"type": "user", "id": user}}]}
    },
    "contact_center.team_members_assigned": lambda user: {"object": {"user_ids": [user]}},
    "bot_notification": lambda user: {"userId": user, "accountId": ACCOUNT},
    "team_chat.dm_message_posted": lambda user: {"operator_id": user, "object": {"id": "1"}},
    "whiteboard.created": lambda user: {"operator_id": user, "object": {"id": "w"}},
    "scheduler.scheduled_event_created": lambda user: {"user_id": user, "object": {}},
}
WITHOUT_ACCOUNT = {"whiteboard.created", "bot_notification"}


@dataclass
class HostProduct:
    """The host's endpoint: away at first, and then it takes everything."""

    is_away: bool = True
    received: list[dict[str, Any]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests on one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    int(line.partition(b":")[2])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                )
                body = await reader.readexactly(length)
                if not self.is_away:
                    self.received.append(json.loads(body))
                status = b"503 Away" if self.is_away else b"204 No Content"
                writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\n\r\n")
                self.changed.set()
        except asyncio.IncompleteReadError:
            writer.close()

    async def until(self, count: int) -> None:
        """Wait until so many were received."""
        while len(self.received) < count:
            self.changed.clear()
            await self.changed.wait()


@asynccontextmanager
async def host_product() -> AsyncIterator[tuple[HostProduct, str]]:
    """A host on a socket, and its URL."""
    host = HostProduct()
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0)
    try:
        yield host, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"
    finally:
        server.close()


async def post_all(kit: Kit, *users: str, mark: str) -> None:
    """One event of each kind for each user."""
    for name, payload_for in KINDS.items():
        for user in users:
            account = {} if name in WITHOUT_ACCOUNT else {"account_id": ACCOUNT}
            payload = {**account, **payload_for(user), "mark": mark}
            answer = await kit.post_webhook(name, payload)
            assert 200 == answer.status_code


async def test_nothing_of_a_removed_user_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of ten kinds of events none of the removed user arrives, and all of the other user do."""
    monkeypatch.setattr("paraph.events.dispatch.FIRST_WAIT", 0)
    async with (
        host_product() as (host, url),
        running(tmp_path, forward_url=url, forward_secrets=(Secret("forwarding-key-4jT8"),)) as kit,
    ):
        for user in (JANE, RAVI):
            agree_as(kit.zoom, user)
            async with kit.browser() as browser:
                await kit.install(browser)
        assert 2 == len(await kit.installations())
        await post_all(kit, JANE, RAVI, mark="before")
        await kit.post_webhook("app_deauthorized", kit.deauthorization())
        while len(await kit.installations()) == 2:  # noqa: ASYNC110 - Another task carries it out.
            await asyncio.sleep(0.01)
        # Retries and late events of hers, and new ones of his.
        await post_all(kit, JANE, RAVI, mark="after")
        host.is_away = False
        async with asyncio.timeout(60):
            # His twenty, and three notices.
            await host.until(23)
            await until_idle(kit)
        async with await kit.api() as api:
            metrics = (await api.get("/metrics", headers={"authorization": ""})).text
    events = [one["data"] for one in host.received if one["type"].startswith("zoom.")]
    assert sorted(2 * [f"zoom.{name}" for name in KINDS]) == sorted(
        one["type"] for one in host.received if one["type"].startswith("zoom.")
    )
    assert [] == [one for one in events if JANE in json.dumps(one)]
    whose = {
        (one["zoom"]["user_id"], one["zoom"]["account_id"])
        for event in events
        for one in event["installations"]
    }
    assert {(RAVI, ACCOUNT)} == whose
    assert {"concerned_users"} == {one["selected_by"] for one in events}
    notices = sorted(one["type"] for one in host.received if one["type"].startswith("inst"))
    assert 2 * ["installation.activated"] + ["installation.removed"] == notices
    dropped = 'paraph_events_dropped_total{reason="removed_user"}'
    assert f"{dropped} {float(len(KINDS))}" in metrics.splitlines()


async def until_idle(kit: Kit) -> None:
    """Wait until no event waits any more."""
    while True:
        async with kit.service.context.store.reading() as tx:
            if not (await tx.events.backlog()).waiting:
                return
        await asyncio.sleep(0.05)
