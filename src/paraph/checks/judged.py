"""The summary of the self-test of this version: the evidence that the check works."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from paraph.checks.self_test import Matrix

FILE = "kill_matrix.json"


def summary_of(matrix: Matrix) -> dict[str, Any]:
    """Summarize a matrix; `make matrix` writes the summary into this package."""
    return {
        "killed": matrix.killed,
        "cases": len(matrix.kills),
        "started_at": matrix.started_at,
        "open": [one.id for one in matrix.kills if not one.works],
    }


@cache
def judged() -> dict[str, Any]:
    """Read the summary that this version was released with."""
    found: dict[str, Any] = json.loads((files("paraph.checks") / FILE).read_text("utf-8"))
    return found


def in_words() -> str:
    """Return the summary as one sentence for reports."""
    known = judged()
    return (
        f"{known['killed']} of {known['cases']} cases pass on a hardened reference and fail on the "
        f"same app with their one weakness switched on (self-test of {known['started_at'][:10]})"
    )
