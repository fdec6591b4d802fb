"""django-allauth: its Zoom provider in a Django site of one file; it signs in and stores."""

from urllib.parse import urlsplit

import django
from django.conf import settings
from runner import App


def run(app: App) -> dict:
    """Sign in: the login page, Zoom's answer, and a local account with the Zoom user's id."""
    _configure(app)
    from allauth.socialaccount.models import SocialAccount, SocialToken
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    browser = Client()
    begun = browser.post("/accounts/zoom/login/", HTTP_HOST="127.0.0.1:8000")
    answer = urlsplit(app.visit(begun["location"]))
    ended = browser.get(f"{answer.path}?{answer.query}", HTTP_HOST="127.0.0.1:8000")
    account, token = SocialAccount.objects.get(), SocialToken.objects.get()
    return {
        "user_id": account.uid,
        "email": account.extra_data["email"],
        "stored": bool(token.token) and bool(token.token_secret),
        "status": ended.status_code,
    }


def _configure(app: App) -> None:
    settings.configure(
        SECRET_KEY="a key for a site that lives a second",
        DEBUG=False,
        ALLOWED_HOSTS=["127.0.0.1"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "allauth",
            "allauth.account",
            "allauth.socialaccount",
            "allauth.socialaccount.providers.zoom",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "allauth.account.middleware.AccountMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        ROOT_URLCONF="allauth_urls",
        SOCIALACCOUNT_PROVIDERS={
            "zoom": {"APPS": [{"client_id": app.client_id, "secret": app.client_secret}]}
        },
        SOCIALACCOUNT_STORE_TOKENS=True,
        LOGIN_REDIRECT_URL="/done",
        USE_TZ=True,
    )
    django.setup()
