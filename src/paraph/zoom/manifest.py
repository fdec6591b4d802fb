"""App manifests: the Marketplace's record of the app, checked for weaknesses.

Zoom's own validation accepts a redirect URL that is not a URL, and an allow list without it. Both
strict switches are off by default. So the checks here look for these weaknesses.

Source: developers.zoom.us/docs/build-flow/manifests/schema (OAuth information, event subscriptions)
and /docs/build-flow/basic-info/oauth-info.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from paraph.errors import MessageMalformed
from paraph.strict_json import parse_json_object

_MAX_DEPTH = 32
_OAUTH = "oauth_information"
_DEVELOPMENT = f"{_OAUTH}.development_redirect_uri"
_PRODUCTION = f"{_OAUTH}.production_redirect_uri"
_EVENTS = "features.event_subscription.events"

# The accepted form of a URL: no user information, no fragment, no blank, and a host without a
# wildcard. Upper case is checked separately, because Zoom's own page refuses it.
_URL = re.compile(
    r"(?P<scheme>[a-z]+)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?P<port>:[0-9]{1,5})?"
    r"(?P<path>/[^\s?#\\*]*)?(?P<query>\?[^\s#]*)?",
    re.ASCII | re.IGNORECASE,
)
_LOOPBACK = frozenset({"127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Subscription:
    """One event subscription.

    Attributes:
        field: its path in the manifest.
        development_webhook_url, production_webhook_url: empty if not given.
    """

    field: str
    development_webhook_url: str
    production_webhook_url: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The parts of a General App's manifest that decide where codes and events go."""

    development_redirect_uri: str
    production_redirect_uri: str
    oauth_allow_list: tuple[str, ...]
    strict_mode: bool
    subdomain_strict_mode: bool
    subscriptions: tuple[Subscription, ...]


@dataclass(frozen=True, slots=True)
class Weakness:
    """An entry of the manifest that helps an attacker, or that will not work.

    Args:
        field: its path in the manifest.
        what: the problem, as a sentence.
        remedy: the fix, as a sentence.
    """

    field: str
    what: str
    remedy: str


def parse_manifest(body: bytes) -> Manifest:
    """Parse a manifest as the build flow exports it, bare or inside `{"manifest": …}`.

    Null and absence are equal: exports replace one by the other. A switch is on only if it is
    exactly `true`.

    Raises:
        MessageMalformed: not a strict JSON object, without `oauth_information` (only General Apps
            have a manifest), or a field has the wrong type. The error names the field.
    """
    content: Mapping[str, Any] = parse_json_object(body, max_depth=_MAX_DEPTH)
    if "manifest" in content:
        content = _object(content, "manifest", "manifest")
    oauth = _object(content, _OAUTH, _OAUTH)
    if not oauth:
        raise MessageMalformed(f"`{_OAUTH}` is missing: this is not a General App's manifest")
    features = _object(content, "features", "features")
    subscription = _object(features, "event_subscription", "features.event_subscription")
    return Manifest(
        development_redirect_uri=_text(oauth, "development_redirect_uri", _OAUTH),
        production_redirect_uri=_text(oauth, "production_redirect_uri", _OAUTH),
        oauth_allow_list=_texts(oauth, "oauth_allow_list", _OAUTH),
        strict_mode=oauth.get("strict_mode") is True,
        subdomain_strict_mode=oauth.get("subdomain_strict_mode") is True,
        subscriptions=tuple(_subscriptions(subscription)),
    )


def find_weaknesses(
    manifest: Manifest,
    *,
    redirect_uri: str,
    webhook_url: str,
) -> tuple[Weakness, ...]:
    """Find every weakness of the manifest, compared with the URLs that the service serves.

    Args:
        manifest: from `parse_manifest`.
        redirect_uri: the exact redirect URI of our authorization requests.
        webhook_url: the URL that receives our deliveries.

    Scopes are not checked: only the host knows which ones it needs.
    """
    return (
        *_check_redirects(manifest, redirect_uri),
        *_check_switches(manifest),
        *_check_allow_list(manifest, redirect_uri),
        *_check_subscriptions(manifest, webhook_url),
    )


def _check_redirects(manifest: Manifest, redirect_uri: str) -> Iterator[Weakness]:
    primaries = _primaries(manifest)
    for place, url in primaries:
        yield from _check_url(place, url, loopback=place == _DEVELOPMENT)
        yield from _check_case(place, url)
    registered = {url for _, url in primaries} | set(manifest.oauth_allow_list)
    if redirect_uri not in registered:
        yield Weakness(
            f"{_OAUTH}.oauth_allow_list",
            f"The redirect URI {redirect_uri} is not registered exactly as it is sent.",
            "Put exactly this URL on the OAuth allow list.",
        )
    if primaries and _host(redirect_uri) not in {_host(url) for _, url in primaries}:
        yield Weakness(
            primaries[-1][0],
            "The redirect URL leads to another host than this service, and installs from the "
            "Marketplace go there with their codes.",
            "Set it to a page of this service.",
        )


def _check_switches(manifest: Manifest) -> Iterator[Weakness]:
    if not manifest.strict_mode:
        yield Weakness(
            f"{_OAUTH}.strict_mode",
            "Zoom sends codes to any path below a registered URL.",
            "Turn on Strict Mode URL: then only exact matches count (RFC 9700 section 2.1).",
        )
    if not manifest.subdomain_strict_mode:
        yield Weakness(
            f"{_OAUTH}.subdomain_strict_mode",
            "Zoom does not hold redirects to the subdomain that is registered.",
            "Turn on Subdomain Check.",
        )


def _check_allow_list(manifest: Manifest, redirect_uri: str) -> Iterator[Weakness]:
    primaries = [url for _, url in _primaries(manifest)]
    ours = {_host(url) for url in (redirect_uri, *primaries)}
    for index, entry in enumerate(manifest.oauth_allow_list):
        place = f"{_OAUTH}.oauth_allow_list[{index}]"
        yield from _check_url(place, entry, loopback=True)
        yield from _check_case(place, entry)
        match = _URL.fullmatch(entry)
        if match is None:
            continue
        if match["path"] in (None, "/") and entry != redirect_uri:
            yield Weakness(
                place,
                "This is a base URL: without strict mode every page below it may receive codes.",
                "List the full redirect URL instead.",
            )
        if _host(entry) not in ours:
            yield Weakness(
                place,
                "This entry leads to a host that no redirect URL of the app is on.",
                "Remove it unless it is in use; an API tester's URL does not belong in an app.",
            )


def _check_subscriptions(manifest: Manifest, webhook_url: str) -> Iterator[Weakness]:
    for subscription in manifest.subscriptions:
        urls = {
            "development_webhook_url": subscription.development_webhook_url,
            "production_webhook_url": subscription.production_webhook_url,
        }
        for name, url in urls.items():
            if url:
                yield from _check_url(f"{subscription.field}.{name}", url, loopback=False)
        if webhook_url not in urls.values():
            yield Weakness(
                subscription.field,
                f"The events of this subscription do not go to {webhook_url}.",
                "Set its webhook URL to this one, or remove the subscription.",
            )


def _check_url(place: str, url: str, *, loopback: bool) -> Iterator[Weakness]:
    match = _URL.fullmatch(url)
    if match is None:
        yield Weakness(
            place,
            "This is not a URL with a scheme, a host and a path, and no more.",
            "Write the full https URL, without wildcard, user name or fragment.",
        )
        return
    scheme, host = match["scheme"].lower(), match["host"].lower()
    if scheme != "https" and not (loopback and scheme == "http" and host in _LOOPBACK):
        yield Weakness(
            place,
            "The URL is not https, so codes or events travel in clear.",
            "Use https; Zoom refuses http://localhost too, and takes http://127.0.0.1 for "
            "development only.",
        )


def _check_case(place: str, url: str) -> Iterator[Weakness]:
    if url != url.lower():
        yield Weakness(
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


def _host(url: str) -> tuple[str, str]:
    """Return host and port; the scheme is checked separately."""
    match = _URL.fullmatch(url)
    return (match["host"].lower(), match["port"] or "") if match else ("", "")


def _subscriptions(subscription: Mapping[str, Any]) -> Iterator[Subscription]:
    if subscription.get("enable") is not True:
        return
    events = subscription.get("events") or []
    if not isinstance(events, list):
        raise MessageMalformed(f"`{_EVENTS}` is not a list")
    for index, entry in enumerate(events):
        place = f"{_EVENTS}[{index}]"
        if not isinstance(entry, dict):
            raise MessageMalformed(f"`{place}` is not an object")
        yield Subscription(
            field=place,
            development_webhook_url=_text(entry, "development_webhook_url", place),
            production_webhook_url=_text(entry, "production_webhook_url", place),
        )


def _object(parent: Mapping[str, Any], key: str, place: str) -> Mapping[str, Any]:
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MessageMalformed(f"`{place}` is not an object")
    return value


def _text(parent: Mapping[str, Any], key: str, place: str) -> str:
    value = parent.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MessageMalformed(f"`{place}.{key}` is not a string")
    return value


def _texts(parent: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
    value = parent.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise MessageMalformed(f"`{place}.{key}` is not a list of strings")
    return tuple(value)
