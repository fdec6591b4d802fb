"""A service that dies at one of its steps, in the process of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from paraph.lifecycle.context import Context
from paraph.oauth.messages import Request, Response
from paraph.storage.scope import Scope
from paraph.storage.transaction import Transaction


class Crash(BaseException):
    """The service is dead: nothing that handles errors catches this."""


_counts: ContextVar[bool] = ContextVar("counts", default=False)


class Fuse:
    """Ends a service at one of its steps: before and after each request to Zoom and each commit.

    The steps of one act count, so that the n-th is the same in every run; a dead service takes
    none at all.
    """

    def __init__(self) -> None:
        self.left = 0
        self.blown = False

    def light(self, steps: int) -> None:
        """Die at the n-th step of the task that calls this, and of what it begins."""
        self.left = steps
        _counts.set(True)

    def step(self) -> None:
        """Die here if it is time to."""
        if _counts.get():
            self.left -= 1
            self.blown = self.blown or self.left == 0
        if self.blown:
            raise Crash

    def guard(self, context: Context) -> None:
        """Put steps into everything that a service does."""
        _counts.set(False)
        store, transport = context.store, context.authorization_server.transport
        transaction, send = store.transaction, transport.send

        @asynccontextmanager
        async def guarded_transaction(
            *scopes: Scope, **options: bool
        ) -> AsyncIterator[Transaction]:
            self.step()
            async with transaction(*scopes, **options) as tx:
                yield tx
                self.step()
            self.step()

        async def guarded_send(request: Request) -> Response:
            self.step()
            response = await send(request)
            self.step()
            return response

        store.transaction = guarded_transaction  # type: ignore[method-assign]
        transport.send = guarded_send  # type: ignore[method-assign]
