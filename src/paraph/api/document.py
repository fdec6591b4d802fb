"""The OpenAPI document: declarations that the routes share, and the routes outside FastAPI.

FastAPI generates the document from its routes. Access tokens and the proxy are served in front of
FastAPI; their routes are declared here, for the document only.
"""

# No `from __future__ import annotations` here: FastAPI resolves the annotations of nested
# functions, and as text their names could not be found.
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Path, Request, Response
from fastapi.openapi.models import HTTPBearer
from fastapi.openapi.utils import get_openapi
from fastapi.security.base import SecurityBase
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from paraph.api import models
from paraph.api.problem import MEDIA_TYPE
from paraph.lifecycle.api_key import ApiKey, ApiKeys
from paraph.zoom.api_path import METHODS

InstallationId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Responses = dict[int | str, dict[str, Any]]


class ApiKeyDependency(SecurityBase):
    """Requires an API key; the document names it as the security scheme `apiKey`.

    Args:
        keys: the live API keys.
    """

    model = HTTPBearer()
    scheme_name = "apiKey"

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys

    async def __call__(self, request: Request) -> ApiKey:
        """Return the key that a request presents.

        Raises:
            ApiKeyMissing: the request presents no live key.
        """
        return await self._keys.admit(request.scope["headers"])


def problems(descriptions: Mapping[int, str]) -> Responses:
    """Declare responses that are problem documents.

    Args:
        descriptions: the description of each status.
    """
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": text, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status, text in descriptions.items()
    }


EVERYWHERE = problems(
    {
        401: "No live API key was presented.",
        403: "The API key does not cover this.",
        404: "The resource does not exist, or the key may not see it.",
        422: "The request does not have the documented shape.",
        500: "An error of the service itself.",
        503: "The store or Zoom does not answer at the moment.",
    }
)
WITH_BODY = problems({408: "The body did not arrive in time.", 413: "The body is too long."})
REPEATABLE = problems(
    {409: "The idempotency key was used with another request, or its first call is under way."}
)
_ACCESS = problems(
    {
        409: "Zoom ended the grant; the user must install again at `reauthorize_url`.",
        424: "Zoom refuses a request that it should accept.",
        429: "Too many requests at once.",
    }
)
_PROXIED = problems(
    {
        400: "A header to be forwarded is not visible ASCII.",
        502: "Zoom's response is larger than the limit.",
    }
)
_OF_ZOOM = {
    "description": "Zoom's response.",
    "headers": {"paraph-answer": {"schema": {"const": "zoom"}}},
    "content": {"*/*": {}},
}


async def _declare_idempotency_key(
    _key: Annotated[
        Annotated[str, Field(pattern=r"^[!-~]{1,255}$")] | SkipJsonSchema[None],
        Header(
            alias="idempotency-key",
            description="The same request with the same key gets the same response for a day.",
        ),
    ] = None,
) -> None:
    """Declare the header, which `Idempotency` reads before FastAPI runs."""


# For routes whose POST may be repeated with an idempotency key.
IDEMPOTENT = [Depends(_declare_idempotency_key)]


def openapi_of(app: FastAPI, key: ApiKeyDependency) -> dict[str, Any]:
    """Return the document of the whole API.

    Args:
        app: the routes that FastAPI serves.
        key: requires the API key of every other route.
    """
    routes = [*app.routes, *_access_routes(key).routes]
    document = get_openapi(title=app.title, version=app.version, routes=routes)
    # FastAPI collects the models of one media type of a route; problems have a second one.
    document["components"]["schemas"]["Problem"] = models.Problem.model_json_schema()
    return document


def _access_routes(key: ApiKeyDependency) -> APIRouter:
    """Declare the routes of `AccessTokenEndpoint` and `ProxyEndpoint`; they are never run."""
    router = APIRouter(
        prefix="/v1/installations/{installation_id}",
        tags=["access"],
        dependencies=[Depends(key)],
        responses={**EVERYWHERE, **_ACCESS},
    )

    @router.post(
        "/access-token",
        operation_id="vend_access_token",
        response_description="The access token.",
        responses=WITH_BODY,
    )
    async def vend_access_token(
        installation_id: InstallationId, body: models.AccessTokenBody
    ) -> models.AccessTokenResponse:
        """Return a valid access token of an installation that is active at this moment.

        It lives until Zoom ends it, even if the installation is removed meanwhile. Request one
        for each use: the service refreshes it when needed, and never twice.
        """
        raise NotImplementedError

    async def zoom(
        installation_id: InstallationId,
        path: Annotated[
            str, Path(description="Zoom's path behind /v2/, with its slashes, unchanged.")
        ],
        subject: Annotated[
            str | SkipJsonSchema[None],
            Header(
                alias="paraph-subject",
                description="The subject that the installation must have, percent-encoded UTF-8.",
            ),
        ] = None,
    ) -> Response:
        """Forward a call to Zoom's REST API if `proxy_allow` covers it.

        A response of Zoom's, of any status, carries `paraph-answer: zoom`.
        """
        raise NotImplementedError

    for method in METHODS:
        has_body = method in {"POST", "PUT", "PATCH"}
        router.add_api_route(
            "/zoom/v2/{path:path}",
            zoom,
            methods=[method],
            operation_id=f"zoom_{method.lower()}",
            summary=f"{method} at Zoom",
            response_class=Response,
            response_description="Zoom's response.",
            responses={
                200: _OF_ZOOM,
                "default": _OF_ZOOM,
                **_PROXIED,
                **(WITH_BODY if has_body else {}),
            },
            openapi_extra={"requestBody": {"content": {"*/*": {}}}} if has_body else None,
        )
    return router
