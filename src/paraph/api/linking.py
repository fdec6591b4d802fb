"""Link requests, handoffs and claims: the host links its signed-in user."""

# No `from __future__ import annotations` here: FastAPI resolves the annotations of nested
# functions, and as text their names could not be found.
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from paraph.api import models
from paraph.api.document import IDEMPOTENT, REPEATABLE, WITH_BODY, ApiKeyDependency, problems
from paraph.lifecycle import link, link_request
from paraph.lifecycle.api_key import ApiKey, Scope, require_scope, require_subject
from paraph.lifecycle.context import Context
from paraph.secret import Secret

Claim = Annotated[str, Path(max_length=128)]
_LINKED = {
    409: "Linked elsewhere: moving needs an explicit yes. Or the grant is being decided, or the "
    "idempotency key was used with another request."
}


def linking_routes(context: Context, key: ApiKeyDependency, public_url: str) -> APIRouter:
    """Return the routes of linking; `public_url` is the origin of install URLs."""
    router = APIRouter(
        prefix="/v1", tags=["linking"], dependencies=IDEMPOTENT, responses=REPEATABLE
    )

    @router.post(
        "/link-requests",
        status_code=201,
        responses={**WITH_BODY, **problems({400: "A value does not have the required shape."})},
    )
    async def create_link_request(
        body: models.LinkRequestBody, key: Annotated[ApiKey, Depends(key)]
    ) -> models.LinkRequestResponse:
        """Start linking the host's signed-in user; send the browser to `install_url`."""
        require_scope(key, Scope.LINK)
        require_subject(key, body.subject)
        code, expires_at = await link_request.request_link(
            context, subject=body.subject, challenge=body.challenge, return_to=body.return_to
        )
        url = f"{public_url}/install?request={code.reveal()}"
        return models.LinkRequestResponse(install_url=url, expires_at=expires_at)

    @router.post("/handoffs/claim", responses=WITH_BODY)
    async def claim_handoff(
        body: models.HandoffBody, key: Annotated[ApiKey, Depends(key)]
    ) -> models.ClaimResponse:
        """Open a handoff in the session that started it, and return both accounts."""
        require_scope(key, Scope.LINK)
        claimed = await link.claim(
            context,
            handoff=Secret(body.handoff),
            verifier=body.verifier,
            subject_prefix=key.subject_prefix,
        )
        return models.ClaimResponse.model_validate(claimed.public_value())

    @router.post("/claims/{claim}/confirm", responses={**WITH_BODY, **problems(_LINKED)})
    async def confirm_claim(
        claim: Claim, body: models.ConfirmBody, key: Annotated[ApiKey, Depends(key)]
    ) -> models.InstallationResponse:
        """Confirm a claim: the user agreed to both accounts."""
        require_scope(key, Scope.LINK)
        require_subject(key, body.subject)
        return models.installation_response_of(
            await link.confirm(
                context,
                claim=Secret(claim),
                subject=body.subject,
                move=body.move,
                subject_prefix=key.subject_prefix,
            )
        )

    @router.post("/claims/{claim}/decline", status_code=204)
    async def decline_claim(claim: Claim, key: Annotated[ApiKey, Depends(key)]) -> Response:
        """Decline a claim: the user refused."""
        require_scope(key, Scope.LINK)
        await link.decline(context, claim=Secret(claim), subject_prefix=key.subject_prefix)
        return Response(status_code=204)

    return router
