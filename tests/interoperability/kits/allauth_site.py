"""django-allauth as its quickstart sets it up, with the Zoom provider, in a site of one file.

The app's credentials stand in `SOCIALACCOUNT_PROVIDERS`; `SOCIALACCOUNT_STORE_TOKENS` is on, as it
must be for whoever calls Zoom's API afterwards. Everything else is its default.
"""

import os
from pathlib import Path

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import include, path

settings.configure(
    SECRET_KEY="a key for a site that lives a minute, and is long enough",
    DEBUG=False,
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(Path(os.environ["FOLDER"]) / "site.db"),
            "OPTIONS": {"timeout": 20},
        }
    },
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
    # What `django-admin startproject` writes, and allauth's own at the end.
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        "allauth.account.middleware.AccountMiddleware",
    ],
    AUTHENTICATION_BACKENDS=[
        "django.contrib.auth.backends.ModelBackend",
        "allauth.account.auth_backends.AuthenticationBackend",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    ROOT_URLCONF=__name__,
    SOCIALACCOUNT_PROVIDERS={
        "zoom": {
            "APPS": [
                {
                    "client_id": os.environ["ZOOM_CLIENT_ID"],
                    "secret": os.environ["ZOOM_CLIENT_SECRET"],
                }
            ]
        }
    },
    SOCIALACCOUNT_STORE_TOKENS=True,
    EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend",
    LOGIN_REDIRECT_URL="/",
    USE_TZ=True,
)
django.setup()

from allauth.socialaccount.models import SocialAccount
from django.contrib.auth import get_user_model, login, logout
from django.utils.html import format_html
from django.views.decorators.csrf import csrf_exempt


def index(request):
    """Who is signed in, and as whom at Zoom."""
    if not request.user.is_authenticated:
        return HttpResponse("<p>signed in as nobody</p>")
    known = SocialAccount.objects.filter(user=request.user)
    names = ", ".join(one.extra_data.get("display_name", "") for one in known)
    return HttpResponse(format_html("<p>{} at Zoom: {}</p>", request.user.get_username(), names))


@csrf_exempt
def sign_in(request):
    """The site's own sign-in: the check brings people whom the site knows."""
    user, _ = get_user_model().objects.get_or_create(username=request.POST["user"])
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return HttpResponse("<p>welcome</p>")


@csrf_exempt
def sign_out(request):
    """The site's own sign-out."""
    logout(request)
    return HttpResponse("<p>good-bye</p>")


def links(request):
    """Which Zoom users have a local account."""
    found = SocialAccount.objects.select_related("user")
    return JsonResponse(
        [
            {"subject": one.user.get_username(), "user_id": one.uid, "account_id": ""}
            for one in found
        ],
        safe=False,
    )


urlpatterns = [
    path("accounts/", include("allauth.urls")),
    path("", index),
    path("hooks/sign-in", sign_in),
    path("hooks/sign-out", sign_out),
    path("hooks/links", links),
]


def prepare():
    """The database's tables."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


prepare()
application = get_wsgi_application()
