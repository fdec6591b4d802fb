"""The audit chain, read and verified."""

# No `from __future__ import annotations` here: FastAPI resolves the annotations of nested
# functions, and as text their names could not be found.
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from paraph.api import models
from paraph.api.document import IDEMPOTENT, REPEATABLE, WITH_BODY, ApiKeyDependency
from paraph.lifecycle.api_key import ApiKey, Scope, require_scope, require_unlimited
from paraph.lifecycle.audit import walk_chain
from paraph.lifecycle.context import Context

_LARGEST = 2**63 - 1


def audit_routes(context: Context, key: ApiKeyDependency) -> APIRouter:
    """Return the audit routes; the audit covers every subject, so a limited key may not read it."""
    router = APIRouter(prefix="/v1", tags=["audit"])

    @router.get("/audit")
    async def list_audit(
        *,
        key: Annotated[ApiKey, Depends(key)],
        after: Annotated[int, Query(ge=0, le=_LARGEST)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> models.AuditPage:
        """List audit entries, oldest first, page by page."""
        require_scope(key, Scope.READ)
        require_unlimited(key)
        async with context.store.reading() as tx:
            found = await tx.audit.page(after=after, limit=limit + 1)
        page = found[:limit]
        return models.AuditPage(
            entries=[models.audit_response_of(one) for one in page],
            next=page[-1].sequence if len(found) > limit else None,
        )

    @router.post("/audit/verify", dependencies=IDEMPOTENT, responses={**REPEATABLE, **WITH_BODY})
    async def verify_audit(
        key: Annotated[ApiKey, Depends(key)], body: models.HeadsBody | None = None
    ) -> models.VerdictResponse:
        """Verify the whole chain, and compare it with heads that your log kept."""
        require_scope(key, Scope.READ)
        require_unlimited(key)
        known = {} if body is None else body.heads
        epoch = context.store.epoch.number
        heads = {(epoch, int(number)): digest for number, digest in known.items()}
        return models.verdict_response_of(await walk_chain(context.store, exported_heads=heads))

    return router
