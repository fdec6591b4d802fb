"""The management API, `/v1`, for the host's backend. On the private side only.

Every call carries an API key; a missing, unknown or revoked one is one and the same 401, and
what a key may not see is a 404, as if it did not exist. The OpenAPI document needs a key too.
"""

# No `from __future__ import annotations` here: FastAPI reads the annotations of functions that
# stand inside others, and as text their names could not be found.
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from paraph.api import models
from paraph.api.keys import Scope, recognise_key, require_scope, require_subject
from paraph.errors import NotFound, ParaphError
from paraph.lifecycle import link
from paraph.lifecycle.context import Context
from paraph.logs import get_logger
from paraph.problems import problem_of
from paraph.secret import Secret
from paraph.storage.records import ApiKey, Installation

MAX_BODY_BYTES = 64 * 1024
_log = get_logger("api")

ApiKeyDependency = Callable[[Request], Awaitable[ApiKey]]


class _KeyMissing(Exception):
    """No live key was presented."""


def create_management_api(context: Context, *, public_url: str) -> FastAPI:
    """The ASGI application of `/v1`.

    Args:
        context: see there.
        public_url: the origin of the public side, for install URLs.
    """
    app = FastAPI(
        title="paraph management API",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    key = _key_dependency(context)
    app.include_router(_links(context, key, public_url))
    app.include_router(_installations(context, key))
    _add_document(app, key)
    _add_problems(app)
    return app


def _key_dependency(context: Context) -> ApiKeyDependency:
    async def presented_key(request: Request) -> ApiKey:
        values = request.headers.getlist("authorization")
        scheme, _, credential = values[0].partition(" ") if len(values) == 1 else ("", "", "")
        found = None
        if scheme.lower() == "bearer":
            found = await recognise_key(context, credential)
        if found is None:
            raise _KeyMissing
        return found

    return presented_key


_PROBLEM: dict[int | str, dict[str, Any]] = {
    status: {"model": models.ProblemAnswer} for status in (400, 401, 403, 404, 409, 422, 503)
}


def _links(context: Context, key: ApiKeyDependency, public_url: str) -> APIRouter:
    router = APIRouter(prefix="/v1", responses=_PROBLEM)

    @router.post("/link-requests", status_code=201)
    async def create_link_request(
        body: models.LinkRequestBody, key: Annotated[ApiKey, Depends(key)]
    ) -> models.LinkRequestAnswer:
        """Begin to link the host's signed-in user; send the browser to `install_url`."""
        require_scope(key, Scope.LINK)
        require_subject(key, body.subject)
        code, expires_at = await link.request_link(
            context, subject=body.subject, challenge=body.challenge, return_to=body.return_to
        )
        url = f"{public_url}/install?request={code.reveal()}"
        return models.LinkRequestAnswer(install_url=url, expires_at=expires_at)

    @router.post("/handoffs/claim")
    async def claim_handoff(
        body: models.HandoffBody, key: Annotated[ApiKey, Depends(key)]
    ) -> models.ClaimAnswer:
        """Open a handoff in the session that began it, and learn both accounts."""
        require_scope(key, Scope.LINK)
        claimed = await link.claim(context, handoff=Secret(body.handoff), verifier=body.verifier)
        require_subject(key, claimed.installation.link.subject)
        return models.ClaimAnswer(
            claim=claimed.claim.reveal(),
            subject=claimed.installation.link.subject,
            zoom=models.person_of(claimed.installation),
            scopes=sorted(claimed.installation.grant.tokens.scopes),
            expires_at=claimed.expires_at,
            replaces=[models.replaced_of(one) for one in claimed.replaces],
        )

    @router.post("/claims/{claim}/confirm")
    async def confirm_claim(
        claim: str, body: models.ConfirmBody, key: Annotated[ApiKey, Depends(key)]
    ) -> models.InstallationAnswer:
        """The person said yes to both accounts."""
        require_scope(key, Scope.LINK)
        require_subject(key, body.subject)
        return models.answer_of(
            await link.confirm(context, claim=Secret(claim), subject=body.subject, move=body.move)
        )

    @router.post("/claims/{claim}/decline", status_code=204)
    async def decline_claim(claim: str, key: Annotated[ApiKey, Depends(key)]) -> Response:
        """The person said no."""
        require_scope(key, Scope.LINK)
        await link.decline(context, claim=Secret(claim))
        return Response(status_code=204)

    return router


def _installations(context: Context, key: ApiKeyDependency) -> APIRouter:
    router = APIRouter(prefix="/v1", responses=_PROBLEM)

    @router.get("/installations")
    async def list_installations(
        *,
        key: Annotated[ApiKey, Depends(key)],
        subject: Annotated[str | None, Query(max_length=255)] = None,
        account_id: Annotated[str | None, Query(max_length=64)] = None,
        user_id: Annotated[str | None, Query(max_length=64)] = None,
        after: Annotated[str, Query(max_length=64)] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> models.InstallationPage:
        """Installations with an active link, page by page."""
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
            installations=[models.answer_of(one) for one in page],
            next=page[-1].link.link_id if more else None,
        )

    @router.get("/installations/{installation_id}")
    async def get_installation(
        installation_id: str, key: Annotated[ApiKey, Depends(key)]
    ) -> models.InstallationAnswer:
        """One installation."""
        require_scope(key, Scope.READ)
        return models.answer_of(await _visible(context, key, installation_id))

    return router


async def _visible(context: Context, key: ApiKey, installation_id: str) -> Installation:
    async with context.store.reading() as tx:
        found = await tx.installations.get(installation_id)
    if found is None or found.grant.identity.client_id != context.client.client_id:
        raise NotFound("no such installation")
    require_subject(key, found.link.subject)
    return found


def _add_document(app: FastAPI, key: ApiKeyDependency) -> None:
    @app.get("/v1/openapi.json", include_in_schema=False)
    async def openapi_document(_key: Annotated[ApiKey, Depends(key)]) -> JSONResponse:
        return JSONResponse(app.openapi())


def _add_problems(app: FastAPI) -> None:
    @app.exception_handler(ParaphError)
    async def known(_request: Request, error: ParaphError) -> JSONResponse:
        problem = problem_of(error)
        if problem.status >= 500:
            _log.error("api.failed", error_code=error.code, why=error.detail)
        return _problem(problem.status, problem.code, problem.title, problem.remedy)

    @app.exception_handler(_KeyMissing)
    async def no_key(_request: Request, _error: _KeyMissing) -> JSONResponse:
        return _problem(
            401,
            "api_key_missing",
            "A live API key is needed.",
            "Send it as Authorization: Bearer KEY.",
            {"www-authenticate": "Bearer"},
        )

    @app.exception_handler(RequestValidationError)
    async def bad_shape(_request: Request, error: RequestValidationError) -> JSONResponse:
        # Names of fields and rules only: the values that were sent may be secret.
        places = sorted({".".join(map(str, e["loc"])) + ": " + e["msg"] for e in error.errors()})
        return _problem(
            422, "malformed", "The request has not the documented shape.", "; ".join(places)
        )

    @app.exception_handler(HTTPException)
    async def plain(_request: Request, error: HTTPException) -> JSONResponse:
        return _problem(
            error.status_code,
            "not_found" if error.status_code == 404 else "refused",
            "There is nothing here." if error.status_code == 404 else "The request is refused.",
            "Compare the call with the documentation.",
            dict(error.headers or {}),
        )

    @app.exception_handler(Exception)
    async def unexpected(_request: Request, error: Exception) -> JSONResponse:
        _log.error("api.failed", why=type(error).__name__)
        return _problem(500, "error", "Something went wrong.", "Try again; look at the log.")


def _problem(
    status: int, code: str, title: str, remedy: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    return JSONResponse(
        {"type": "about:blank", "title": title, "status": status, "code": code, "remedy": remedy},
        status_code=status,
        headers=headers,
        media_type="application/problem+json",
    )
