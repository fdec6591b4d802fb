"""`manage.py paraph_status`: the fields of Zoom's form, and every problem of the set-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage
from django.core.management.base import BaseCommand, CommandError

from paraph.integrations.django.checks import check_project
from paraph.integrations.django.project import service_settings


class Command(BaseCommand):
    """Print the URLs to register at Zoom. The service is not started."""

    help = "Print the URLs to register at Zoom, and the problems of this project's Zoom settings."
    requires_system_checks: Sequence[str] = ()

    def handle(self, **_options: Any) -> None:
        """Print the status, and fail if the service could not start."""
        found: list[CheckMessage] = check_project()
        for one in found:
            self.stderr.write(f"{one.id}: {one.msg}\n  {one.hint}")
        if any(one.is_serious() for one in found):
            raise CommandError("Zoom is not set up: fix every problem listed above.")
        settings = service_settings()
        marketplace = f"{settings.public_url}/marketplace"
        rows = (
            ("OAuth Redirect URL", marketplace),
            ("OAuth Allow Lists", f"{marketplace} and {settings.redirect_uri}"),
            ("Use Strict Mode for redirect URLs", "on"),
            ("Subdomain check", "on"),
            ("Event notification endpoint URL", f"{settings.public_url}/webhook"),
            ("Deauthorization notification endpoint URL", f"{settings.public_url}/webhook"),
            (
                "Listing: `Visit Site to Add`",
                settings.start_url or f"{settings.public_url}/install",
            ),
            ("Scopes", " ".join(sorted(settings.required_scopes)) or "(none required)"),
        )
        for name, value in rows:
            self.stdout.write(f"{name}: {value}")
