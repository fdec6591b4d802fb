"""The FastAPI application of the management API: its routes, its document and its errors.

Importing this module imports FastAPI, so `app` imports it for the first request that needs it.
"""

# No `from __future__ import annotations` here: FastAPI resolves the annotations of nested
# functions, and as text their names could not be found.
from functools import cache
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from paraph.api.audit import audit_routes
from paraph.api.document import EVERYWHERE, ApiKeyDependency, openapi_of
from paraph.api.events import event_routes
from paraph.api.installations import installation_routes
from paraph.api.linking import linking_routes
from paraph.api.problem import (
    MALFORMED,
    METHOD,
    NOTHING,
    UNEXPECTED,
    Problems,
    problem_response,
)
from paraph.errors import ParaphError
from paraph.http.problems import Problem
from paraph.lifecycle.api_key import ApiKey, ApiKeys
from paraph.lifecycle.context import Context
from paraph.logs import get_logger

_log = get_logger("api")


def create_framework(
    context: Context, keys: ApiKeys, problems: Problems, *, public_url: str
) -> FastAPI:
    """Return the FastAPI application with the routes of the rare calls.

    Args:
        context: the open context.
        keys: the live API keys.
        problems: builds the documents of errors.
        public_url: the service's public URL, for links in responses.
    """
    app = FastAPI(
        title="paraph management API",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        responses=EVERYWHERE,
    )
    key = ApiKeyDependency(keys)
    app.include_router(linking_routes(context, key, public_url))
    app.include_router(installation_routes(context, key))
    app.include_router(audit_routes(context, key))
    app.include_router(event_routes(context, key))
    _add_document(app, key)
    _add_problems(app, problems)
    return app


def _add_document(app: FastAPI, key: ApiKeyDependency) -> None:
    @cache
    def document() -> dict[str, Any]:
        return openapi_of(app, key)

    @app.get("/v1/openapi.json", include_in_schema=False)
    async def openapi_document(_key: Annotated[ApiKey, Depends(key)]) -> JSONResponse:
        return JSONResponse(document())


def _add_problems(app: FastAPI, problems: Problems) -> None:
    @app.exception_handler(ParaphError)
    async def known(_request: Request, error: ParaphError) -> JSONResponse:
        return problems.of(error)

    @app.exception_handler(RequestValidationError)
    async def bad_shape(_request: Request, error: RequestValidationError) -> JSONResponse:
        # Only names of fields and rules: the submitted values may be secret.
        places = sorted({".".join(map(str, e["loc"])) + ": " + e["msg"] for e in error.errors()})
        return problem_response(MALFORMED, remedy="; ".join(places))

    @app.exception_handler(HTTPException)
    async def plain(_request: Request, error: HTTPException) -> JSONResponse:
        # 400: FastAPI's status for a body that is not JSON at all.
        known = {400: MALFORMED, 404: NOTHING, 405: METHOD}.get(error.status_code)
        refused = Problem(error.status_code, "refused", "The request is refused.", METHOD.remedy)
        return problem_response(known or refused, headers=error.headers)

    @app.exception_handler(Exception)
    async def unexpected(_request: Request, error: Exception) -> JSONResponse:
        _log.error("api.failed", why=type(error).__name__)
        return problem_response(UNEXPECTED)
