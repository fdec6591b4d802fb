"""The installation pages: owner, phase, proofs and timeline. No token and no e-mail address."""

from __future__ import annotations

import json
import re

from starlette.responses import Response

from paraph.admin.operator_request import OperatorRequest
from paraph.admin.page import nothing_here
from paraph.admin.timeline import Position, read_timeline
from paraph.lifecycle.context import Context
from paraph.model.installation import Installation
from paraph.operations.user_export import export_user
from paraph.storage.transaction import Transaction

PAGE = 25
_CURSOR = re.compile(r"[A-Za-z0-9_-]{0,64}")


class InstallationPages:
    """The pages of installations."""

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

    async def show_one(self, request: OperatorRequest) -> Response:
        """Show one installation with its timeline, newest first, page by page."""
        position = Position.parse(request.query.one("before"))
        async with self._context.store.reading() as tx:
            found = await self._find(tx, request.argument)
            attempt = await tx.refreshes.get(found.grant.grant_id)
            timeline = await read_timeline(tx, self._context, found, position)
        return request.page(
            "installation.html",
            one=found,
            attempt=attempt,
            timeline=timeline,
            is_first=position.is_newest,
        )

    async def export(self, request: OperatorRequest) -> Response:
        """Return all data that is kept of the user of an installation, as a JSON file."""
        async with self._context.store.reading() as tx:
            identity = (await self._find(tx, request.argument)).grant.identity
        exported = await export_user(
            self._context,
            identity.account_id,
            identity.user_id,
            operator=request.session.key.key_id,
        )
        return Response(
            json.dumps(exported, indent=2, ensure_ascii=False),
            media_type="application/json",
            headers={"content-disposition": 'attachment; filename="user-export.json"'},
        )

    async def _find(self, tx: Transaction, installation_id: str) -> Installation:
        found = await tx.installations.get(installation_id)
        if found is None or found.grant.identity.client_id != self._context.client.client_id:
            raise nothing_here()
        return found
