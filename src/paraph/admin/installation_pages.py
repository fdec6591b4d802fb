"""The installation page: owner, phase and proofs. It shows no token and no e-mail address."""

from __future__ import annotations

import re

from starlette.responses import Response

from paraph.admin.operator_request import OperatorRequest
from paraph.admin.page import nothing_here
from paraph.lifecycle.context import Context

PAGE = 25
_CURSOR = re.compile(r"[A-Za-z0-9_-]{0,64}")


class InstallationPages:
    """The page of installations."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def show_all(self, request: OperatorRequest) -> Response:
        """Show a page of installations with an active link."""
        after = request.query.one("after")
        if not _CURSOR.fullmatch(after):
            raise nothing_here()
        async with self._context.store.reading() as tx:
            found = await tx.installations.page(
                self._context.client.client_id, after=after, limit=PAGE + 1
            )
        page = found[:PAGE]
        return request.page(
            "installations.html",
            installations=page,
            after=after,
            more=page[-1].link.link_id if len(found) > PAGE else "",
        )
