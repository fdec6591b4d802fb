"""Pages of the product."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from paraph import NeedsReauthorization, NotFound, ParaphError
from paraph.integrations.django import installation_of
from tidemark.models import EndedMeeting


@login_required
def home(request: HttpRequest) -> HttpResponse:
    meetings = EndedMeeting.objects.filter(subject=request.user.pk)
    return render(request, "home.html", {"meetings": meetings})


@login_required
def me(request: HttpRequest) -> HttpResponse:
    try:
        response = installation_of(request).get("/users/me")
    except NotFound:
        return JsonResponse({"error": "Zoom is not connected"}, status=404)
    except NeedsReauthorization:
        return JsonResponse({"error": "Zoom has to be connected again"}, status=409)
    except ParaphError:
        return JsonResponse({"error": "Zoom is not available"}, status=503)
    return JsonResponse({"zoom": response.json()["display_name"]})


@login_required
@require_POST
def disconnect(request: HttpRequest) -> HttpResponse:
    installation_of(request).remove()
    return redirect("home")
