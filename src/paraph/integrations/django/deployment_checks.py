"""Checks of cookies, sessions, middleware, proxies and databases that paraph depends on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's own name.
from django.middleware.csrf import CsrfViewMiddleware
from django.urls import NoReverseMatch
from django.utils.module_loading import import_string

from paraph.errors import ParaphError
from paraph.integrations.django.project import function_option, option, service_settings
from paraph.settings.model import Settings
from paraph.settings.sqlite_url import sqlite_file


def check_deployment() -> list[CheckMessage]:
    """Check the rest of the project's settings."""
    try:
        service = service_settings()
    except (ParaphError, NoReverseMatch):
        service = None
    found = [*_middleware(), *_functions(), *_sessions(), *_transactions()]
    if service is not None:
        found += [*_cookies(service), *_proxies(service), *_database(service)]
    return found


def _middleware() -> Iterator[CheckMessage]:
    needed: list[type] = [SessionMiddleware]
    if not option("subject_of"):
        needed.append(AuthenticationMiddleware)
    for one in needed:
        if not _has(one):
            yield Error(
                f"MIDDLEWARE does not hold {_name_of(one)}.",
                hint="Add it: paraph reads the signed-in account from the session.",
                id="paraph.E011",
            )
    if not _has(CsrfViewMiddleware):
        yield Warning(
            f"MIDDLEWARE does not hold {_name_of(CsrfViewMiddleware)}.",
            hint="Add it. paraph checks its own confirmation page, and no other page.",
            id="paraph.W002",
        )


def _name_of(middleware: type) -> str:
    return f"{middleware.__module__}.{middleware.__qualname__}"


def _has(wanted: type) -> bool:
    """Return True if the project has a middleware, or a subclass of it."""
    for one in settings.MIDDLEWARE:
        try:
            found = import_string(one)
        except ImportError:
            continue
        if found is wanted or (isinstance(found, type) and issubclass(found, wanted)):
            return True
    return False


def _functions() -> Iterator[CheckMessage]:
    for name in ("subject_of", "label_of"):
        try:
            is_function = not option(name) or callable(function_option(name))
        except ImportError:
            is_function = False
        if not is_function:
            yield Error(
                f'PARAPH["{name.upper()}"] is {option(name)}, which is not a function.',
                hint="Write the dotted name of a function that takes the request, or leave it out.",
                id="paraph.E012",
            )


def _sessions() -> Iterator[CheckMessage]:
    if str(settings.SESSION_COOKIE_SAMESITE).lower() == "strict":
        yield Error(
            'SESSION_COOKIE_SAMESITE is "Strict".',
            hint='Set it to "Lax": people return from Zoom signed out otherwise.',
            id="paraph.E013",
        )
    engine = settings.SESSION_ENGINE
    if engine == "django.contrib.sessions.backends.cache":
        cache = settings.CACHES.get(settings.SESSION_CACHE_ALIAS, {}).get("BACKEND", "")
        if cache.endswith((".LocMemCache", ".DummyCache")):
            yield Error(
                f"SESSION_ENGINE keeps sessions in {cache}, which processes do not share.",
                hint="Set SESSION_ENGINE to django.contrib.sessions.backends.db or cached_db.",
                id="paraph.E014",
            )
        else:
            yield Warning(
                "SESSION_ENGINE keeps sessions in a cache alone, which may evict them.",
                hint="Set SESSION_ENGINE to django.contrib.sessions.backends.cached_db: a person "
                "whose session is gone on the return from Zoom has to start again.",
                id="paraph.W003",
            )


def _cookies(service: Settings) -> Iterator[CheckMessage]:
    if not service.public_url.startswith("https:"):
        return
    for name, is_used in (
        ("SESSION_COOKIE_SECURE", True),
        ("CSRF_COOKIE_SECURE", not settings.CSRF_USE_SESSIONS),
    ):
        if is_used and not getattr(settings, name):
            yield Warning(
                f"{name} is False, and public_url is https.",
                hint=f"Set {name} = True: the cookie travels in clear otherwise.",
                id="paraph.W004",
            )


def _proxies(service: Settings) -> Iterator[CheckMessage]:
    if settings.SECURE_PROXY_SSL_HEADER and not service.trusted_proxies:
        yield Warning(
            "SECURE_PROXY_SSL_HEADER is set, and trusted_proxies is empty.",
            hint='Set PARAPH["TRUSTED_PROXIES"] to the networks of the proxy: without it, limits '
            "count all people as one address.",
            id="paraph.W005",
        )


def _transactions() -> Iterator[CheckMessage]:
    for alias, values in settings.DATABASES.items():
        if values.get("ATOMIC_REQUESTS"):
            yield Warning(
                f'DATABASES["{alias}"] sets ATOMIC_REQUESTS.',
                hint="Decorate each view that calls Zoom by transaction.non_atomic_requests: its "
                "transaction stays open for as long as Zoom takes. paraph's own views do so.",
                id="paraph.W006",
            )
    if os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE"):  # noqa: TID251 - Django reads it there, too.
        yield Warning(
            "DJANGO_ALLOW_ASYNC_UNSAFE is set.",
            hint="Remove it: a query on an event loop blocks every request of the process.",
            id="paraph.W007",
        )


def _database(service: Settings) -> Iterator[CheckMessage]:
    own = sqlite_file(service.database_url)
    if not own:
        return
    for alias, values in settings.DATABASES.items():
        name = str(values.get("NAME", ""))
        if values.get("ENGINE", "").endswith("sqlite3") and _same_file(own, name):
            yield Error(
                f'database_url is the SQLite file of DATABASES["{alias}"].',
                hint="Give paraph a file of its own, such as sqlite:///zoom.sqlite3: two libraries "
                "on one file release each other's locks.",
                id="paraph.E015",
            )
    if not Path(own).is_absolute():
        yield Warning(
            f"database_url is the relative path {own}.",
            hint="Write an absolute path: a server and manage.py may run in different folders, "
            "and each would have its own installations.",
            id="paraph.W008",
        )


def _same_file(one: str, other: str) -> bool:
    return bool(one and other) and Path(one).resolve() == Path(other).resolve()
