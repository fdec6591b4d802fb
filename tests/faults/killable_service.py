"""The real service, killed with SIGKILL at its n-th step.

Run as `python killable_service.py N paraph.toml`. A step is a point where the process can die
with an effect half done: before and after every request to Zoom, before and after every commit.
Housekeeping does not count, so that the n-th step is the same in every run.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import typer

from paraph.config import load_settings
from paraph.logs import set_up_logs
from paraph.remote.transport import Transport
from paraph.service import server
from paraph.storage.database import Database

LAST = int(sys.argv[1])
steps = 0


def step(what: str) -> None:
    """Die here if it is time to."""
    global steps  # noqa: PLW0603 - One counter for the whole process is the point.
    task = asyncio.current_task()
    if task is not None and task.get_name() == "tidy":
        return
    steps += 1
    if steps == LAST:
        sys.stderr.write(f"killed at step {steps}: {what}\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)


send, transaction = Transport.send, Database.transaction


async def counted_send(self: Transport, request: Any) -> Any:
    """A request to Zoom, with a step on either side."""
    step(f"before {request!r}")
    response = await send(self, request)
    step(f"after {request!r}")
    return response


@asynccontextmanager
async def counted_transaction(self: Database) -> AsyncIterator[Any]:
    """A transaction, with a step before it begins, before it commits, and after."""
    step("before a transaction")
    async with transaction(self) as tx:
        yield tx
        step("before a commit")
    step("after a commit")


Transport.send = counted_send  # type: ignore[method-assign]
Database.transaction = counted_transaction  # type: ignore[method-assign]

set_up_logs()
asyncio.run(server.serve(load_settings(Path(sys.argv[2])), announce=typer.echo))
