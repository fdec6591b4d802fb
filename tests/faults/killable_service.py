"""The real service, killed with SIGKILL at its n-th step.

Run as `python killable_service.py N paraph.toml`. A step is a point where the process can die
with an effect half done: before and after every request to Zoom, before and after every commit.
Steps are counted once both listeners are up. Housekeeping and looking for work do not count, so
that the n-th step is the same in every run; having found work does.
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

import click

from paraph.events import claims
from paraph.events.claims import ClaimQueue
from paraph.events.dispatch import Dispatcher
from paraph.events.inbox import Inbox
from paraph.lifecycle.access_token import Refresher
from paraph.logs import set_up_logs
from paraph.remote.transport import Transport
from paraph.service import server
from paraph.settings.loading import load_settings
from paraph.storage.database import Database
from paraph.storage.scope import Scope

LAST = int(sys.argv[1])
IDLE = frozenset({"tidy", "presence", "claims"})
steps = 0
announced = 0


def step(what: str, *, idle: frozenset[str] = IDLE) -> None:
    """Die here if it is time to."""
    global steps  # noqa: PLW0603 - One counter for the whole process is the point.
    task = asyncio.current_task()
    if announced < 2 or (task is not None and task.get_name() in idle):
        return
    steps += 1
    if steps == LAST:
        sys.stderr.write(f"killed at step {steps}: {what}\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def announce(line: str) -> None:
    """Tell the test, and begin to count when both listeners are up."""
    global announced  # noqa: PLW0603 - The same.
    announced += 1
    click.echo(line)


send, transaction = Transport.send, Database.transaction
claim, keep = Dispatcher._claim, Inbox.keep


async def counted_send(self: Transport, request: Any) -> Any:
    """A request to Zoom, with a step on either side."""
    step(f"before {request!r}")
    response = await send(self, request)
    step(f"after {request!r}")
    return response


@asynccontextmanager
async def counted_transaction(
    self: Database, *scopes: Scope, **options: bool
) -> AsyncIterator[Any]:
    """A transaction, with a step before it begins, before it commits, and after."""
    step("before a transaction")
    async with transaction(self, *scopes, **options) as tx:
        yield tx
        step("before a commit")
    step("after a commit")


async def counted_claim(self: Dispatcher, queue: ClaimQueue) -> bool:
    """A look for work, with a step behind it where there was some."""
    before = queue.claimed
    more = await claim(self, queue)
    if queue.claimed > before:
        step("after a claim", idle=frozenset())
    return more


async def counted_keep(self: Inbox, *arguments: Any, **named: Any) -> Any:
    """A delivery into the inbox, with a step on either side."""
    step("before a delivery is kept")
    outcome = await keep(self, *arguments, **named)
    step("after a delivery was kept")
    return outcome


Transport.send = counted_send  # type: ignore[method-assign]
Database.transaction = counted_transaction  # type: ignore[method-assign]
Dispatcher._claim = counted_claim  # type: ignore[method-assign]
Inbox.keep = counted_keep  # type: ignore[method-assign]
# What a killed process had in hand is taken up when its leases have run out: here, soon.
claims.LEASE_MARGIN = 1
(Refresher.__init__.__kwdefaults__ or {})["lease_seconds"] = 7

set_up_logs()
asyncio.run(server.serve(load_settings(Path(sys.argv[2])), announce=announce))
