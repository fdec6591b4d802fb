"""Reviews an app's settings as Zoom does: when they are saved, at review, and at run time.

A setting is refused by Zoom, weak (the review or an attacker may use it), or fine. The simulator
itself accepts nearly all settings, so that a developer can start at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from paraph.simulator.request import is_loopback_address
from paraph.simulator.state.world import App, Zoom

_SHORTEST_SECRET = 12

Verdict = Literal["refused", "weak", "fine"]
_ORDER: tuple[Verdict, ...] = ("refused", "weak", "fine")


@dataclass(frozen=True, slots=True)
class Finding:
    """One result about an app's settings."""

    verdict: Verdict
    text: str
    reason: str = ""


def review_app(app: App, zoom: Zoom) -> Sequence[Finding]:
    """Return every finding about one app, the worst first."""
    findings = [*_secrets(app), *_scopes(app)]
    if app.kind == "general":
        findings += [*_redirects(app, zoom), *_modes(app), *_removal(app)]
    findings += _endpoint("event URL", app.event_url)
    if app.deauthorization_url != app.event_url:
        findings += _endpoint("deauthorization URL", app.deauthorization_url)
    return sorted(findings, key=lambda one: _ORDER.index(one.verdict))


def _secrets(app: App) -> Iterator[Finding]:
    if app.public:
        yield Finding("fine", "public client: no client secret, PKCE is required")
    else:
        yield _length("client secret", app.client_secret)
    if app.event_url or app.deauthorization_url:
        yield _length("webhook secret", app.webhook_secret)


def _length(name: str, secret: str) -> Finding:
    if not secret:
        return Finding("refused", f"there is no {name}", "Zoom creates one for every app.")
    if len(secret) < _SHORTEST_SECRET:
        return Finding(
            "weak",
            f"the {name} is short",
            f"Fewer than {_SHORTEST_SECRET} characters can be guessed.",
        )
    return Finding("fine", f"the {name} is long enough")


def _scopes(app: App) -> Iterator[Finding]:
    scopes = [*app.scopes, *app.optional_scopes]
    admin = [scope for scope in scopes if scope.endswith((":admin", ":master"))]
    if not app.scopes:
        yield Finding("refused", "no scope is required", "Zoom requires at least one.")
    elif admin and len(admin) < len(scopes):
        yield Finding(
            "refused",
            "scopes of users and of admins are mixed",
            f"Zoom refuses {admin[0]} beside scopes without :admin.",
        )
    elif admin and app.level == "user" and app.kind == "general":
        yield Finding("weak", "admin scopes in a user-managed app", "Only admins can add it.")
    elif app.level == "account" and app.kind == "general" and not (admin or app.admin_scopes):
        text = "Zoom grants admin-managed apps scopes with :admin only; set admin_scopes."
        yield Finding("weak", "scopes without :admin in an admin-managed app", text)
    else:
        yield Finding("fine", "scopes are of one kind")


def _redirects(app: App, zoom: Zoom) -> Iterator[Finding]:
    if not app.redirect_uris:
        yield Finding("refused", "there is no redirect URL", "Zoom requires one.")
    for uri in app.redirect_uris:
        yield _redirect(uri, app, zoom)
    for entry in app.allow_list:
        parts = _split(entry)
        if parts is None or not parts.hostname:
            yield Finding(
                "weak",
                f"{entry} on the allow list is not a URL",
                "Zoom saves it, and it matches nothing.",
            )
        elif parts.path in {"", "/"}:
            yield Finding(
                "weak" if not app.strict_mode else "fine",
                f"{entry} on the allow list is a base URL",
                "Without strict mode codes can go to every path below it.",
            )


def _redirect(uri: str, app: App, zoom: Zoom) -> Finding:
    parts = _split(uri)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        return Finding("refused", f"{uri} is not a web address", "Zoom refuses it (4700).")
    if parts.netloc != parts.netloc.lower():
        return Finding("refused", f"{uri} has capitals in its host", "Zoom refuses it (4700).")
    if parts.fragment or "#" in uri:
        return Finding("refused", f"{uri} has a fragment", "RFC 6749, 3.1.2 forbids it.")
    if parts.scheme == "https":
        return Finding("fine", f"{uri} is https")
    if parts.hostname == "localhost":
        here = (
            "This simulator refuses it too."
            if zoom.localhost_redirects == "refused"
            else "This simulator accepts it: a stated divergence."
        )
        return Finding(
            "refused",
            f"{uri} is on localhost",
            f"Zoom refuses http://localhost since mid-2026 (4700). {here}",
        )
    if is_loopback_address(parts.hostname):
        if app.public:
            return Finding("fine", f"{uri} is on loopback, for a public client on any port")
        return Finding("weak", f"{uri} is on loopback", "For development only.")
    return Finding("refused", f"{uri} is plain http", "Zoom accepts https only.")


def _modes(app: App) -> Iterator[Finding]:
    if app.strict_mode:
        yield Finding("fine", "strict mode: redirect URLs must match exactly")
    else:
        yield Finding(
            "weak", "strict mode is off", "Codes can go to other paths of a registered URL."
        )
    if app.subdomain_strict_mode:
        yield Finding("fine", "the subdomain check is on")
    else:
        yield Finding("weak", "the subdomain check is off", "Codes can go to other subdomains.")
    if app.install_type == "LANDING_PAGE" and not app.landing_url:
        yield Finding("refused", "the landing page has no URL", "The Add button leads nowhere.")
    elif app.install_type == "APP_DIRECTORY":
        yield Finding(
            "weak",
            "Add leads straight to the authorization, without state",
            "The app must drop such a code and start its own flow, or use a landing page.",
        )


def _removal(app: App) -> Iterator[Finding]:
    if not app.deauthorization_url:
        yield Finding(
            "refused", "there is no deauthorization URL", "Zoom's review tests the removal."
        )
    if not app.published:
        yield Finding(
            "weak",
            "the app is not published",
            "Zoom does not send it app_deauthorized.",
        )
    else:
        yield Finding("fine", "published: the app is notified of removals")


def _endpoint(name: str, url: str) -> Iterator[Finding]:
    if not url:
        return
    parts = _split(url)
    if parts is None or not parts.hostname:
        yield Finding("refused", f"the {name} is not a web address")
    elif parts.scheme == "https":
        yield Finding("fine", f"the {name} is https")
    elif parts.hostname == "localhost" or is_loopback_address(parts.hostname):
        yield Finding("weak", f"the {name} is on loopback", "Zoom reaches public https hosts only.")
    else:
        yield Finding("refused", f"the {name} is not https", "Zoom requires TLS 1.2 or newer.")


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts
