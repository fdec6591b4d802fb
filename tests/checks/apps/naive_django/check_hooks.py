"""Test hooks for `paraph check`. Without CHECK_HOOK_KEY the app has no such URLs.

Add them to the project's urls.py:

    if "CHECK_HOOK_KEY" in os.environ:
        urlpatterns += [path("_check/", include("check_hooks"))]
"""

import hmac
import json
import os
from functools import wraps

from django.contrib.auth import get_user_model, login, logout
from django.http import Http404, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


def installations():
    """Return every installation as {"subject": ..., "user_id": ..., "account_id": ...}.

    subject: your user's id, or "" without users of your own; the others are Zoom's ids.
    """
    from allauth.socialaccount.models import SocialAccount

    return [
        {
            "subject": one.user.username,
            "user_id": one.uid,
            "account_id": one.extra_data.get("account_id", ""),
        }
        for one in SocialAccount.objects.select_related("user")
    ]


def call_zoom(subject, user_id):
    """Call https://api.zoom.us/v2/users/me as your app does for this user; return the status."""
    from django.contrib.auth.models import User
    from meetings import zoom

    user = User.objects.filter(username=subject).first()
    if user is None or zoom.token_for(user) is None:
        return 404
    zoom.get(user, "/users/me/meetings")
    return 200


def expire(subject, user_id):
    """Let the stored expiry of this user's access token be in the past."""
    from allauth.socialaccount.models import SocialToken
    from django.utils import timezone

    SocialToken.objects.filter(account__user__username=subject).update(expires_at=timezone.now())


def handled_events():
    """Return every event that the app has handled, as Zoom sent it; for the hook `events`."""
    from meetings.models import ZoomEvent

    return [{"event": one.name, "payload": one.payload} for one in ZoomEvent.objects.all()]


def sign_in(request, subject):
    """Sign this browser in as your user `subject`, who may be new; for the hook `sign_in`."""
    user, _ = get_user_model().objects.get_or_create(**{get_user_model().USERNAME_FIELD: subject})
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")


def only_the_check(view):
    @csrf_exempt
    @wraps(view)
    def checked(request):
        key = os.environ.get("CHECK_HOOK_KEY", "")
        given = request.headers.get("x-check-key", "")
        if not key or not hmac.compare_digest(given.encode(), key.encode()):
            raise Http404
        return view(request)

    return checked


@only_the_check
def links(request):
    return JsonResponse(list(installations()), safe=False)


@only_the_check
def use(request):
    whose = json.loads(request.body)
    status = call_zoom(whose["subject"], whose["user_id"])
    return HttpResponse(status=200 if status < 300 else 502)


@only_the_check
def expired(request):
    whose = json.loads(request.body)
    expire(whose["subject"], whose["user_id"])
    return HttpResponse(status=204)


@only_the_check
def events(request):
    return JsonResponse(list(handled_events()), safe=False)


@only_the_check
def signed_in(request):
    sign_in(request, request.POST["user"])
    return HttpResponse(status=204)


@only_the_check
def signed_out(request):
    logout(request)
    return HttpResponse(status=204)


urlpatterns = [
    path("links", links),
    path("use", use),
    path("expire", expired),
    path("events", events),
    path("sign-in", signed_in),
    path("sign-out", signed_out),
]
