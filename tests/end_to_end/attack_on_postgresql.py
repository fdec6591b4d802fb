"""`make attack DATABASE=postgresql`: every case against our own service on PostgreSQL.

python attack_on_postgresql.py [--group GROUP …]
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from end_to_end import postgresql_target
from paraph.checks.catalogue import GROUPS
from paraph.checks.report.terminal import line_of, to_text
from paraph.checks.runner import Run, run, select
from paraph.checks.target import Hook, Target, load_target
from paraph.checks.verdict import Finding
from postgres_server import PostgresServer

TARGET = Path(__file__).parents[2] / "src/paraph/checks/targets/paraph.toml"
SCRIPT = str(postgresql_target.__file__)


@contextmanager
def target_on_postgresql() -> Iterator[Target]:
    """What `make attack` describes, with a database on a server that lasts as long."""
    server = PostgresServer()
    server.start()
    os.environ[postgresql_target.SERVER] = server.url("postgres").rpartition("/")[0]
    target = load_target(TARGET)
    target.name += " on PostgreSQL"
    script = ["{python}", SCRIPT, "{folder}"]
    target.start.command = [*script, "start"]
    hooks = target.hooks
    hooks.database_file = ""
    hooks.stored = Hook(command=[*script, "stored"])
    hooks.cells = Hook(command=[*script, "cells", "{table}", "{column}", "{cells}"])
    try:
        yield target
    finally:
        server.stop()


def attack(groups: Sequence[str] = (), *, jobs: int = 1) -> Run:
    """Run some groups, or all of them."""
    with target_on_postgresql() as target:
        return run(target, select(groups=groups), jobs=jobs, told=_tell)


def _tell(finding: Finding) -> None:
    sys.stderr.write(line_of(finding) + "\n")


def main() -> None:
    """Attack, and print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--group", action="append", choices=GROUPS, default=[])
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    found = attack(given.group, jobs=given.jobs)
    sys.stdout.write(to_text(found) + "\n")
    sys.exit(found.exit_code())


if __name__ == "__main__":
    main()
