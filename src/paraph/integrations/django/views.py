"""The views of the service's public URLs: one door, with Django's defences where they fit.

No view opens a transaction: with `ATOMIC_REQUESTS` it would stay open while Zoom is called. A
project's `LoginRequiredMiddleware` leaves them alone, because Zoom and new users are not signed in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from paraph.errors import ParaphError, UsageError
from paraph.integrations.django.door import django_response, request_body, request_scope
from paraph.integrations.django.project import prefix, project
from paraph.integrations.exchange import NoBody, WholeResponse, exchange
from paraph.integrations.wsgi_request import limited_time

if TYPE_CHECKING:
    from starlette.types import Scope

    from paraph.service.sync_zoom import SyncZoom

View = TypeVar("View", bound=Callable[..., Any])
_log = logging.getLogger("paraph.django")


def own_view(view: View) -> View:
    """Mark a view of paraph's: open to everybody, and outside transactions."""
    marked: View = transaction.non_atomic_requests(login_not_required(view))
    return marked


@own_view
def public(request: HttpRequest) -> HttpResponse:
    """Answer a public URL of the service."""
    # Pages here are one person's: a site-wide cache must not keep them.
    request._cache_update_cache = False  # noqa: SLF001 - The mark of Django's own cache middleware.
    try:
        zoom = project.zoom()
        path = zoom.settings.base_path + request.path_info.removeprefix(prefix())
        scope = request_scope(request, path)
        if scope is None:
            raise Http404
        return django_response(_answer(zoom, scope, request))
    except ParaphError as error:
        return unavailable(error)


def _answer(zoom: SyncZoom, scope: Scope, request: HttpRequest) -> WholeResponse:
    """Pass a request to the service; its body is read only if the headers do not decide."""
    call = zoom.loop_thread.call
    answer = call(exchange, zoom.zoom.asgi, scope, NoBody.NOT_READ)
    if answer is None:
        with limited_time(request.META, zoom.loop_thread.loop):
            body = request_body(request)
        answer = call(exchange, zoom.zoom.asgi, scope, body)
    if answer is None:
        raise UsageError("the service asked for a body that was read")
    return answer


# Zoom sends no token of Django's; its own signature is verified over the raw bytes.
webhook = csrf_exempt(public)


def unavailable(error: ParaphError) -> HttpResponse:
    """Answer 503 where the service cannot run, and log why."""
    _log.error("Zoom is not available: %s. %s", error.detail, error.remedy)
    response = HttpResponse("Zoom is not available. Try again later.\n", "text/plain", 503)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Retry-After"] = "60"
    return response
