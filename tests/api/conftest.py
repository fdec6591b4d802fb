"""Fixtures of the tests of the management API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.live import DATABASES, Live, live_service


@pytest.fixture(scope="module", params=DATABASES)
def live(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """An installed service for a module, on every kind of store."""
    with live_service(request, tmp_path_factory.mktemp("live")) as live:
        yield live
