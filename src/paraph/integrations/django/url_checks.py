"""Checks of the URL configuration: the place of paraph's URLs, and the pages that people need."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's own name.
from django.http.request import validate_host
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, Resolver404, URLPattern, URLResolver, get_resolver, resolve
from django.urls.resolvers import LocalePrefixPattern

from paraph.errors import ParaphError
from paraph.integrations.django.project import service_settings
from paraph.settings.validation import is_loopback

URLS = "paraph.integrations.django.urls"
_INCLUDE = f'path("integrations/zoom/", include("{URLS}"))'


def check_urls() -> list[CheckMessage]:
    """Check that the URLs are included once, at a fixed place."""
    places = list(_places(get_resolver(), ()))
    if not places:
        return [
            Error("The URLs of paraph are not included.", hint=f"Add {_INCLUDE}.", id="paraph.E005")
        ]
    if len(places) > 1:
        shown = ", ".join(f"/{_route(place)}" for place in places)
        return [
            Error(
                f"The URLs of paraph are included {len(places)} times: {shown}.",
                hint="Keep one: Zoom knows one redirect URL.",
                id="paraph.E006",
            )
        ]
    place = places[0]
    route = _route(place)
    if any(isinstance(one.pattern, LocalePrefixPattern) for one in place):
        return [
            Error(
                "The URLs of paraph are included in i18n_patterns().",
                hint="Move the include() out of it: Zoom knows one redirect URL, in no language.",
                id="paraph.E007",
            )
        ]
    if any(one.pattern.converters or one.pattern.regex.groups for one in place):
        return [
            Error(
                f"The URLs of paraph are included below a path with a parameter: /{route}.",
                hint=f"Include them below a fixed path: {_INCLUDE}.",
                id="paraph.E007",
            )
        ]
    if route and not route.endswith("/"):
        return [
            Error(
                f'The URLs of paraph are included at "{route}", without a slash at its end.',
                hint=f'Write path("{route}/", …): otherwise the URLs are /{route}webhook.',
                id="paraph.E007",
            )
        ]
    return []


def _places(
    resolver: URLResolver, above: tuple[URLResolver, ...]
) -> Iterator[tuple[URLResolver, ...]]:
    """Yield each chain of include() calls that leads to paraph's URLs."""
    for one in resolver.url_patterns:
        if isinstance(one, URLPattern):
            continue
        module = getattr(one.urlconf_name, "__name__", one.urlconf_name)
        if module == URLS:
            yield (*above, one)
        else:
            yield from _places(one, (*above, one))


def _route(place: tuple[URLResolver, ...]) -> str:
    return "".join(str(one.pattern) for one in place)


def check_pages() -> list[CheckMessage]:
    """Check the URLs that Zoom and browsers use, and the page where people sign in."""
    try:
        service = service_settings()
    except (ParaphError, NoReverseMatch):
        return []
    found: list[CheckMessage] = []
    parts = urlsplit(service.public_url)
    host = parts.hostname or ""
    allowed = settings.ALLOWED_HOSTS
    if settings.DEBUG and not allowed:
        allowed = [".localhost", "127.0.0.1", "[::1]"]
    if not validate_host(f"[{host}]" if ":" in host else host, allowed):
        found.append(
            Error(
                f"ALLOWED_HOSTS does not hold {host}, the host of public_url.",
                hint=f'Add "{host}": Django answers 400 to Zoom and to every browser otherwise.',
                id="paraph.E008",
            )
        )
    script = (settings.FORCE_SCRIPT_NAME or "").rstrip("/")
    if script and not parts.path.startswith(f"{script}/"):
        found.append(
            Error(
                f"The redirect URL is {service.redirect_uri}, and FORCE_SCRIPT_NAME is {script}.",
                hint=f"Write the path {script} at the end of public_url, as browsers see it.",
                id="paraph.E009",
            )
        )
    if service.linking == "host":
        found += _sign_in_page()
    if settings.DEBUG and parts.scheme == "https" and not is_loopback(host):
        found.append(
            Warning(
                f"DEBUG is on, and public_url is {service.public_url}.",
                hint="Set DEBUG = False on a public host: its error pages show settings and codes.",
                id="paraph.W001",
            )
        )
    return found


def _sign_in_page() -> Iterator[CheckMessage]:
    try:
        url = urlsplit(resolve_url(settings.LOGIN_URL))
        if not url.netloc:
            resolve(url.path)
    except (NoReverseMatch, Resolver404):
        yield Error(
            f"LOGIN_URL is {settings.LOGIN_URL}, and no page of this project has that URL.",
            hint="Set LOGIN_URL to the page where people sign in: connecting Zoom begins there.",
            id="paraph.E010",
        )
