"""Calls to the Zoom API on behalf of a user who connected their account."""

from datetime import timedelta

import requests
from allauth.socialaccount.models import SocialToken
from django.conf import settings
from django.utils import timezone

API = "https://api.zoom.us/v2"
TOKEN_URL = "https://zoom.us/oauth/token"


def token_for(user):
    return SocialToken.objects.filter(account__user=user, account__provider="zoom").first()


def refresh(token):
    app = settings.SOCIALACCOUNT_PROVIDERS["zoom"]["APP"]
    response = requests.post(
        TOKEN_URL,
        data={"grant_type": "refresh_token", "refresh_token": token.token_secret},
        auth=(app["client_id"], app["secret"]),
        timeout=10,
    )
    response.raise_for_status()
    data = response.json()
    token.token = data["access_token"]
    token.token_secret = data["refresh_token"]
    token.expires_at = timezone.now() + timedelta(seconds=data["expires_in"])
    token.save()


def get(user, path):
    token = token_for(user)
    if token.expires_at and token.expires_at < timezone.now() + timedelta(seconds=30):
        refresh(token)
    response = requests.get(
        f"{API}{path}",
        headers={"Authorization": f"Bearer {token.token}"},
        timeout=10,
    )
    response.raise_for_status()
    return response.json()
