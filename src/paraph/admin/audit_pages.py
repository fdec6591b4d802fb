"""The audit pages: the newest entries, and the verification of the chain."""

from __future__ import annotations

from starlette.responses import Response

from paraph.admin.operator_request import OperatorRequest
from paraph.admin.page import nothing_here
from paraph.lifecycle.audit import ChainVerdict, walk_chain
from paraph.lifecycle.context import Context

PAGE = 50
_DIGITS = 18


class AuditPages:
    """The pages of the audit."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def show(self, request: OperatorRequest) -> Response:
        """Show a page of entries, newest first."""
        return await self._page(request)

    async def verify(self, request: OperatorRequest) -> Response:
        """Verify the complete chain; the command and the API also compare exported heads."""
        return await self._page(request, await walk_chain(self._context.store))

    async def _page(
        self, request: OperatorRequest, verdict: ChainVerdict | None = None
    ) -> Response:
        before = request.query.one("before")
        if before and not (before.isascii() and before.isdigit() and len(before) <= _DIGITS):
            raise nothing_here()
        async with self._context.store.reading() as tx:
            head = await tx.audit.head()
            newest = 0 if head is None else head.sequence
            last = min(newest, int(before) - 1) if before else newest
            first = max(0, last - PAGE)
            found = await tx.audit.page(after=first, limit=last - first) if last > 0 else []
        return request.page(
            "audit.html",
            entries=sorted(found, key=lambda entry: -entry.sequence),
            newest=newest,
            before=before,
            older=first + 1 if first else 0,
            verdict=verdict,
        )
