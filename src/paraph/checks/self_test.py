"""The kill matrix: every case runs on the hardened reference and on its weakened twin."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from paraph.checks.catalogue import catalogue
from paraph.checks.harness.environment import Environment
from paraph.checks.runner import failed_by_control, group_control, instant, run_case
from paraph.checks.target import Variant
from paraph.checks.twin_target import twin_target, weakened
from paraph.checks.verdict import CaseEndedError, Finding, Verdict

SUMMARY = Path(__file__).with_name("kill_matrix.json")


@dataclass(frozen=True, slots=True)
class Kill:
    """The verdicts of one case on the reference and on the twin with its switch on."""

    id: str
    reference: Finding
    twin: Finding

    @property
    def works(self) -> bool:
        """True if the case passes on the reference and fails on the twin."""
        return self.reference.verdict is Verdict.PASS and self.twin.verdict is Verdict.FAIL


@dataclass(slots=True)
class Matrix:
    """The results of all cases."""

    kills: list[Kill]
    seconds: float
    started_at: str = ""

    @property
    def killed(self) -> int:
        """The number of cases that work."""
        return sum(one.works for one in self.kills)

    def summary(self) -> dict[str, Any]:
        """Summarize the results; `make matrix` writes the summary into this package."""
        return {
            "killed": self.killed,
            "cases": len(self.kills),
            "started_at": self.started_at,
            "open": [one.id for one in self.kills if not one.works],
        }


@cache
def released_summary() -> dict[str, Any]:
    """Read the summary of the self-test that this version was released with."""
    found: dict[str, Any] = json.loads(SUMMARY.read_text("utf-8"))
    return found


def released_sentence() -> str:
    """Return that summary as one sentence for reports."""
    known = released_summary()
    return (
        f"{known['killed']} of {known['cases']} cases pass on a hardened reference and fail on the "
        f"same app with their one weakness switched on (self-test of {known['started_at'][:10]})"
    )


def self_test(ids: Sequence[str], *, jobs: int, told: Callable[[Kill], None]) -> Matrix:
    """Run the self-test; every run has its own Zoom, app and folder.

    Args:
        ids: the cases to run.
        jobs: the number of cases that run at the same time.
        told: called with each result as soon as it is known.
    """
    begun, started_at = time.monotonic(), instant()

    def one(name: str) -> Kill:
        kill = Kill(name, _alone(name, Variant()), _alone(name, weakened([name])))
        told(kill)
        return kill

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        kills = list(pool.map(one, ids))
    return Matrix(kills, time.monotonic() - begun, started_at)


def _alone(name: str, overlay: Variant) -> Finding:
    entry = catalogue()[name]
    try:
        with Environment(twin_target(), overlay) as environment:
            # The control runs on the reference, because a switch may break what it checks.
            failed = None if overlay.environment else group_control(environment, entry.group)
            return failed_by_control(name, failed) if failed else run_case(environment, name, 1)
    except CaseEndedError as ended:
        return Finding(name, entry.group, entry.severity, Verdict.INCONCLUSIVE, ended.reason)
