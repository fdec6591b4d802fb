"""A typed client of the management API, synchronous and asynchronous.

Of paraph it imports only the base class of the errors, so a host can use it without the libraries
of the service.
"""

from paraph.client.asynchronous import AsyncClient
from paraph.client.nonce import challenge_of
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
    ZoomAnswer,
    ZoomIds,
    ZoomPerson,
)

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
    "ZoomAnswer",
    "ZoomIds",
    "ZoomPerson",
    "challenge_of",
]
