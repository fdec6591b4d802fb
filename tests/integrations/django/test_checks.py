"""`manage.py check` names each wrong set-up by its own id, with a hint."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

PUBLIC = "https://tidemark.example"
# Settings of the project, those of Zoom (None removes one), and the ids that are expected.
WRONG: dict[str, tuple[dict[str, Any], dict[str, Any], set[str]]] = {
    "nothing is wrong": ({}, {}, set()),
    "a missing secret": ({}, {"CLIENT_SECRET": None}, {"E001"}),
    "a weak secret": ({}, {"CLIENT_SECRET": "password123456"}, {"E002"}),
    "a short webhook secret": ({}, {"WEBHOOK_SECRETS": ["short"]}, {"E002"}),
    "plain http": ({}, {"PUBLIC_URL": "http://tidemark.example"}, {"E003"}),
    "no public URL": ({}, {"PUBLIC_URL": None}, {"E001"}),
    "no dictionary": ({"PARAPH": "x"}, {}, {"E004"}),
    "an unknown key": ({}, {"CLIENT_SECRETE": "x"}, {"E004"}),
    "a key in both cases": ({}, {"client_id": "x7-Kp2mQ"}, {"E004"}),
    "a prefix": ({}, {"PREFIX": "/zoom"}, {"E004"}),
    "no URLs": ({"ROOT_URLCONF": "urls_without"}, {}, {"E005"}),
    "URLs twice": ({"ROOT_URLCONF": "urls_twice"}, {}, {"E006"}),
    "URLs without a slash": ({"ROOT_URLCONF": "urls_without_slash"}, {}, {"E007"}),
    "URLs with a parameter": ({"ROOT_URLCONF": "urls_with_parameter"}, {}, {"E007"}),
    "URLs in languages": ({"ROOT_URLCONF": "urls_in_languages"}, {}, {"E007"}),
    "a host that is not allowed": ({"ALLOWED_HOSTS": ["other.example"]}, {}, {"E008"}),
    "another script name": ({"FORCE_SCRIPT_NAME": "/app"}, {}, {"E009"}),
    "no sign-in page": ({"LOGIN_URL": "/accounts/login/"}, {}, {"E010"}),
    "a name that is no page": ({"LOGIN_URL": "sign-in"}, {}, {"E010"}),
    "no sessions": ({"MIDDLEWARE": ["django.middleware.csrf.CsrfViewMiddleware"]}, {}, {"E011"}),
    "no CSRF check": (
        {
            "MIDDLEWARE": [
                "django.contrib.sessions.middleware.SessionMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
            ]
        },
        {},
        {"W002"},
    ),
    "no function": ({}, {"SUBJECT_OF": "tidemark.views.nothing"}, {"E012"}),
    "no function for names": ({}, {"LABEL_OF": "jane"}, {"E012"}),
    "a strict session cookie": ({"SESSION_COOKIE_SAMESITE": "Strict"}, {}, {"E013"}),
    "sessions of one process": (
        {"SESSION_ENGINE": "django.contrib.sessions.backends.cache"},
        {},
        {"E014"},
    ),
    "sessions that may be evicted": (
        {
            "SESSION_ENGINE": "django.contrib.sessions.backends.cache",
            "CACHES": {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}},
        },
        {},
        {"W003"},
    ),
    "a session cookie in clear": ({"SESSION_COOKIE_SECURE": False}, {}, {"W004"}),
    "a CSRF cookie in clear": ({"CSRF_COOKIE_SECURE": False}, {}, {"W004"}),
    "a proxy that is not trusted": (
        {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")},
        {},
        {"W005"},
    ),
    "debugging in public": ({"DEBUG": True}, {}, {"W001"}),
    "a relative database": ({}, {"DATABASE_URL": "sqlite:///zoom.sqlite3"}, {"W008"}),
}


def url_modules() -> dict[str, ModuleType]:
    """Wrong URL configurations, by name."""
    from django.conf.urls.i18n import i18n_patterns
    from django.urls import include, path
    from tidemark import views

    own = "paraph.integrations.django.urls"
    rest = [
        path("", views.home, name="home"),
        path("", include("django.contrib.auth.urls")),
    ]
    patterns: dict[str, list[Any]] = {
        "urls_without": rest,
        "urls_twice": [*rest, path("zoom/", include(own)), path("a/zoom/", include(own))],
        "urls_without_slash": [*rest, path("zoom", include(own))],
        "urls_with_parameter": [*rest, path("<slug:team>/zoom/", include(own))],
        "urls_in_languages": [*rest, *i18n_patterns(path("zoom/", include(own)))],
    }
    modules = {}
    for name, urlpatterns in patterns.items():
        modules[name] = ModuleType(name)
        modules[name].urlpatterns = urlpatterns  # type: ignore[attr-defined]
    return modules


@pytest.mark.parametrize("name", WRONG)
def test_each_wrong_set_up_is_named(
    changed: Callable[..., Any],
    values: dict[str, Any],
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One wrong setting gives one id; the message names it and shows no secret."""
    from django.core.checks import run_checks

    for module, content in url_modules().items():
        monkeypatch.setitem(sys.modules, module, content)
    project, zoom, expected = WRONG[name]
    given = {**values, "PUBLIC_URL": PUBLIC, **zoom}
    base = {
        "ALLOWED_HOSTS": ["tidemark.example"],
        "PARAPH": {key: value for key, value in given.items() if value is not None},
    }
    with changed(**{**base, **project}):
        found = run_checks(tags=["paraph"])
    assert {f"paraph.{one}" for one in expected} == {one.id for one in found}, found
    assert all(one.hint and one.msg for one in found)
    shown = "".join(f"{one.msg}{one.hint}" for one in found)
    assert values["CLIENT_SECRET"] not in shown and values["ENCRYPTION_KEYS"][0] not in shown


def test_databases_are_checked(
    changed: Callable[..., Any],
    values: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Paraph keeps off Django's SQLite file; transactions around requests are warned about."""
    from django.conf import settings
    from django.core.checks import run_checks

    file = settings.DATABASES["default"]["NAME"]
    monkeypatch.setitem(settings.DATABASES["default"], "ATOMIC_REQUESTS", True)
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    given = {**values, "PUBLIC_URL": PUBLIC, "DATABASE_URL": f"sqlite:///{file}"}
    with changed(ALLOWED_HOSTS=["tidemark.example"], PARAPH=given):
        found = run_checks(tags=["paraph"])
    assert {"paraph.E015", "paraph.W006", "paraph.W007"} == {one.id for one in found}
