"""Chaos runs and a small stampede; `make chaos` and `make stampede` are the long ones."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from faults.chaos import ENVIRONMENT, POOLERS
from faults.stampede import herd
from programs import need_program


@pytest.mark.parametrize(
    ("database", "seconds"),
    [
        ("sqlite", 10),
        pytest.param("sqlite", 60, marks=pytest.mark.slow),
        pytest.param("postgresql", 60, marks=pytest.mark.slow),
        *(pytest.param(name, 20, marks=pytest.mark.slow) for name in POOLERS),
    ],
)
def test_after_chaos_the_books_agree(database: str, seconds: int) -> None:
    """Every installation works or says why not; nothing lives at Zoom alone; the chain holds."""
    if database in POOLERS:
        need_program("pgbouncer")
    # A process of its own, because it shortens waits for everything that runs in it. There are
    # more installations than a fast machine can end in the time.
    done = subprocess.run(
        [
            *(sys.executable, "-m", "faults.chaos", "--database", database),
            *("--seconds", str(seconds), "--installations", str(max(50, 4 * seconds))),
        ],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )

    start = done.stdout.rfind("\n{\n") + 1
    assert start, done.stderr[-6000:]
    found = json.loads(done.stdout[start:])
    assert [] == found["problems"]
    assert {"works", "needs reauthorization"} >= set(found["ends"])
    assert 0 < found["ends"].get("works", 0)
    assert 0 == done.returncode


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_stampede_asks_zoom_once(database: str) -> None:
    """Tasks of several processes at one expiry: one refresh, one token, which works."""
    with herd(database, [50, 50, 50]) as many:
        runs = [many.run() for _ in range(2)]

    assert [(1, 1)] * 2 == [(run.requests, run.tokens) for run in runs]
