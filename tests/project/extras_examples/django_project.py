"""The extra `django`: a Django view that asks the service in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import django
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.test import Client
from django.urls import path

from paraph import SyncZoom

words = [sys.executable, "-m", "paraph", "keys", "new"]
key = subprocess.run(words, capture_output=True, check=True, text=True).stdout.strip()
zoom = SyncZoom(
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
    webhook_secrets=[os.environ["WEBHOOK_SECRET"]],
    public_url=os.environ["PUBLIC_URL"],
    database_url=f"sqlite:///{Path.cwd()}/django.db",
    encryption_keys=[key],
    linking="none",
    authorization_server=os.environ["ZOOM"],
    api_servers=[os.environ["ZOOM"]],
)


def installations(_request: HttpRequest) -> JsonResponse:
    """The installations of this product."""
    return JsonResponse([one.id for one in zoom.installations()], safe=False)


urlpatterns = [path("installations", installations)]
settings.configure(
    ROOT_URLCONF=__name__, SECRET_KEY="of-this-example", ALLOWED_HOSTS=["testserver"]
)
django.setup()
with zoom:
    assert [] == Client().get("/installations").json()
