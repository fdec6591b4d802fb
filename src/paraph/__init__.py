"""paraph: accept only messages that really came from Zoom and the right person, and prove it.

The public names are listed by hand and loaded on first use: importing paraph, or its pytest
plugin, loads no server and no database driver.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paraph.client import AsyncClient, Client, challenge_of
    from paraph.errors import NeedsReauthorization, NotFound, ParaphError, UsageError
    from paraph.events.handlers import HandedEvent
    from paraph.secret import Secret
    from paraph.service.zoom import SubjectInstallation, Zoom, ZoomAnswer
    from paraph.settings.loading import load_settings
    from paraph.settings.model import Settings
    from paraph.simulator.running import SimulatedZoom

__all__ = [
    "AsyncClient",
    "Client",
    "HandedEvent",
    "NeedsReauthorization",
    "NotFound",
    "ParaphError",
    "Secret",
    "Settings",
    "SimulatedZoom",
    "SubjectInstallation",
    "UsageError",
    "Zoom",
    "ZoomAnswer",
    "challenge_of",
    "load_settings",
]

_PLACES = {
    "AsyncClient": "paraph.client",
    "Client": "paraph.client",
    "HandedEvent": "paraph.events.handlers",
    "NeedsReauthorization": "paraph.errors",
    "NotFound": "paraph.errors",
    "ParaphError": "paraph.errors",
    "Secret": "paraph.secret",
    "Settings": "paraph.settings.model",
    "SimulatedZoom": "paraph.simulator.running",
    "SubjectInstallation": "paraph.service.zoom",
    "UsageError": "paraph.errors",
    "Zoom": "paraph.service.zoom",
    "ZoomAnswer": "paraph.service.zoom",
    "challenge_of": "paraph.client",
    "load_settings": "paraph.settings.loading",
}


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'paraph' has no attribute {name!r}")
    return getattr(import_module(place), name)


def __dir__() -> list[str]:
    return sorted(__all__)
