"""Databases that older versions wrote: this version opens, migrates and reads them.

A folder `schema_…` holds one dump of each kind, made by the service of that time: an
installation, a notice, a meeting event that could not be forwarded, two API keys and the audit.
`known.json` tells what was sealed. Every key and token in it was made for these files. Version
0.1.0 wrote schema 0006.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from os import urandom
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from paraph.lifecycle.audit import walk_chain
from paraph.model.phase import Phase
from paraph.sealing.key_ring import KeyRing, secret_hash
from paraph.secret import Secret
from paraph.storage.contraction import contract_schema
from paraph.storage.database import Database, open_store
from storage import sample

pytestmark = pytest.mark.anyio

SCHEMAS = sorted(Path(__file__).parent.glob("schema_*"))
JANE = "KDcuGIm1QgePTO8WbOqwIQ"


@dataclass(frozen=True, slots=True)
class Older:
    """A database of an older version, and what is known of its content."""

    url: str
    encryption_key: str
    known: Mapping[str, Any]

    async def open(self) -> Database:
        """Open it as this version does at its start."""
        return await open_store(self.url, KeyRing.parse([self.encryption_key]), randomness=urandom)


async def load(url: str, statements: str) -> None:
    """Run a dump in an empty database."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(statements)
        return
    server = await asyncpg.connect(url)
    await server.execute(statements)
    await server.close()


@pytest.fixture(params=SCHEMAS, ids=lambda folder: folder.name)
async def older(request: pytest.FixtureRequest, empty_database_url: str) -> Older:
    """A database of each older schema and of each kind."""
    folder: Path = request.param
    kind = empty_database_url.partition(":")[0]
    await load(empty_database_url, (folder / f"{kind}.sql").read_text(encoding="utf-8"))
    known = json.loads((folder / "known.json").read_text(encoding="utf-8"))
    return Older(empty_database_url, known["encryption_key"], known[kind])


@pytest.fixture
async def store(older: Older) -> AsyncIterator[Database]:
    """The same database, opened by this version."""
    opened = await older.open()
    yield opened
    await opened.close()


async def test_its_installation_is_read(store: Database, older: Older) -> None:
    """Ids, owner, scopes and the sealed access token are what the older version stored."""
    async with store.reading() as tx:
        (found,) = await tx.installations.page(sample.CLIENT)

    assert older.known["installation_id"] == found.link.link_id
    assert "acct_42" == found.link.subject
    assert (Phase.ACTIVE, Phase.ACTIVE) == (found.grant.phase, found.link.phase)
    identity = found.grant.identity
    assert (sample.ACCOUNT, JANE) == (identity.account_id, identity.user_id)
    assert older.known["access_token"] == found.grant.tokens.access_token.reveal()
    assert "user:read:user" in found.grant.tokens.scopes


async def test_its_events_open(store: Database) -> None:
    """The notice and the meeting event are there, and the sealed body of the event opens."""
    async with store.reading() as tx:
        page = await tx.events.page(limit=10)
        events = {one.name: await tx.events.get(one.event_id) for one in page}

    assert {"installation.activated", "meeting.ended"} == set(events)
    event = events["meeting.ended"]
    assert event is not None
    assert "kept by version 0.1" == json.loads(event.body or b"")["payload"]["object"]["topic"]


async def test_its_api_key_is_accepted(store: Database, older: Older) -> None:
    """A key that the host holds stays valid, with its scopes."""
    _, key_id, secret = older.known["api_key"].split("_", 2)
    async with store.reading() as tx:
        key = await tx.api_keys.get(key_id)

    assert key is not None
    assert secret_hash(Secret(secret)) == key.secret_hash
    assert {"link", "proxy", "read", "remove", "vend"} == set(key.scopes)


async def test_its_audit_is_whole(store: Database) -> None:
    """Every digest of the audit chain is confirmed under the stored key."""
    verdict = await walk_chain(store)

    assert (4, None) == (verdict.entries, verdict.broken_at)


async def test_it_is_opened_again(older: Older) -> None:
    """The start adds only; `paraph migrate` then moves its events once."""
    again = await older.open()
    await again.close()

    assert ["c0001"] == await contract_schema(older.url)
    assert [] == await contract_schema(older.url)
    moved = await older.open()
    await test_its_events_open(moved)
    await moved.close()


def test_version_0_1_is_among_them() -> None:
    """The dumps begin with the schema of the first release."""
    assert "schema_0006" == SCHEMAS[0].name
