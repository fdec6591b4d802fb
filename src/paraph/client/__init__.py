"""A typed client of the management API, synchronous and asynchronous.

Of paraph it imports only the errors, the shared values and calls, and the routes of connections.
So a host can use it without the libraries of the service.
"""

from typing import Any

from paraph import errors
from paraph.calls.arguments import challenge_of
from paraph.calls.asynchronous_handle import AsyncInstallationHandle
from paraph.extras import needs

with needs("client", "paraph.client"):
    from paraph.client.asynchronous import AsyncClient
from paraph.calls.synchronous_handle import InstallationHandle
from paraph.client.synchronous import Client
from paraph.client.types import AuditEntry, Verdict
from paraph.former_names import warn_former
from paraph.values import (
    AccessToken,
    Claim,
    Installation,
    LinkRequest,
    Page,
    Proof,
    Receipt,
    Replaced,
    ZoomIds,
    ZoomPerson,
    ZoomResponse,
)

__all__ = [
    "AccessToken",
    "AsyncClient",
    "AsyncInstallationHandle",
    "AuditEntry",
    "Claim",
    "Client",
    "Installation",
    "InstallationHandle",
    "LinkRequest",
    "Page",
    "Proof",
    "Receipt",
    "Replaced",
    "Verdict",
    "ZoomIds",
    "ZoomPerson",
    "ZoomResponse",
    "challenge_of",
]

# Names of version 0.1, which work for one more version. One that stood for several of the present
# classes is a tuple, which `except` and `isinstance` accept.
_FORMER: dict[str, tuple[Any, str]] = {
    "AlreadyLinked": (errors.LinkConflict, "LinkConflict"),
    "Conflicting": (
        (errors.Conflict, errors.LinkConflict, errors.NeedsReauthorization),
        "Conflict, LinkConflict, NeedsReauthorization",
    ),
    "KeyRefused": (errors.ApiKeyMissing, "ApiKeyMissing"),
    "Missing": (errors.NotFound, "NotFound"),
    "NeedsNewConsent": (errors.NeedsReauthorization, "NeedsReauthorization"),
    "NotCovered": (errors.NotAllowed, "NotAllowed"),
    "Refused": (errors.UsageError, "UsageError or CallRefused"),
    "ServiceProblem": (errors.ParaphError, "ParaphError"),
    "TooMuch": (errors.Busy, "Busy"),
    "Unavailable": (
        (errors.TransportError, errors.StorageError, errors.BeingDecided, errors.PeerUnavailable),
        "TransportError, StorageError, BeingDecided, PeerUnavailable",
    ),
    "Unreachable": (errors.ServiceUnreachable, "ServiceUnreachable"),
    "ZoomAnswer": (ZoomResponse, "ZoomResponse"),
}


def __getattr__(name: str) -> Any:
    if name not in _FORMER:
        raise AttributeError(f"module 'paraph.client' has no attribute {name!r}")
    value, new = _FORMER[name]
    warn_former(f"paraph.client.{name}", new)
    return value
