"""paraph: accept only messages that really came from Zoom and the right person, and prove it.

The public names are listed by hand and loaded on first use: importing paraph, or its pytest
plugin, loads no server and no database driver. A name whose extra is not installed raises
`MissingExtra`, which says how to install it.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paraph.client import AsyncClient, Client, challenge_of
    from paraph.errors import NeedsReauthorization, NotFound, ParaphError, UsageError
    from paraph.events.handlers import HandedEvent
    from paraph.extras import MissingExtra
    from paraph.secret import Secret
    from paraph.service.subject_installation import SubjectInstallation
    from paraph.service.zoom import Zoom
    from paraph.settings.loading import load_settings
    from paraph.settings.model import Settings
    from paraph.simulator.running import SimulatedZoom
    from paraph.values import ZoomResponse

__all__ = [
    "AsyncClient",
    "Client",
    "HandedEvent",
    "MissingExtra",
    "NeedsReauthorization",
    "NotFound",
    "ParaphError",
    "Secret",
    "Settings",
    "SimulatedZoom",
    "SubjectInstallation",
    "UsageError",
    "Zoom",
    "ZoomResponse",
    "challenge_of",
    "load_settings",
]

_PLACES = {
    "AsyncClient": "paraph.client",
    "Client": "paraph.client",
    "HandedEvent": "paraph.events.handlers",
    "MissingExtra": "paraph.extras",
    "NeedsReauthorization": "paraph.errors",
    "NotFound": "paraph.errors",
    "ParaphError": "paraph.errors",
    "Secret": "paraph.secret",
    "Settings": "paraph.settings.model",
    "SimulatedZoom": "paraph.simulator.running",
    "SubjectInstallation": "paraph.service.subject_installation",
    "UsageError": "paraph.errors",
    "Zoom": "paraph.service.zoom",
    "ZoomResponse": "paraph.values",
    "challenge_of": "paraph.client",
    "load_settings": "paraph.settings.loading",
}

# Names of version 0.1, which work for one more version.
_OLD_NAMES = {"ZoomAnswer": "ZoomResponse"}


def __getattr__(name: str) -> Any:
    if name in _OLD_NAMES:
        text = f"paraph.{name} is deprecated and will be removed: use {_OLD_NAMES[name]}"
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        name = _OLD_NAMES[name]
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'paraph' has no attribute {name!r}")
    from paraph.extras import extra_of, needs

    with needs(extra_of(place), f"paraph.{name}"):
        return getattr(import_module(place), name)


def __dir__() -> list[str]:
    return sorted(__all__)
