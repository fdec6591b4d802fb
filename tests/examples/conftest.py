"""A browser for the example products, and their simulated Zoom."""

from __future__ import annotations

from end_to_end.conftest import browser, page

__all__ = ["browser", "page"]
