"""The kill matrix: every case against the hardened reference, and against its own switch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from paraph.checks.catalogue import catalogue
from paraph.checks.runner import failed_by_control, group_control, instant, run_case
from paraph.checks.stage import Stage
from paraph.checks.target import Variant
from paraph.checks.twin_target import twin_target, weakened
from paraph.checks.verdict import CaseEndedError, Finding, Verdict


@dataclass(frozen=True, slots=True)
class Kill:
    """What one case says of the reference and of the twin with its switch on."""

    id: str
    reference: Finding
    twin: Finding

    @property
    def works(self) -> bool:
        """Whether the case tells the two apart."""
        return self.reference.verdict is Verdict.PASS and self.twin.verdict is Verdict.FAIL


@dataclass(slots=True)
class Matrix:
    """All of it."""

    kills: list[Kill]
    seconds: float
    started_at: str = ""

    @property
    def killed(self) -> int:
        """How many cases work."""
        return sum(one.works for one in self.kills)


def self_test(ids: Sequence[str], *, jobs: int, told: Callable[[Kill], None]) -> Matrix:
    """Run it; every single run has a Zoom, an app and a folder of its own."""
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
        with Stage(twin_target(), overlay) as stage:
            # The control is judged on the reference: a switch may spoil what it looks at.
            failed = None if overlay.environment else group_control(stage, entry.group)
            return failed_by_control(name, failed) if failed else run_case(stage, name, 1)
    except CaseEndedError as ended:
        return Finding(name, entry.group, entry.severity, Verdict.INCONCLUSIVE, ended.reason)
