"""App manifests: the Marketplace's record of the app, read and written.

Source: developers.zoom.us/docs/build-flow/manifests/schema (OAuth information, event subscriptions)
and /docs/build-flow/basic-info/oauth-info.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from paraph.errors import MessageMalformed
from paraph.strict_json import parse_json_object

_MAX_DEPTH = 32
# The last name in a path, or the one above it: a text, a list of texts, or an object with a URL.
_DEAUTHORIZATION = re.compile(r"deauth[^.]*(\.[^.]*(url|uri|endpoint)[^.]*)?\Z", re.IGNORECASE)
MAX_NAME = 50
USAGES = {"user": "USER_OPERATION", "account": "ADMIN_MANAGEMENT"}
OAUTH = "oauth_information"
EVENTS = "features.event_subscription.events"


@dataclass(frozen=True, slots=True)
class Subscription:
    """One event subscription.

    Attributes:
        field: its path in the manifest.
        development_webhook_url, production_webhook_url: empty if not given.
        event_types: the names of its events.
    """

    field: str
    development_webhook_url: str
    production_webhook_url: str
    event_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ManifestScope:
    """A scope that the app asks for, and whether a person may leave it out."""

    name: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """The parts of a General App's manifest that decide where codes and events go.

    Attributes:
        display_name: the name of the app.
        usage: `USER_OPERATION`, `ADMIN_MANAGEMENT`, or empty.
        deauthorization_urls: fields whose names speak of deauthorization, with their URLs. Zoom
            documents no such field; its form has one.
        plain_urls: every field with a URL of plain http, wherever it stands.
    """

    development_redirect_uri: str
    production_redirect_uri: str
    oauth_allow_list: tuple[str, ...]
    strict_mode: bool
    subdomain_strict_mode: bool
    subscriptions: tuple[Subscription, ...]
    display_name: str = ""
    usage: str = ""
    scopes: tuple[ManifestScope, ...] = ()
    deauthorization_urls: tuple[tuple[str, str], ...] = ()
    plain_urls: tuple[tuple[str, str], ...] = ()


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
    oauth = _object(content, OAUTH, OAUTH)
    if not oauth:
        raise MessageMalformed(f"`{OAUTH}` is missing: this is not a General App's manifest")
    features = _object(content, "features", "features")
    subscription = _object(features, "event_subscription", "features.event_subscription")
    return Manifest(
        development_redirect_uri=_text(oauth, "development_redirect_uri", OAUTH),
        production_redirect_uri=_text(oauth, "production_redirect_uri", OAUTH),
        oauth_allow_list=_texts(oauth, "oauth_allow_list", OAUTH),
        strict_mode=oauth.get("strict_mode") is True,
        subdomain_strict_mode=oauth.get("subdomain_strict_mode") is True,
        subscriptions=tuple(_subscriptions(subscription)),
        display_name=_text(
            _object(content, "display_information", "display_information"),
            "display_name",
            "display_information",
        ),
        usage=_text(oauth, "usage", OAUTH),
        scopes=tuple(_scopes(oauth)),
        deauthorization_urls=tuple(
            (place, url)
            for place, url in _all_texts(content, "")
            if url and _DEAUTHORIZATION.search(place)
        ),
        plain_urls=tuple(
            (place, url)
            for place, url in _all_texts(content, "")
            if url.lower().startswith("http://")
        ),
    )


def build_manifest(
    *,
    name: str,
    level: Literal["user", "account"],
    public_url: str,
    scopes: Iterable[str],
    event_types: Iterable[str] = (),
) -> dict[str, Any]:
    """Build the manifest of an app that uses this service, in the form that Zoom's API takes.

    Every URL is the service's own one and registered exactly; both strict switches are on. The
    deauthorization URL has no documented field: it is entered in Zoom's form.

    Args:
        name: the name of the app, which Zoom limits to less than 50 characters.
        level: `user` if its users add the app, `account` if an administrator does.
        public_url: the URL below which the service stands.
        scopes: the scopes that an installation must have.
        event_types: the events to receive; without any there is no subscription.
    """
    landing, redirect = f"{public_url}/marketplace", f"{public_url}/oauth/redirect"
    webhook, events = f"{public_url}/webhook", list(event_types)
    subscription = {
        "subscription_name": "paraph",
        "event_types": events,
        "development_webhook_url": webhook,
        "production_webhook_url": webhook,
    }
    return {
        "display_information": {"display_name": name[: MAX_NAME - 1]},
        OAUTH: {
            "usage": USAGES[level],
            "development_redirect_uri": landing,
            "production_redirect_uri": landing,
            "oauth_allow_list": [redirect, landing],
            "strict_mode": True,
            "subdomain_strict_mode": True,
            "scopes": [{"scope": one, "optional": False} for one in scopes],
        },
        "features": {
            "products": [],
            "event_subscription": {
                "enable": bool(events),
                "events": [subscription] if events else [],
            },
        },
    }


def _subscriptions(subscription: Mapping[str, Any]) -> Iterator[Subscription]:
    if subscription.get("enable") is not True:
        return
    events = subscription.get("events") or []
    if not isinstance(events, list):
        raise MessageMalformed(f"`{EVENTS}` is not a list")
    for index, entry in enumerate(events):
        place = f"{EVENTS}[{index}]"
        if not isinstance(entry, dict):
            raise MessageMalformed(f"`{place}` is not an object")
        yield Subscription(
            field=place,
            development_webhook_url=_text(entry, "development_webhook_url", place),
            production_webhook_url=_text(entry, "production_webhook_url", place),
            event_types=_texts(entry, "event_types", place),
        )


def _scopes(oauth: Mapping[str, Any]) -> Iterator[ManifestScope]:
    scopes = oauth.get("scopes") or []
    place = f"{OAUTH}.scopes"
    if not isinstance(scopes, list):
        raise MessageMalformed(f"`{place}` is not a list")
    for index, entry in enumerate(scopes):
        if not isinstance(entry, dict):
            raise MessageMalformed(f"`{place}[{index}]` is not an object")
        name = _text(entry, "scope", f"{place}[{index}]")
        yield ManifestScope(name, optional=entry.get("optional") is True)


def _all_texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Yield every text below a value, with its path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _all_texts(inner, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _all_texts(inner, f"{place}[{index}]")
    elif isinstance(value, str):
        yield place, value


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
