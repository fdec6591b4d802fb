import hashlib
import hmac
import json

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from . import zoom
from .models import ZoomEvent


def index(request):
    account = None
    if request.user.is_authenticated:
        account = SocialAccount.objects.filter(user=request.user, provider="zoom").first()
    return render(request, "meetings/index.html", {"account": account})


@login_required
def meeting_list(request):
    data = zoom.get(request.user, "/users/me/meetings")
    return render(request, "meetings/list.html", {"meetings": data.get("meetings", [])})


def sign(message):
    secret = settings.ZOOM_WEBHOOK_SECRET_TOKEN.encode()
    return hmac.new(secret, message.encode(), hashlib.sha256).hexdigest()


@csrf_exempt
@require_POST
def zoom_webhook(request):
    timestamp = request.headers.get("x-zm-request-timestamp", "")
    signature = request.headers.get("x-zm-signature", "")
    expected = "v0=" + sign(f"v0:{timestamp}:{request.body.decode()}")
    if not hmac.compare_digest(signature, expected):
        return HttpResponse("invalid signature", status=401)

    event = json.loads(request.body)

    if event["event"] == "endpoint.url_validation":
        plain_token = event["payload"]["plainToken"]
        return JsonResponse({"plainToken": plain_token, "encryptedToken": sign(plain_token)})

    if event["event"] == "app_deauthorized":
        SocialAccount.objects.filter(provider="zoom", uid=event["payload"]["user_id"]).delete()
        return HttpResponse(status=204)

    ZoomEvent.objects.create(name=event["event"], payload=event["payload"])
    return HttpResponse(status=204)
