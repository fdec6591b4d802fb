"""System checks: `manage.py check` names every wrong set-up, with the line to change.

Errors keep the service from starting, or keep people from finishing. Warnings name weaknesses. No
check starts the service, opens its database or calls Zoom.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from paraph.errors import ConfigurationError, UsageError
from paraph.integrations.django import deployment_checks, url_checks
from paraph.integrations.django.project import service_settings


def check_project(**_named: Any) -> list[CheckMessage]:
    """Return every problem of the project's set-up; the apps that Django names do not matter."""
    found = [*_written_wrongly(), *url_checks.check_urls()]
    if not found:
        # Without a place for the URLs there is no redirect URI to check.
        found += _settings_problems()
    if not any(one.id in {"paraph.E001", "paraph.E002", "paraph.E003"} for one in found):
        found += url_checks.check_pages()
    return [*found, *deployment_checks.check_deployment()]


def _written_wrongly() -> list[CheckMessage]:
    value = getattr(settings, "PARAPH", {})
    if not isinstance(value, dict):
        return [
            Error("PARAPH is not a dictionary.", hint='Write PARAPH = {"CLIENT_ID": …}.', id=_ID)
        ]
    names = [str(name).lower() for name in value]
    return [
        *(
            Error(f"PARAPH holds {name.upper()} twice.", hint="Remove one.", id=_ID)
            for name in sorted(set(names))
            if names.count(name) > 1
        ),
        *(
            Error(
                f"PARAPH holds {name.upper()}, which the URL configuration decides.",
                hint=f"Remove {name.upper()}: the place of the include() decides it.",
                id=_ID,
            )
            for name in ("prefix", "start_url", "link_url")
            if name in names
        ),
    ]


def _settings_problems() -> list[CheckMessage]:
    """Name each problem of the service's settings, as its start would."""
    try:
        service_settings()
    except ConfigurationError as error:
        return [_problem(one) for one in error.problems]
    except UsageError as error:
        return [Error(f"PARAPH: {error.detail}.", hint=error.remedy, id=_ID)]
    return []


_ID = "paraph.E004"


def _problem(text: str) -> CheckMessage:
    name = text.partition(" ")[0].partition("[")[0].rstrip(":")
    hint = f'Set PARAPH["{name.upper()}"], or the variable PARAPH_{name.upper()}.'
    if text.partition(":")[0].endswith(" is missing"):
        return Error(f"{text}.", hint=hint, id="paraph.E001")
    if name == "public_url":
        return Error(f"{text}.", hint=f"{hint} Zoom and browsers use it.", id="paraph.E003")
    return Error(f"{text}.", hint=hint, id="paraph.E002")
