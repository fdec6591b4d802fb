"""Zoom in a FastAPI app: a router with its URLs, and a dependency for the user's installation.

app = FastAPI(lifespan=zoom.lifespan)
app.include_router(router(zoom))

Installed = Annotated[SubjectInstallation, Depends(installation_of(zoom))]

@app.get("/meetings")
async def meetings(installation: Installed) -> Any:
    return (await installation.get("/users/me/meetings")).json()

The dependency refuses a request whose user has no active installation, with the matching status.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from paraph.extras import needs

with needs("service", "paraph.integrations.fastapi"):
    from fastapi import APIRouter, HTTPException, Request

    from paraph.integrations.starlette import CALL_ERRORS, ZoomMiddleware, call_problem, routes
    from paraph.service.in_process import SubjectInstallation
    from paraph.service.zoom import Zoom

__all__ = ["ZoomMiddleware", "installation_of", "router"]


def router(zoom: Zoom, *, security_txt: bool = False) -> APIRouter:
    """Return a router with the public URLs of a `Zoom`; they are not part of the app's schema.

    The app has to run the service: give it `lifespan=zoom.lifespan`. Include the router without a
    prefix of its own: `Zoom(prefix=...)` sets that.

    Args:
        zoom: the service.
        security_txt: whether to serve `/.well-known/security.txt` at the root of the host.

    Example:
        app.include_router(router(zoom))
    """
    return APIRouter(routes=routes(zoom, security_txt=security_txt))


def installation_of(zoom: Zoom) -> Callable[[Request], AsyncIterator[SubjectInstallation]]:
    """Return a dependency that yields the installation of the signed-in user.

    The response is 401 if `subject_of` names no user. A call of Zoom decides about the rest. The
    response is 404 without an installation; `connect_url` in its body begins one. It is 409 if Zoom
    ended the grant; `reauthorize_url` asks the person again. It is 503 while a removal is verified,
    and while Zoom or the database cannot be reached.

    Args:
        zoom: the service; it needs `subject_of`.

    Example:
        Installed = Annotated[SubjectInstallation, Depends(installation_of(zoom))]
    """

    async def installation(request: Request) -> AsyncIterator[SubjectInstallation]:
        subject = await zoom.subject(request.scope)
        if subject is None:
            raise HTTPException(401, {"error": "not_signed_in", "message": "Sign in first."})
        try:
            yield zoom.installation(subject)
        except CALL_ERRORS as error:
            problem = call_problem(zoom, error)
            raise HTTPException(problem.status, problem.detail, problem.headers) from None

    return installation
