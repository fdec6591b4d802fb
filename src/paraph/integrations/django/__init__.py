"""paraph inside a Django project: settings, URLs, pages, checks, and handlers that use the ORM.

    INSTALLED_APPS += ["paraph.integrations.django"]
    PARAPH = {"PUBLIC_URL": "https://app.example", "CLIENT_ID": …}

    path("integrations/zoom/", include("paraph.integrations.django.urls"))

The service runs on an event loop in a thread of each worker process. It starts with the first
request that the process serves, never at import and never in a management command.
"""

from __future__ import annotations

from paraph.extras import needs

with needs("django", "paraph.integrations.django"):
    from paraph.integrations.django.handlers import on
    from paraph.integrations.django.project import installation_of, zoom

__all__ = ["installation_of", "on", "zoom"]
