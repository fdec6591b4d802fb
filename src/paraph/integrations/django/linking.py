"""The pages that link a Zoom user to the signed-in account: start, and confirmation.

The session holds a nonce, sealed, so that only the browser that began can open the handoff, and the
claims of handoffs that it opened. The signed-in account is determined again at each step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.encoding import iri_to_uri
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_GET, require_http_methods

from paraph.endpoints.browser_request import BrowserRequest
from paraph.endpoints.pages import url_with
from paraph.errors import Busy, Conflict, LinkConflict, NotFound, ParaphError
from paraph.integrations.django.door import request_scope
from paraph.integrations.django.link_session import LinkSession
from paraph.integrations.django.project import label_of, project, subject_of, url_option
from paraph.integrations.django.views import own_view, unavailable
from paraph.values import Replaced


@own_view
@require_GET
def start(request: HttpRequest) -> HttpResponse:
    """Begin: send the signed-in person's browser to Zoom, for a click of that person."""
    scope = request_scope(request, "/start")
    if scope is None:
        raise Http404
    try:
        browser = BrowserRequest(scope, project.zoom().settings.trusted_proxies)
    except ParaphError as error:
        return unavailable(error)
    if browser.is_prefetch or browser.is_cross_site:
        return _private(_page(request, "press"))
    subject = subject_of(request)
    if subject is None:
        return redirect_to_login(request.get_full_path())
    try:
        project.spend_start(browser.address)
        session = LinkSession(request.session, subject, project.ring())
        session.save()
        wanted = project.zoom().request_link(subject, nonce=session.nonce)
    except Busy:
        headers = {"Retry-After": "60", "Cache-Control": "no-store"}
        text = "Too many starts. Try again in a minute.\n"
        return HttpResponse(text, "text/plain", 429, headers=headers)
    except ParaphError as error:
        return unavailable(error)
    return _see_other(wanted.install_url)


@own_view
@csrf_protect
@require_http_methods(["GET", "POST"])
def link(request: HttpRequest) -> HttpResponse:
    """Show both accounts, and confirm or decline when the person has decided."""
    subject = subject_of(request)
    if subject is None:
        # The session that began is gone; a new start begins another one.
        return redirect_to_login(reverse("paraph:start"))
    try:
        session = LinkSession(request.session, subject, project.ring())
        if request.method == "POST":
            response = _decide(request, session, subject)
        else:
            response = _show(request, session, subject)
    except NotFound:
        response = _page(request, "refused", status=404)
    except Conflict:
        response = _page(request, "busy", status=503)
    except ParaphError as error:
        return unavailable(error)
    return _private(response)


def _show(request: HttpRequest, session: LinkSession, subject: str) -> HttpResponse:
    """Open the handoff, or show again what this session opened."""
    if key := request.GET.get("done", ""):
        kept = session.claim(key)
        if kept is None or not kept["outcome"]:
            raise NotFound("this session has decided no such claim")
        return _page(request, kept["outcome"], claim=kept)
    handoff = request.GET.get("handoff", "")
    key = hashlib.sha256(handoff.encode()).hexdigest()
    kept = session.claim(key)
    if kept is None:
        opened = project.zoom().claim(handoff, nonce=session.nonce)
        kept = {
            "claim": opened.claim,
            "expires_at": opened.expires_at,
            "user_id": opened.zoom.user_id,
            "email": opened.zoom.email,
            "display_name": opened.zoom.display_name,
            "outcome": "",
            **_ends(opened.replaces, subject, opened.zoom.email or opened.zoom.user_id),
        }
        session.keep(key, kept)
    if kept["outcome"]:
        return _after(key, kept["outcome"])
    return _confirmation(request, subject, key, kept)


def _ends(replaces: Iterable[Replaced], subject: str, zoom_name: str) -> dict[str, Any]:
    """Describe the connections that a confirmation would end.

    The subject of another local account is not among it: it is not this person's.
    """
    ends = []
    for one in replaces:
        is_own = one.subject == subject
        ends.append({"is_own": is_own, "zoom": _present(subject, one) if is_own else zoom_name})
    return {"ends": ends, "ended_ids": sorted(one.installation_id for one in replaces)}


def _present(subject: str, replaced: Replaced) -> str:
    try:
        zoom = project.zoom().installation(subject).status().zoom
    except NotFound:
        return replaced.zoom.user_id
    return zoom.email or zoom.user_id


def _confirmation(
    request: HttpRequest, subject: str, key: str, kept: dict[str, Any], **values: Any
) -> HttpResponse:
    """Show both accounts of a claim, and the connections that would end."""
    shown = _shown(key, kept["ended_ids"])
    name = label_of(request, subject)
    return _page(request, "link", claim=kept, key=key, shown=shown, local_name=name, **values)


def _shown(key: str, ended_ids: Iterable[str]) -> str:
    """Return the mark of a page that names these connections."""
    value = "\n".join([key, *ended_ids])
    mark: str = salted_hmac("paraph.link", value, algorithm="sha256").hexdigest()
    return mark


def _decide(request: HttpRequest, session: LinkSession, subject: str) -> HttpResponse:
    """Confirm or decline the claim that the form names; a repeated click gets the same outcome."""
    key = request.POST.get("claim", "")
    kept = session.claim(key)
    if kept is None:
        raise NotFound("this session has opened no such claim, or it has expired")
    if not kept["outcome"]:
        zoom = project.zoom()
        try:
            if "decline" in request.POST:
                zoom.decline(kept["claim"])
                kept["outcome"] = "declined"
            else:
                _confirm(request, key, kept["claim"], subject)
                kept["outcome"] = "connected"
        except LinkConflict as error:
            kept |= _ends(error.replaces, subject, kept["email"] or kept["user_id"])
            session.keep(key, kept)
            return _confirmation(request, subject, key, kept, must_agree=True, status=409)
        except NotFound:
            # The other click of a double click may have confirmed it a moment ago.
            found = zoom.installation(subject).status()
            if found.phase != "active" or found.zoom.user_id != kept["user_id"]:
                raise
            kept["outcome"] = "connected"
        session.keep(key, {**kept, "claim": ""})
    return _after(key, kept["outcome"])


def _confirm(request: HttpRequest, key: str, claim: str, subject: str) -> None:
    """Confirm a claim; end the connections that the page of this form has named, and no others.

    Raises:
        LinkConflict: the person has not agreed to what would end now.
    """
    zoom = project.zoom()
    try:
        zoom.confirm(claim, subject=subject)
    except LinkConflict as error:
        shown = _shown(key, sorted(one.installation_id for one in error.replaces))
        is_named = constant_time_compare(request.POST.get("shown", ""), shown)
        if request.POST.get("move") != "yes" or not is_named:
            raise
        zoom.confirm(claim, subject=subject, move=True)


def _after(key: str, outcome: str) -> HttpResponse:
    """Send the browser to the page that the project names for an outcome, or to paraph's own."""
    if outcome == "connected":
        target = url_option("after_install")
    else:
        target = url_option("after_failure")
        target = target and url_with(target, reason=outcome)
    return _see_other(target or f"{reverse('paraph:link')}?done={key}")


def _see_other(url: str) -> HttpResponse:
    # The URL may hold a one-use request.
    headers = {"Location": iri_to_uri(url), "Cache-Control": "no-store"}
    return HttpResponse(status=303, headers=headers)


def _page(request: HttpRequest, name: str, *, status: int = 200, **values: Any) -> HttpResponse:
    """Render one of paraph's templates, which a project may replace."""
    return render(
        request, f"paraph/{name}.html", {"app_name": _app_name(), **values}, status=status
    )


def _app_name() -> str:
    name: str = project.zoom().settings.app_name
    return name


# Scripts and styles are the project's own: its templates may replace these.
_POLICY = "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"


def _private(response: HttpResponse) -> HttpResponse:
    """Keep a page out of frames, caches and `Referer` headers."""
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Cache-Control"] = "no-store, private"
    response.headers["Referrer-Policy"] = "same-origin"
    return response
