"""Many tasks in several processes meet one expired access token. `make stampede`.

What counts is how often Zoom is asked: once. How long the slowest waits is printed as a ratio to
one refresh that nobody shares, taken in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from faults.chaos import ENVIRONMENT, Chaos, prepared
from faults.chaos_replica import crowd, expire

REFRESH_SECONDS = 0.4


@dataclass(frozen=True)
class Stampede:
    """What one expiry came to. `tokens`: how many different ones were vended."""

    requests: int
    tokens: int
    slowest: float


class Herd:
    """Processes that are ready to ask at one moment."""

    def __init__(self, place: Chaos, plan: Path, sizes: list[int]) -> None:
        self._place = place
        self._plan = plan
        script = str(Path(__file__).with_name("stampede_process.py"))
        self._processes = [
            subprocess.Popen(
                [sys.executable, script, str(plan), str(size)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=ENVIRONMENT,
            )
            for size in sizes
        ]
        for process in self._processes:
            assert self._line(process) == "ready"

    def run(self) -> Stampede:
        """Let the token run out, and everybody ask."""
        before = len(self._place.zoom.journal("/oauth/token"))
        asyncio.run(self._expire())
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [json.loads(self._line(process)) for process in self._processes]
        return Stampede(
            len(self._place.zoom.journal("/oauth/token")) - before,
            len({token for answer in answers for token in answer["tokens"]}),
            max(answer["slowest"] for answer in answers),
        )

    async def _expire(self) -> None:
        plan = json.loads(self._plan.read_text())
        async with crowd(plan, 0) as somebody:
            await expire(somebody.context.store, plan["grant_id"], 0)

    @staticmethod
    def _line(process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.communicate("", timeout=30)


@contextmanager
def herd(database: str, sizes: list[int]) -> Iterator[Herd]:
    """One installation, and processes that will all want its access token."""
    with prepared(seed=0, seconds=0, installations=1, database=database) as place:
        plan = place.first_plan()
        asyncio.run(place.set_up(plan))
        path = place.folder / "plan.json"
        path.write_text(json.dumps({**plan, **asyncio.run(_installed(plan))}))
        place.zoom.simulator.faults.switch_on("token_slow", {"seconds": REFRESH_SECONDS})
        with ExitStack() as stack:
            made = Herd(place, path, sizes)
            stack.callback(made.close)
            yield made


async def _installed(plan: dict[str, object]) -> dict[str, str]:
    async with crowd(plan, 0) as somebody, somebody.context.store.reading() as tx:
        (one,) = await tx.installations.page(somebody.context.client.client_id)
    return {"installation_id": one.link.link_id, "grant_id": one.grant.grant_id}


def main() -> None:
    """Run several times on each database, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=4)
    given = parser.parse_args()
    bad = 0
    for database in ("sqlite", "postgresql"):
        with herd(database, [1]) as alone:
            single = sorted(alone.run().slowest for _ in range(5))[2]
        with herd(database, [given.tasks // given.processes] * given.processes) as many:
            runs = [many.run() for _ in range(given.runs)]
        bad += sum((run.requests, run.tokens) != (1, 1) for run in runs)
        ratios = sorted(run.slowest / single for run in runs)
        sys.stdout.write(
            f"{database}: {given.tasks} tasks in {given.processes} processes,"
            f" {given.runs} expiries; refreshes {[run.requests for run in runs]};"
            f" slowest waiter / one refresh ({single * 1000:.0f} ms):"
            f" median {ratios[len(ratios) // 2]:.2f}, worst {ratios[-1]:.2f}\n"
        )
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
