"""Weaknesses of an app manifest, compared with the URLs that the service serves.

Zoom's own validation accepts a redirect URL that is not a URL, and an allow list without it. Both
strict switches are off by default. So the checks here look for these weaknesses.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from paraph.zoom.manifest import EVENTS, MAX_NAME, OAUTH, USAGES, Manifest

_DEVELOPMENT = f"{OAUTH}.development_redirect_uri"
_PRODUCTION = f"{OAUTH}.production_redirect_uri"
_SCOPES = f"{OAUTH}.scopes"
_SUBSCRIPTION = EVENTS.rpartition(".")[0]

# The accepted form of a URL: no user information, no fragment, no blank, and a host without a
# wildcard. Upper case is checked separately, because Zoom's own page refuses it.
_URL = re.compile(
    r"(?P<scheme>[a-z]+)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?P<port>:[0-9]{1,5})?"
    r"(?P<path>/[^\s?#\\*]*)?(?P<query>\?[^\s#]*)?",
    re.ASCII | re.IGNORECASE,
)
_REDIRECT_PATH = "/oauth/redirect"
_PAGES = (_REDIRECT_PATH, "/marketplace", "/install")
_LOOPBACK = frozenset({"127.0.0.1", "[::1]"})
_NO_HOST = ("", "")


@dataclass(frozen=True, slots=True)
class Weakness:
    """An entry of the manifest that helps an attacker, or that will not work.

    Args:
        rule: the name of the rule that it breaks.
        field: its path in the manifest.
        what: the problem, as a sentence.
        remedy: the fix, as a sentence.
    """

    rule: str
    field: str
    what: str
    remedy: str


def find_weaknesses(
    manifest: Manifest,
    *,
    redirect_uri: str,
    webhook_url: str,
    level: Literal["user", "account"] | None = None,
    required_scopes: Collection[str] | None = None,
) -> tuple[Weakness, ...]:
    """Find every weakness of the manifest, compared with the URLs that the service serves.

    Args:
        manifest: from `parse_manifest`.
        redirect_uri: the exact redirect URI of our authorization requests.
        webhook_url: the URL that receives our deliveries.
        level: the setting; None leaves the manifest's `usage` unchecked.
        required_scopes: the setting; None leaves the scopes unchecked.
    """
    found = (
        *_check_redirects(manifest, redirect_uri),
        *_check_switches(manifest),
        *_check_allow_list(manifest, redirect_uri),
        *_check_subscriptions(manifest, webhook_url),
        *_check_deauthorization(manifest, webhook_url),
        *_check_every_url(manifest),
        *(() if level is None else _check_usage(manifest, level)),
        *(() if required_scopes is None else _check_scopes(manifest, required_scopes)),
        *_check_name(manifest),
    )
    # A URL that one rule looks at by its field is among all URLs too.
    return tuple({(one.rule, one.field, one.what): one for one in found}.values())


def _check_redirects(manifest: Manifest, redirect_uri: str) -> Iterator[Weakness]:
    primaries = _primaries(manifest)
    for place, url in primaries:
        yield from _check_url(place, url, loopback=place == _DEVELOPMENT)
        yield from _check_case(place, url)
    if not primaries:
        yield Weakness(
            "redirect-not-exact",
            _PRODUCTION,
            "The app has no redirect URL, so it cannot be added from the Marketplace.",
            "Set it to the page /marketplace of this service.",
        )
    registered = {url for _, url in primaries} | set(manifest.oauth_allow_list)
    if redirect_uri not in registered:
        yield Weakness(
            "redirect-not-exact",
            f"{OAUTH}.oauth_allow_list",
            f"The redirect URI {redirect_uri} is not registered exactly as it is sent.",
            "Put exactly this URL on the OAuth allow list.",
        )
    if primaries and _host(redirect_uri) not in {_host(url) for _, url in primaries}:
        yield Weakness(
            "redirect-on-another-host",
            primaries[-1][0],
            "The redirect URL leads to another host than this service, and installs from the "
            "Marketplace go there with their codes.",
            "Set it to a page of this service.",
        )
        return
    for place, url in primaries:
        if _is_foreign(url, redirect_uri, loopback=place == _DEVELOPMENT):
            yield Weakness(
                "redirect-of-another-service",
                place,
                f"Codes may go to {url}, which is not this service: is it your other service?",
                "Set it to a page of this service, unless your other service is there.",
            )
        else:
            yield from _check_page(place, url, redirect_uri)


def _check_page(place: str, url: str, redirect_uri: str) -> Iterator[Weakness]:
    """Find a page of our own host that is not the service's: codes may leak or be passed on."""
    match = _URL.fullmatch(url)
    if match is None or match["path"] in (None, "/") or _host(url) != _host(redirect_uri):
        return
    base = redirect_uri.removesuffix(_REDIRECT_PATH)
    if url not in {f"{base}{path}" for path in _PAGES}:
        yield Weakness(
            "redirect-of-another-service",
            place,
            f"Codes may go to {url}, which is not a page of this service.",
            "Remove it, unless your other service is there: each page that gets codes has to keep "
            "them secret.",
        )


def _check_switches(manifest: Manifest) -> Iterator[Weakness]:
    if not manifest.strict_mode:
        yield Weakness(
            "strict-mode-off",
            f"{OAUTH}.strict_mode",
            "Zoom sends codes to any path below a registered URL.",
            "Turn on Strict Mode URL: then only exact matches count (RFC 9700 section 2.1).",
        )
    if not manifest.subdomain_strict_mode:
        yield Weakness(
            "subdomain-check-off",
            f"{OAUTH}.subdomain_strict_mode",
            "Zoom does not hold redirects to the subdomain that is registered.",
            "Turn on Subdomain Check.",
        )


def _check_allow_list(manifest: Manifest, redirect_uri: str) -> Iterator[Weakness]:
    for index, entry in enumerate(manifest.oauth_allow_list):
        place = f"{OAUTH}.oauth_allow_list[{index}]"
        yield from _check_url(place, entry, loopback=True)
        yield from _check_case(place, entry)
        match = _URL.fullmatch(entry)
        if match is None:
            continue
        if match["path"] in (None, "/") and entry != redirect_uri:
            yield Weakness(
                "base-url-allowed",
                place,
                "This is a base URL: without strict mode every page below it may receive codes.",
                "List the full redirect URL instead.",
            )
        if _is_foreign(entry, redirect_uri, loopback=True):
            yield Weakness(
                "foreign-host-allowed",
                place,
                "This entry leads to another host than this service, and codes may go there.",
                "Remove it unless it is in use; an API tester's URL does not belong in an app.",
            )
        yield from _check_page(place, entry, redirect_uri)


def _check_subscriptions(manifest: Manifest, webhook_url: str) -> Iterator[Weakness]:
    if not manifest.subscriptions:
        yield Weakness(
            "no-event-subscription",
            _SUBSCRIPTION,
            "The app subscribes to no event, so this service learns of no change at Zoom.",
            f"Add an event subscription with the URL {webhook_url}.",
        )
    for subscription in manifest.subscriptions:
        urls = {
            "development_webhook_url": subscription.development_webhook_url,
            "production_webhook_url": subscription.production_webhook_url,
        }
        for name, url in urls.items():
            if url:
                yield from _check_url(f"{subscription.field}.{name}", url, loopback=False)
        if not subscription.event_types:
            yield Weakness(
                "subscription-empty",
                f"{subscription.field}.event_types",
                "This subscription names no event, so Zoom sends nothing to it.",
                "Select its events, or remove the subscription.",
            )
        if manifest.production_redirect_uri and not subscription.production_webhook_url:
            yield Weakness(
                "webhook-url-wrong",
                f"{subscription.field}.production_webhook_url",
                "The published app sends no events of this subscription.",
                f"Set it to {webhook_url}.",
            )
        if webhook_url not in urls.values():
            yield Weakness(
                "webhook-url-wrong",
                subscription.field,
                f"The events of this subscription do not go to {webhook_url}.",
                "Set its webhook URL to this one, or remove the subscription.",
            )
            continue
        for name, url in urls.items():
            if url and url != webhook_url:
                yield Weakness(
                    "webhook-of-another-service",
                    f"{subscription.field}.{name}",
                    f"Events go to {url} too: is it your other service?",
                    f"Set it to {webhook_url}, or empty it, unless your other service is there.",
                )


def _check_deauthorization(manifest: Manifest, webhook_url: str) -> Iterator[Weakness]:
    for place, url in manifest.deauthorization_urls:
        if url != webhook_url:
            yield Weakness(
                "deauthorization-url-wrong",
                place,
                f"Zoom reports removals to {url}, so this service keeps tokens and data of people "
                "who removed the app.",
                f"Set it to {webhook_url}.",
            )


def _check_every_url(manifest: Manifest) -> Iterator[Weakness]:
    """Find plain http anywhere: home URLs, documents and domains have no rule of their own."""
    for place, url in manifest.plain_urls:
        yield from _check_url(place, url, loopback=True)


def _check_usage(manifest: Manifest, level: Literal["user", "account"]) -> Iterator[Weakness]:
    if manifest.usage != USAGES[level]:
        yield Weakness(
            "usage-differs",
            f"{OAUTH}.usage",
            f'The app is managed as {manifest.usage or "nothing"}, and level = "{level}" needs '
            f"{USAGES[level]}: a removal would end too much or too little.",
            f"Set usage to {USAGES[level]}, or change level.",
        )


def _check_scopes(manifest: Manifest, required: Collection[str]) -> Iterator[Weakness]:
    asked = {one.name: one for one in manifest.scopes}
    for name in sorted(required):
        if name not in asked:
            yield Weakness(
                "scope-missing",
                _SCOPES,
                f"The app does not ask for {name}, which required_scopes names: every install "
                "would be refused.",
                f"Add {name}, or remove it from required_scopes.",
            )
        elif asked[name].optional:
            yield Weakness(
                "scope-optional",
                _SCOPES,
                f"{name} is optional at Zoom and required here: people who leave it out are "
                "refused.",
                f"Make {name} required at Zoom, or remove it from required_scopes.",
            )
    counts = Counter(one.name for one in manifest.scopes)
    for index, scope in enumerate(manifest.scopes):
        place = f"{_SCOPES}[{index}]"
        if counts[scope.name] > 1:
            yield Weakness(
                "scope-repeated",
                place,
                f"{scope.name} is listed {counts[scope.name]} times.",
                "List each scope once.",
            )
        if scope.name not in required and not scope.optional:
            yield Weakness(
                "scope-not-needed",
                place,
                f"The app demands {scope.name}, which required_scopes does not name: a stolen "
                "token could do more than the app needs.",
                f"Remove {scope.name}, or make it optional, or add it to required_scopes.",
            )


def _check_name(manifest: Manifest) -> Iterator[Weakness]:
    if not manifest.display_name or len(manifest.display_name) >= MAX_NAME:
        yield Weakness(
            "display-name-refused",
            "display_information.display_name",
            f"Zoom refuses a manifest without a name, or with one of {MAX_NAME} characters.",
            "Give a shorter name.",
        )


def _check_url(place: str, url: str, *, loopback: bool) -> Iterator[Weakness]:
    match = _URL.fullmatch(url)
    if match is None:
        yield Weakness(
            "manifest-url-invalid",
            place,
            "This is not a URL with a scheme, a host and a path, and no more.",
            "Write the full https URL, without wildcard, user name or fragment.",
        )
        return
    scheme, host = match["scheme"].lower(), match["host"].lower()
    if scheme != "https" and not (loopback and scheme == "http" and host in _LOOPBACK):
        yield Weakness(
            "manifest-url-not-https",
            place,
            "The URL is not https, so codes or events travel in clear.",
            "Use https; Zoom refuses http://localhost too, and takes http://127.0.0.1 for "
            "development only.",
        )


def _check_case(place: str, url: str) -> Iterator[Weakness]:
    if url != url.lower():
        yield Weakness(
            "manifest-url-upper-case",
            place,
            "Zoom has refused redirect URLs with upper-case letters (4700).",
            "Use lower case, here and in the service.",
        )


def _primaries(manifest: Manifest) -> list[tuple[str, str]]:
    """Return the redirect URLs that are set, each with its field, the production one last."""
    both = (
        (_DEVELOPMENT, manifest.development_redirect_uri),
        (_PRODUCTION, manifest.production_redirect_uri),
    )
    return [(place, url) for place, url in both if url]


def _is_foreign(url: str, own: str, *, loopback: bool) -> bool:
    """Return true for a URL on another host; with `loopback` the developer's machine is our own."""
    host = _host(url)
    return host != _NO_HOST and host != _host(own) and not (loopback and host[0] in _LOOPBACK)


def _host(url: str) -> tuple[str, str]:
    """Return host and port; the scheme is checked separately."""
    match = _URL.fullmatch(url)
    return (match["host"].lower(), match["port"] or "") if match else _NO_HOST
