"""`make attack`: every case against our own service, on each inbox.

python attack.py [--inbox sqlite|postgresql|jetstream] [--group GROUP …] [--only CASE …]
    [--jobs N] [--json FILE]
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from end_to_end.target import postgresql
from nats_server import NatsServer
from paraph.checks.catalogue import GROUPS
from paraph.checks.report.document import document, to_json
from paraph.checks.report.terminal import line_of, to_text
from paraph.checks.runner import run, select
from paraph.checks.target import Hook, Target, load_target
from paraph.checks.verdict import Finding
from postgres_server import PostgresServer

TARGET = Path(__file__).parent / "target/paraph.toml"
SCRIPT = str(postgresql.__file__)
_MEMORY, _LEAST_FREE = Path("/dev/shm"), 2_000_000_000
Server = TypeVar("Server", PostgresServer, NatsServer)
INBOXES = ("sqlite", "postgresql", "jetstream")


@contextmanager
def target_on(inbox: str) -> Iterator[Target]:
    """Yield the service as a target, and run the servers that it needs meanwhile."""
    target = load_target(TARGET)
    if inbox == "postgresql":
        with _running(PostgresServer()) as server:
            os.environ[postgresql.SERVER] = server.url("postgres").rpartition("/")[0]
            target.name += " on PostgreSQL"
            script = ["{python}", SCRIPT, "{folder}"]
            target.start.command = [*script, "start"]
            target.hooks.database_file = ""
            target.hooks.stored = Hook(command=[*script, "stored"])
            target.hooks.cells = Hook(command=[*script, "cells", "{table}", "{column}", "{cells}"])
            yield target
    elif inbox == "jetstream":
        with _running(NatsServer()) as nats:
            target.name += " on JetStream"
            # Every environment has its own database, and therefore its own stream.
            target.start.environment["PARAPH_EVENTS_URL"] = nats.events_url
            yield target
    else:
        yield target


@contextmanager
def _running(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _save_time() -> None:
    """Let the service find compiled modules, and keep its data in memory where that is possible."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # No case is about a power failure, so no write has to reach a disk.
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _LEAST_FREE:
        tempfile.tempdir = str(_MEMORY)


def _tell(finding: Finding) -> None:
    sys.stderr.write(line_of(finding) + "\n")


def main() -> None:
    """Run the cases and print the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inbox", choices=INBOXES, default="sqlite")
    parser.add_argument("--group", action="append", choices=GROUPS, default=[])
    parser.add_argument("--only", action="append", default=[], help="a case by its id")
    # The service mostly waits for Zoom and for its own restarts, so two cores do for four copies.
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--json", type=Path, help="the report as `paraph check` writes it")
    given = parser.parse_args()
    _save_time()
    with target_on(given.inbox) as target:
        found = run(target, select(given.only, given.group), jobs=given.jobs, told=_tell)
    sys.stdout.write(to_text(found) + "\n")
    if given.json is not None:
        given.json.write_text(to_json(document(found)))
    sys.exit(found.exit_code())


if __name__ == "__main__":
    main()
