"""A typed client of the management API, synchronous and asynchronous.

Of paraph it imports only the errors, the shared values and the routes of connections, so a host can
use it without the libraries of the service.
"""

import warnings
from typing import Any

from paraph.extras import needs

with needs("client", "paraph.client"):
    from paraph.client.asynchronous import AsyncClient
from paraph.client.calls import challenge_of
from paraph.client.problem import (
    AlreadyLinked,
    Conflicting,
    KeyRefused,
    Missing,
    NeedsNewConsent,
    NotCovered,
    Refused,
    ServiceProblem,
    TooMuch,
    Unavailable,
    Unreachable,
)
from paraph.client.synchronous import Client
from paraph.client.types import (
    AccessToken,
    AuditEntry,
    Claim,
    Installation,
    LinkRequest,
    Page,
    Proof,
    Receipt,
    Replaced,
    Verdict,
    ZoomIds,
    ZoomPerson,
)
from paraph.values import ZoomResponse

__all__ = [
    "AccessToken",
    "AlreadyLinked",
    "AsyncClient",
    "AuditEntry",
    "Claim",
    "Client",
    "Conflicting",
    "Installation",
    "KeyRefused",
    "LinkRequest",
    "Missing",
    "NeedsNewConsent",
    "NotCovered",
    "Page",
    "Proof",
    "Receipt",
    "Refused",
    "Replaced",
    "ServiceProblem",
    "TooMuch",
    "Unavailable",
    "Unreachable",
    "Verdict",
    "ZoomIds",
    "ZoomPerson",
    "ZoomResponse",
    "challenge_of",
]


def __getattr__(name: str) -> Any:
    if name == "ZoomAnswer":
        warnings.warn(
            "paraph.client.ZoomAnswer is deprecated and will be removed: use ZoomResponse",
            DeprecationWarning,
            stacklevel=2,
        )
        return ZoomResponse
    raise AttributeError(f"module 'paraph.client' has no attribute {name!r}")
