"""Installations: list, get, remove, and the export of a user's data."""

# No `from __future__ import annotations` here: FastAPI resolves the annotations of nested
# functions, and as text their names could not be found.
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from paraph.api import models
from paraph.api.document import WITH_BODY, ApiKeyDependency, InstallationId
from paraph.lifecycle import hosted_installation
from paraph.lifecycle.api_key import ApiKey, Scope, require_scope, require_unlimited
from paraph.lifecycle.context import Context
from paraph.lifecycle.hosted_installation import (
    REMOVED_BY_HOST,
    remove_installation,
)
from paraph.operations.user_export import export_user

# PostgreSQL stores no NUL and accepts none in a query either.
_WITHOUT_NUL = r"^[^\x00]*$"


def installation_routes(context: Context, key: ApiKeyDependency) -> APIRouter:
    """Return the routes of installations."""
    router = APIRouter(prefix="/v1", tags=["installations"])

    @router.get("/installations")
    async def list_installations(
        *,
        key: Annotated[ApiKey, Depends(key)],
        subject: Annotated[str | None, Query(max_length=255, pattern=_WITHOUT_NUL)] = None,
        account_id: Annotated[str | None, Query(max_length=64, pattern=_WITHOUT_NUL)] = None,
        user_id: Annotated[str | None, Query(max_length=64, pattern=_WITHOUT_NUL)] = None,
        after: Annotated[str, Query(max_length=64, pattern=_WITHOUT_NUL)] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> models.InstallationPage:
        """List installations with an active link, page by page."""
        require_scope(key, Scope.READ)
        async with context.store.reading() as tx:
            found = await tx.installations.page(
                context.client.client_id,
                subject_prefix=key.subject_prefix,
                subject=subject,
                account_id=account_id,
                user_id=user_id,
                after=after,
                limit=limit + 1,
            )
        page = found[:limit]
        more = len(found) > limit
        return models.InstallationPage(
            installations=[models.installation_response_of(one) for one in page],
            next=page[-1].link.link_id if more else None,
        )

    @router.get("/installations/{installation_id}")
    async def get_installation(
        installation_id: InstallationId, key: Annotated[ApiKey, Depends(key)]
    ) -> models.InstallationResponse:
        """Get one installation."""
        require_scope(key, Scope.READ)
        return models.installation_response_of(
            await hosted_installation.get_installation(
                context, installation_id, subject_prefix=key.subject_prefix
            )
        )

    @router.post("/user-export", responses=WITH_BODY)
    async def export_user_data(
        key: Annotated[ApiKey, Depends(key)], body: models.UserBody
    ) -> dict[str, Any]:
        """Export all data that is kept of one Zoom user; no token, and nothing of another user.

        The response is never stored: an `Idempotency-Key` has no effect, and each call is audited.
        """
        require_scope(key, Scope.READ)
        require_unlimited(key)
        return await export_user(context, body.account_id, body.user_id, operator=key.key_id)

    @router.delete("/installations/{installation_id}")
    async def remove(
        installation_id: InstallationId, key: Annotated[ApiKey, Depends(key)]
    ) -> models.ReceiptResponse:
        """Remove an installation: tokens stop working here at once, and soon after at Zoom."""
        require_scope(key, Scope.REMOVE)
        return models.receipt_response_of(
            await remove_installation(
                context,
                installation_id,
                reason=REMOVED_BY_HOST,
                subject_prefix=key.subject_prefix,
            )
        )

    return router
