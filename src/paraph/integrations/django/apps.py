"""The Django app: it imports the project's handlers and registers the system checks."""

from __future__ import annotations

import logging
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.signals import request_started, setting_changed
from django.utils.module_loading import autodiscover_modules

from paraph.integrations.django.project import project
from paraph.service.mount.access_log import HideCodes, hide_codes


class ParaphConfig(AppConfig):
    """Configuration of the app `paraph`; it has no models."""

    name = "paraph.integrations.django"
    label = "paraph"
    verbose_name = "Zoom"

    def ready(self) -> None:
        """Import the handlers. The service itself starts with the first request."""
        # Its imports need the models of all apps.
        from paraph.integrations.django.checks import check_project

        checks.register(check_project, "paraph")
        hide_codes()
        # The development server logs whole URLs, too.
        logging.getLogger("django.server").addFilter(HideCodes())
        autodiscover_modules("zoom_handlers")
        request_started.connect(_start, dispatch_uid="paraph")
        setting_changed.connect(_reset, dispatch_uid="paraph")


def _start(*, sender: Any, **_named: Any) -> None:
    # The test client sends this signal too; a test that needs the service calls it.
    if not sender.__module__.startswith("django.test"):
        request_started.disconnect(dispatch_uid="paraph")
        project.start_in_background()


def _reset(*, setting: str, **_named: Any) -> None:
    if setting in {"PARAPH", "ROOT_URLCONF"}:
        project.close()
