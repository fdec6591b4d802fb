"""A browser for the example products, and their simulated Zoom."""

from __future__ import annotations

import pytest

from end_to_end.conftest import browser, page

__all__ = ["browser", "page"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ignore connections that an attacked product leaves open at the servers of the check."""
    for item in items:
        if item.get_closest_marker("every_attack"):
            ignored = "ignore::pytest.PytestUnraisableExceptionWarning"
            item.add_marker(pytest.mark.filterwarnings(ignored))
