"""A fresh inbox for each test, on each kind of database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from events.inbox_kit import open_context
from paraph.lifecycle.context import Context


@pytest.fixture
async def context(database_url: str) -> AsyncIterator[Context]:
    """A context with one installation."""
    async with open_context(database_url) as opened:
        yield opened


@pytest.fixture(autouse=True)
def enough_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine must not look like a store that cannot keep up."""
    monkeypatch.setattr("paraph.events.inbox.KEEP_SECONDS", 60.0)
