"""Zoom's form of an app, field by field, with the values that fit a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple


class FormField(NamedTuple):
    """A field of Zoom's form.

    Args:
        page: the page of the build flow.
        name: the label of the field.
        value: what to enter.
        note: what to know about it; "" if nothing.
    """

    page: str
    name: str
    value: str
    note: str = ""


_BASIC = "Basic Information"
_ACCESS = "Features > Access"


def app_form(
    *,
    public_url: str,
    level: Literal["user", "account"],
    scopes: Sequence[str],
    events: Sequence[str],
) -> list[FormField]:
    """Return the fields of a General App in the order of Zoom's build flow.

    Args:
        public_url: the URL below which the service stands.
        level: who adds the app: each user, or an administrator for all.
        scopes: the scopes that an installation must have.
        events: the events to receive.

    Sources: developers.zoom.us/docs/build-flow/basic-info/oauth-info, /docs/api/webhooks and
    /docs/build-flow/verify-domains.
    """
    landing, redirect = f"{public_url}/marketplace", f"{public_url}/oauth/redirect"
    webhook = f"{public_url}/webhook"
    managed = {"user": "User-managed", "account": "Admin-managed"}[level]
    return [
        FormField(_BASIC, "Select how the app is managed", managed),
        FormField(
            _BASIC, "OAuth Redirect URL", landing, "installs from the Marketplace begin again here"
        ),
        FormField(_BASIC, "Use Strict Mode URL", "on", "only exact matches get a code"),
        FormField(_BASIC, "Subdomain check", "on"),
        FormField(_BASIC, "OAuth Allow Lists", redirect, "the only place where codes are accepted"),
        FormField(_BASIC, "OAuth Allow Lists", landing),
        FormField(
            _BASIC,
            "Deauthorization Notification Endpoint URL",
            webhook,
            "the manifest has no documented field for it: enter it by hand",
        ),
        FormField(_ACCESS, "Event notification endpoint URL", webhook),
        FormField(_ACCESS, "Event types", ", ".join(events) or "those that your product needs"),
        FormField("Scopes", "Add Scopes", ", ".join(scopes) or "those that your product needs"),
        FormField(
            "Domain verification",
            "HTML file",
            f"{public_url}/zoomverify/verifyzoom.html",
            "put the text that Zoom shows into the setting verify_zoom",
        ),
    ]
