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
    from paraph.calls.arguments import challenge_of
    from paraph.calls.asynchronous_handle import AsyncInstallationHandle
    from paraph.calls.synchronous_handle import InstallationHandle
    from paraph.client import AsyncClient, AuditEntry, Client, Verdict
    from paraph.errors import (
        ApiKeyMissing,
        BeingDecided,
        Busy,
        CallRefused,
        ConfigurationError,
        Conflict,
        LinkConflict,
        NeedsReauthorization,
        NotAllowed,
        NotFound,
        ParaphError,
        PeerError,
        PeerUnavailable,
        ResourceErrorResponse,
        ResponseTooLarge,
        ServiceUnreachable,
        StorageError,
        TokenErrorResponse,
        TransportError,
        UsageError,
    )
    from paraph.events.handlers import HandedEvent
    from paraph.extras import MissingExtra
    from paraph.lifecycle.resource_call import ForwardedResponse
    from paraph.secret import Secret
    from paraph.service.in_process import SubjectInstallation
    from paraph.service.sync_zoom import SyncZoom
    from paraph.service.zoom import Zoom
    from paraph.settings.loading import load_settings
    from paraph.settings.model import Settings
    from paraph.simulator.running import SimulatedZoom
    from paraph.values import (
        AccessToken,
        Claim,
        Installation,
        LinkRequest,
        Proof,
        Receipt,
        Replaced,
        ZoomIds,
        ZoomPerson,
        ZoomResponse,
    )

__all__ = [
    "AccessToken",
    "ApiKeyMissing",
    "AsyncClient",
    "AsyncInstallationHandle",
    "AuditEntry",
    "BeingDecided",
    "Busy",
    "CallRefused",
    "Claim",
    "Client",
    "ConfigurationError",
    "Conflict",
    "ForwardedResponse",
    "HandedEvent",
    "Installation",
    "InstallationHandle",
    "LinkConflict",
    "LinkRequest",
    "MissingExtra",
    "NeedsReauthorization",
    "NotAllowed",
    "NotFound",
    "ParaphError",
    "PeerError",
    "PeerUnavailable",
    "Proof",
    "Receipt",
    "Replaced",
    "ResourceErrorResponse",
    "ResponseTooLarge",
    "Secret",
    "ServiceUnreachable",
    "Settings",
    "SimulatedZoom",
    "StorageError",
    "SubjectInstallation",
    "SyncZoom",
    "TokenErrorResponse",
    "TransportError",
    "UsageError",
    "Verdict",
    "Zoom",
    "ZoomIds",
    "ZoomPerson",
    "ZoomResponse",
    "challenge_of",
    "load_settings",
]

_PLACES = {
    "AccessToken": "paraph.values",
    "ApiKeyMissing": "paraph.errors",
    "AsyncClient": "paraph.client",
    "AsyncInstallationHandle": "paraph.calls.asynchronous_handle",
    "AuditEntry": "paraph.client",
    "BeingDecided": "paraph.errors",
    "Busy": "paraph.errors",
    "CallRefused": "paraph.errors",
    "Claim": "paraph.values",
    "Client": "paraph.client",
    "ConfigurationError": "paraph.errors",
    "Conflict": "paraph.errors",
    "ForwardedResponse": "paraph.lifecycle.resource_call",
    "HandedEvent": "paraph.events.handlers",
    "Installation": "paraph.values",
    "InstallationHandle": "paraph.calls.synchronous_handle",
    "LinkConflict": "paraph.errors",
    "LinkRequest": "paraph.values",
    "MissingExtra": "paraph.extras",
    "NeedsReauthorization": "paraph.errors",
    "NotAllowed": "paraph.errors",
    "NotFound": "paraph.errors",
    "ParaphError": "paraph.errors",
    "PeerError": "paraph.errors",
    "PeerUnavailable": "paraph.errors",
    "Proof": "paraph.values",
    "Receipt": "paraph.values",
    "Replaced": "paraph.values",
    "ResourceErrorResponse": "paraph.errors",
    "ResponseTooLarge": "paraph.errors",
    "Secret": "paraph.secret",
    "ServiceUnreachable": "paraph.errors",
    "Settings": "paraph.settings.model",
    "SimulatedZoom": "paraph.simulator.running",
    "StorageError": "paraph.errors",
    "SubjectInstallation": "paraph.service.in_process",
    "SyncZoom": "paraph.service.sync_zoom",
    "TokenErrorResponse": "paraph.errors",
    "TransportError": "paraph.errors",
    "UsageError": "paraph.errors",
    "Verdict": "paraph.client",
    "Zoom": "paraph.service.zoom",
    "ZoomIds": "paraph.values",
    "ZoomPerson": "paraph.values",
    "ZoomResponse": "paraph.values",
    "challenge_of": "paraph.calls.arguments",
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
