"""The URLs of the integration, for `path("zoom/", include("paraph.integrations.django.urls"))`.

Any prefix works. Register the resulting redirect URL and event URL at Zoom; the command
`manage.py paraph_status` prints them.
"""

from __future__ import annotations

from django.urls import path

from paraph.integrations.django import linking, views

app_name = "paraph"

urlpatterns = [
    path("start", linking.start, name="start"),
    path("link", linking.link, name="link"),
    path("webhook", views.webhook, name="webhook"),
    *(
        path(route, views.public, name=name)
        for route, name in (
            ("install", "install"),
            ("oauth/redirect", "redirect"),
            ("marketplace", "marketplace"),
            ("installed", "installed"),
            ("healthz", "healthz"),
            ("readyz", "readyz"),
            ("zoomverify/verifyzoom.html", "verify"),
            (".well-known/security.txt", "security"),
        )
    ),
]
