"""Fixtures of the tests of the operator pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from admin.operators import Desk, desk


@pytest.fixture
async def signed_in(tmp_path: Path) -> AsyncIterator[Desk]:
    """An operator before an installed service."""
    async with desk(tmp_path) as found:
        yield found
