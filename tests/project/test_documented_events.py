"""The reference of events says what the service really forwards: examples, schema and fields."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from api.installed import Installed
from lifecycle.linking import link
from paraph.secret import Secret
from service_kit import JANE, Kit, agree_as, running

pytestmark = pytest.mark.anyio
REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
SCHEMA: dict[str, Any] = json.loads((REFERENCE / "event-envelope.schema.json").read_bytes())
PAGE = (REFERENCE / "events.md").read_text(encoding="utf-8")
EXAMPLES = {
    one["type"]: one
    for one in map(json.loads, re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
}
NOTICES = {
    *("installation.activated", "installation.moved"),
    *("installation.removed", "installation.needs_reauthorization"),
}
OF_ZOOM = sorted(EXAMPLES.keys() - NOTICES)
# Objects of these names are Zoom's: their members are not paraph's to document.
FOREIGN = {"zoom_event"}


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that also refuses members which it does not name."""
    strict: dict[str, Any] = json.loads(json.dumps(schema))
    for name, one in strict["$defs"].items():
        if name not in FOREIGN:
            one["additionalProperties"] = False
    strict["additionalProperties"] = False
    return strict


def problems(envelope: Any, schema: dict[str, Any] = SCHEMA) -> list[str]:
    """Every way in which an envelope is not what the schema says."""
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    return [error.message for error in validator.iter_errors(envelope)]


def members(value: Any, path: str = "") -> Iterator[str]:
    """The paths of all members of an envelope, without those inside Zoom's event."""
    if isinstance(value, dict) and not path.endswith(".event"):
        for name, one in value.items():
            yield f"{path}.{name}"
            yield from members(one, f"{path}.{name}")


class Host:
    """The host's endpoint: it keeps every envelope."""

    def __init__(self) -> None:
        self.received: dict[str, dict[str, Any]] = {}
        self.headers: list[dict[str, str]] = []
        self._changed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests on one connection."""
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                pairs = [line.partition(": ") for line in head.split("\r\n")[1:-2]]
                headers = {name.lower(): value for name, _colon, value in pairs}
                envelope = json.loads(await reader.readexactly(int(headers["content-length"])))
                # The first notice of a kind: `activated` comes again after a move.
                self.received.setdefault(envelope["type"], envelope)
                self.headers.append(headers)
                writer.write(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n")
                self._changed.set()
        except asyncio.IncompleteReadError:
            writer.close()

    async def until(self, *kinds: str) -> None:
        """Wait until these have arrived."""
        async with asyncio.timeout(30):
            while not set(kinds) <= self.received.keys():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def host_and_service(folder: Path) -> AsyncIterator[tuple[Host, Kit]]:
    """A service that forwards to a host on a socket."""
    host = Host()
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks"
    secrets = (Secret("forwarding-key-4jT8"),)
    try:
        changes = {"linking": "host", "forward_url": url, "forward_secrets": secrets}
        async with running(folder, **changes) as kit:
            yield host, kit
    finally:
        server.close()


async def end_tokens(kit: Kit, installation: str) -> None:
    """Let Zoom lose every token: the next refresh shows that a new consent is needed."""
    nothing: Any = None
    async with await kit.api("vend") as api:
        one = Installed(kit, nothing, api, installation)
        await one.expire()
        kit.zoom.simulator.ledger.clear()
        assert 409 == (await one.vend("acct_43")).status_code


async def test_the_examples_are_what_is_forwarded(tmp_path: Path) -> None:
    """Each documented event and notice is forwarded with the members and values of its example."""
    async with host_and_service(tmp_path) as (host, kit), await kit.api() as api:
        agree_as(kit.zoom, JANE)
        await link(kit, api, "acct_42")
        for kind in OF_ZOOM:
            sent = EXAMPLES[kind]["data"]["event"]
            response = await kit.post_webhook("", {}, body=json.dumps(sent).encode())
            assert 200 == response.status_code
        await host.until(*OF_ZOOM)
        installation = await link(kit, api, "acct_43", move=True)
        await end_tokens(kit, installation)
        # A removal that follows would make this notice stale.
        await host.until("installation.needs_reauthorization")
        await kit.post_webhook("app_deauthorized", kit.deauthorization())
        await host.until(*NOTICES)
    for kind, documented in EXAMPLES.items():
        forwarded = host.received[kind]
        assert (kind, []) == (kind, problems(forwarded, closed(SCHEMA)))
        assert sorted(members(documented)) == sorted(members(forwarded))
        if kind in NOTICES:
            shown, real = documented["data"]["installation"], forwarded["data"]["installation"]
            assert (shown["phase"], shown["zoom"]) == (real["phase"], real["zoom"])
            continue
        shown, real = documented["data"], forwarded["data"]
        assert [JANE] == [one["zoom"]["user_id"] for one in real["installations"]]
        assert {one: shown[one] for one in ("selected_by", "concerned_users", "event")} == {
            one: real[one] for one in ("selected_by", "concerned_users", "event")
        }
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        assert all(headers[name] for headers in host.headers)
        assert f"| `{name}` |" in PAGE


def test_each_notice_and_ten_events_have_an_example() -> None:
    """A host can code against each of the four notices and the ten commonest events."""
    assert NOTICES < EXAMPLES.keys()
    assert 10 == len(OF_ZOOM)
    assert {kind: [] for kind in EXAMPLES} == {
        kind: problems(one, closed(SCHEMA)) for kind, one in EXAMPLES.items()
    }


def spoilt() -> Iterator[Any]:
    """Envelopes with one part that is wrong."""
    event = EXAMPLES["zoom.meeting.ended"]
    notice = EXAMPLES["installation.needs_reauthorization"]
    for name, envelope in {
        "no type": {**event, "type": None},
        "an event named as a notice": {**event, "type": "installation.removed"},
        "a notice named as an event": {**notice, "type": "zoom.meeting.ended"},
        "an unknown notice": {**notice, "type": "installation.deleted"},
        "no timestamp": {**event, "timestamp": "yesterday"},
        "no list": {**event, "data": {**event["data"], "installations": None}},
        "an unknown rule": {**event, "data": {**event["data"], "selected_by": "chance"}},
        "no URL": {**notice, "data": {**notice["data"], "reauthorize_url": None}},
    }.items():
        yield pytest.param(envelope, id=name)


@pytest.mark.parametrize("envelope", list(spoilt()))
def test_the_schema_refuses_another_form(envelope: Any) -> None:
    """A schema that accepts everything would say nothing."""
    assert problems(envelope)


def test_later_versions_may_add_members() -> None:
    """A host that follows the schema ignores members that it does not know."""
    event = EXAMPLES["zoom.meeting.ended"]
    assert [] == problems({**event, "more": 1, "data": {**event["data"], "more": 1}})
