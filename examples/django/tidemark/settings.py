"""Settings of the product. Those of Zoom are in PARAPH, and its secrets in PARAPH_* variables."""

import os
from pathlib import Path

DATA = Path(os.environ.get("TIDEMARK_DATA", Path(__file__).parent.parent))
SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "tidemark.urls"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "paraph.integrations.django",
    "tidemark",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA / "db.sqlite3",
        "OPTIONS": {"timeout": 20},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"
LOGIN_URL, LOGIN_REDIRECT_URL, LOGOUT_REDIRECT_URL = "login", "home", "login"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
PARAPH = {
    "APP_NAME": "Tidemark",
    "DATABASE_URL": f"sqlite:///{DATA / 'paraph.db'}",
    "REQUIRED_SCOPES": ["user:read:user"],
    "AFTER_INSTALL": "home",
    "AFTER_FAILURE": "home",
}
