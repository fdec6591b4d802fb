"""Every exception of paraph, by the party at fault.

::

    ParaphError
    ├── UsageError                        The caller broke paraph's contract.
    │   ├── NotFound                      Unknown, or not the caller's: the same response.
    │   ├── ApiKeyMissing                 No live credential was presented.
    │   ├── NotAllowed                    It lacks the permission. CallRefused: a call of Zoom.
    │   └── LinkConflict                  Linked elsewhere; a move must be confirmed.
    ├── ConfigurationError                It carries every problem found.
    ├── PeerError                         The other side broke the protocol.
    │   ├── MessageMalformed              The bytes do not have the form of the message.
    │   ├── AuthorizationResponseInvalid  StateMismatch, AuthorizationExpired, IssuerMismatch.
    │   ├── AuthorizationErrorResponse    The authorization server refused.
    │   ├── TokenErrorResponse            The token endpoint refused.
    │   │   └── InvalidGrant              The refusal that callers act on.
    │   ├── ResourceErrorResponse         The resource server refused.
    │   ├── ScopesMissing                 A required scope was not granted.
    │   ├── NeedsReauthorization          Zoom ended the grant; it needs a new consent.
    │   ├── BeingDecided                  No token is vended until Zoom has decided.
    │   ├── PeerUnavailable               5xx or 429: try later.
    │   ├── DeliveryRejected              SignatureMismatch, StaleTimestamp, ReplayedDelivery.
    │   ├── EventInvalid                  Signed, but not an event.
    │   └── AppContextRejected            AppContextMalformed, DecryptionFailed, ContextExpired.
    ├── TransportError                    No usable response. ResponseTooLarge; ServiceUnreachable;
    │                                     Busy: a limit here.
    └── StorageError                      The store could not write or read.
        ├── InboxFull                     It cannot keep up; the event was not queued.
        ├── StorageUnavailable            No connection, no space, or read-only.
        ├── SchemaChanged                 The tables changed meanwhile; try again.
        ├── UnknownEncryptionKey          Try later; the grant is not lost.
        ├── SealBroken                    The ciphertext is not as paraph sealed it here.
        └── Conflict                      Another caller was first.

A code is stable: hosts, logs and documentation may rely on it. Each class has the HTTP status that
the management API responds with.
"""

from __future__ import annotations

from paraph.errors.caller import (
    ApiKeyMissing,
    CallRefused,
    ConfigurationError,
    LinkConflict,
    NotAllowed,
    NotFound,
    UsageError,
)
from paraph.errors.failure import (
    AnswerTooLarge,
    Busy,
    Conflict,
    InboxFull,
    ResponseTooLarge,
    SchemaChanged,
    SealBroken,
    ServiceUnreachable,
    StorageError,
    StorageUnavailable,
    TransportError,
    UnknownEncryptionKey,
)
from paraph.errors.peer import (
    AppContextMalformed,
    AppContextRejected,
    AuthorizationErrorResponse,
    AuthorizationExpired,
    AuthorizationResponseInvalid,
    BeingDecided,
    ContextExpired,
    DecryptionFailed,
    DeliveryRejected,
    EventInvalid,
    InvalidGrant,
    IssuerMismatch,
    MessageMalformed,
    NeedsReauthorization,
    PeerError,
    PeerUnavailable,
    ReplayedDelivery,
    ResourceErrorResponse,
    ScopesMissing,
    SignatureMismatch,
    StaleTimestamp,
    StateMismatch,
    TokenErrorResponse,
)
from paraph.errors.root import (
    ParaphError,
)

__all__ = [
    "AnswerTooLarge",
    "ApiKeyMissing",
    "AppContextMalformed",
    "AppContextRejected",
    "AuthorizationErrorResponse",
    "AuthorizationExpired",
    "AuthorizationResponseInvalid",
    "BeingDecided",
    "Busy",
    "CallRefused",
    "ConfigurationError",
    "Conflict",
    "ContextExpired",
    "DecryptionFailed",
    "DeliveryRejected",
    "EventInvalid",
    "InboxFull",
    "InvalidGrant",
    "IssuerMismatch",
    "LinkConflict",
    "MessageMalformed",
    "NeedsReauthorization",
    "NotAllowed",
    "NotFound",
    "ParaphError",
    "PeerError",
    "PeerUnavailable",
    "ReplayedDelivery",
    "ResourceErrorResponse",
    "ResponseTooLarge",
    "SchemaChanged",
    "ScopesMissing",
    "SealBroken",
    "ServiceUnreachable",
    "SignatureMismatch",
    "StaleTimestamp",
    "StateMismatch",
    "StorageError",
    "StorageUnavailable",
    "TokenErrorResponse",
    "TransportError",
    "UnknownEncryptionKey",
    "UsageError",
]
