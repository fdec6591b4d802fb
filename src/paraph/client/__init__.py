"""A typed client of the management API, synchronous and asynchronous.

It stands alone: of paraph it needs the root of the errors and nothing else, so that a host may
take it without the service's libraries.
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
