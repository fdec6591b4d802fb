"""The way back to version 0.1 after `paraph migrate`, and forth again, by the steps of the docs."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import pytest

from databases import expand_schema
from paraph.lifecycle.context import Context
from paraph.lifecycle.hosted_installation import remove_installation
from paraph.model.grant import ZoomIdentity
from paraph.operations.receipt_export import ReceiptExport
from paraph.service.context import open_context, receipt_book
from paraph.service.restoration import Circumstances, begin_epoch_in_place
from paraph.settings.model import Settings
from paraph.storage.contraction import contract_schema
from service_kit import give_back, settings_for, simulated_zoom
from storage import sample
from tampering import tamper

pytestmark = pytest.mark.anyio

JANE, BOB, STRANGER = "user-1", "user-2", "user-9"


@pytest.fixture
async def settings(tmp_path: Path) -> AsyncIterator[Settings]:
    """The settings of a service on a database that version 0.1 can use."""
    url = f"sqlite:///{tmp_path / 'paraph.db'}"
    await expand_schema(url)
    zoom = simulated_zoom()
    yield settings_for(zoom, tmp_path, database_url=url)
    give_back(zoom)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Context]:
    """The store, as a command opens it."""
    async with open_context(settings) as (context, _readiness):
        yield context


def copy(settings: Settings, target: Path, *, back: bool = False) -> None:
    """Copy the database with SQLite's own tool, or the copy back to its place."""
    place = settings.database_url.removeprefix("sqlite:///")
    source, into = (str(target), place) if back else (place, str(target))
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(into)) as other:
        one.backup(other)


async def bodies(settings: Settings) -> list[str]:
    """The ids of the events that have a body, in either table."""
    tables = await tamper(settings.database_url, "SELECT name FROM sqlite_master")
    found = {str(row[0]) for row in tables} & {"events", "former_events", "kept_events"}
    ids = [
        str(row[0])
        for table in found
        for row in await tamper(
            settings.database_url,
            f"SELECT event_id FROM {table} WHERE body IS NOT NULL AND notice = 0",
        )
    ]
    return sorted(ids)


async def test_removals_are_repeated_on_the_copy_and_hold_after_the_next_upgrade(
    settings: Settings, tmp_path: Path
) -> None:
    """No body of the removed user is left on the copy, wherever an event names the user."""
    async with opened(settings) as context:
        client_id = context.client.client_id
        for mark in "12":
            grant = sample.grant(mark)
            identity = replace(grant.identity, client_id=client_id)
            async with context.store.transaction() as tx:
                await tx.grants.add(replace(grant, identity=identity))
                await tx.links.add(replace(sample.link(mark), client_id=client_id))
        events = [
            ("alone", sample.ACCOUNT, (JANE,)),
            ("second", sample.ACCOUNT, (STRANGER, JANE)),
            ("nowhere", "", (JANE,)),
            ("both", sample.ACCOUNT, (BOB, JANE)),
        ]
        kept = [
            sample.event(mark, account_id=place, concerned=users, user_id=users[0])
            for mark, place, users in events
        ]
        await context.store.keep_events(kept, client_id=client_id)
    copy(settings, tmp_path / "before-migrate.db")
    await contract_schema(settings.database_url)
    async with opened(settings) as context:
        await remove_installation(context, "link-1", reason="test")
        book = receipt_book(settings, context)
        assert book is not None
        await ReceiptExport(context, book).export()

    copy(settings, tmp_path / "before-migrate.db", back=True)
    circumstances = Circumstances((), lambda _lines: None, time.time, os.urandom)
    began = await begin_epoch_in_place(settings, circumstances)

    assert 1 == began.removed
    assert ["event-both"] == await bodies(settings)
    tables = await tamper(settings.database_url, "SELECT name FROM sqlite_master")
    # Version 0.1 starts on it: no contracting step was applied.
    assert ("events",) in tables

    await contract_schema(settings.database_url)
    assert ["event-both"] == await bodies(settings)
    async with opened(settings) as context, context.store.reading() as tx:
        assert await tx.grants.find(ZoomIdentity(client_id, sample.ACCOUNT, JANE)) is None
        found = await tx.events.get("event-both")
        assert found is not None
        assert (BOB,) == found.concerned
