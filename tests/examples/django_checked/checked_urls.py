"""Hooks of `paraph check`: sign in without a page, list who is linked, call Zoom."""

from __future__ import annotations

import json

from django.contrib.auth import login, logout
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from tidemark import urls

from paraph import ParaphError
from paraph.integrations.django import zoom


@csrf_exempt
def sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in as any account."""
    login(request, User.objects.get_or_create(username=request.POST["user"])[0])
    return HttpResponse()


@csrf_exempt
def sign_out(request: HttpRequest) -> HttpResponse:
    """Sign out."""
    logout(request)
    return HttpResponse()


def links(_request: HttpRequest) -> HttpResponse:
    """List which local account is linked to which Zoom user."""
    names = {str(one.pk): one.username for one in User.objects.all()}
    return JsonResponse(
        [
            {
                "subject": names.get(one.subject, one.subject),
                "user_id": one.zoom.user_id,
                "account_id": one.zoom.account_id,
            }
            for one in zoom.installations()
        ],
        safe=False,
    )


@csrf_exempt
def use(request: HttpRequest) -> HttpResponse:
    """Call Zoom for an account."""
    user = User.objects.get(username=json.loads(request.body)["subject"])
    try:
        response = zoom.installation(str(user.pk)).get("/users/me")
    except ParaphError:
        return HttpResponse(status=503)
    return HttpResponse(status=200 if response.status == 200 else 502)


urlpatterns = [
    *urls.urlpatterns,
    path("hooks/sign-in", sign_in),
    path("hooks/sign-out", sign_out),
    path("hooks/links", links),
    path("hooks/use", use),
]
