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
    ├── TransportError                    No usable response. ResponseTooLarge; Busy: a limit here.
    └── StorageError                      The store could not write or read.
        ├── InboxFull                     It cannot keep up; the event was not queued.
        ├── StorageUnavailable            No connection, no space, or read-only.
        ├── UnknownEncryptionKey          Try later; the grant is not lost.
        ├── SealBroken                    The ciphertext is not as paraph sealed it here.
        └── Conflict                      Another caller was first.

A code is stable: hosts, logs and documentation may rely on it.
Only `paraph.http.problems` decides which HTTP status an error becomes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class ParaphError(Exception):
    """The base class. It is never raised itself.

    Args:
        detail: the cause, for operators. It never holds a secret, a code or a token.
        remedy: the next step, if the raising code knows better than the class.
    """

    code: ClassVar[str] = "error"
    public_message: ClassVar[str] = "Something went wrong."
    default_remedy: ClassVar[str] = "Try again; if the error persists, look at the log."

    def __init__(self, detail: str = "", *, remedy: str = "") -> None:
        # Chosen only when they are read: a flood raises thousands a second and reads none.
        self._detail, self._remedy = detail, remedy

    @property
    def detail(self) -> str:
        """The cause, for operators."""
        return self._detail or self.public_message

    @property
    def remedy(self) -> str:
        """The next step."""
        return self._remedy or self.default_remedy

    def __str__(self) -> str:
        return self.detail


class UsageError(ParaphError):
    """The caller broke paraph's contract."""

    code = "usage"
    public_message = "The request is not one that this service understands."
    default_remedy = "Compare the call with the documentation."


class NotFound(UsageError):
    """The thing does not exist or is not the caller's; the response does not say which."""

    code = "not_found"
    public_message = "There is nothing here."
    default_remedy = "Check the identifier, and whether it has expired or was already used."


class ApiKeyMissing(UsageError):
    """No live API key: missing, malformed, unknown and revoked keys get the same response."""

    code = "api_key_missing"
    public_message = "A live API key is needed."
    default_remedy = "Send it as Authorization: Bearer KEY."


class NotAllowed(UsageError):
    """The credential is valid and lacks the permission."""

    code = "not_allowed"
    public_message = "The API key does not cover this."
    default_remedy = "Create a key with the scope: paraph api-keys create --scope NAME."


class CallRefused(NotAllowed):
    """A call of Zoom's API that is not forwarded: its path, its query, or the allow-list."""

    code = "call_refused"
    public_message = "This call is not passed on to Zoom."
    default_remedy = "Compare path and method with the documentation of the proxy."


class LinkConflict(UsageError):
    """The subject or the Zoom user is linked elsewhere."""

    code = "link_conflict"
    public_message = "This account is already linked to another one."
    default_remedy = 'Ask the person, then confirm with {"move": true}.'


class ConfigurationError(ParaphError):
    """The settings do not allow a start; `problems` holds one sentence for each problem."""

    code = "configuration"
    public_message = "The settings cannot be used."
    default_remedy = "Fix every problem listed above; nothing was started."

    def __init__(self, problems: Sequence[str], *, remedy: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems), remedy=remedy)


class PeerError(ParaphError):
    """The other side broke the protocol."""

    code = "peer"
    public_message = "The request could not be accepted."
    default_remedy = "Start again."


class MessageMalformed(PeerError):
    """The bytes do not have the form of the expected message."""

    code = "message_malformed"


class AuthorizationResponseInvalid(PeerError):
    """The redirection endpoint received something other than a response to paraph's request."""

    code = "authorization_response_invalid"
    public_message = "This page was not reached from an installation that began here."
    default_remedy = "Start the installation again, in this browser."


class StateMismatch(AuthorizationResponseInvalid):
    """The state is missing, foreign, or not this browser's (RFC 6749 section 10.12)."""

    code = "state_mismatch"


class AuthorizationExpired(AuthorizationResponseInvalid):
    """The authorization request is older than ten minutes."""

    code = "authorization_expired"


class IssuerMismatch(AuthorizationResponseInvalid):
    """Another authorization server answered (RFC 9207 section 2.4)."""

    code = "issuer_mismatch"


class AuthorizationErrorResponse(PeerError):
    """The authorization server refused (RFC 6749 section 4.1.2.1).

    `error` is a registered error code, or "unknown"; the peer's own text is never used.
    """

    code = "authorization_error"
    public_message = "Zoom did not grant the installation."
    default_remedy = "Start again if this was not intended."

    def __init__(self, error: str) -> None:
        self.error = error
        super().__init__(f"the authorization server answered {error}")


class TokenErrorResponse(PeerError):
    """The token endpoint refused (RFC 6749 section 5.2); `detail` is its reason, not secret."""

    code = "token_error"
    public_message = "Zoom refused the installation."

    def __init__(self, error: str, detail: str = "") -> None:
        self.error = error
        super().__init__(detail or f"the token endpoint answered {error}")


class InvalidGrant(TokenErrorResponse):
    """The code or refresh token no longer works: used, expired, revoked or superseded."""

    code = "invalid_grant"

    def __init__(self, detail: str = "") -> None:
        super().__init__("invalid_grant", detail)


class ResourceErrorResponse(PeerError):
    """The resource server refused; `kind` is a value of `paraph.zoom.api_errors.ApiErrorKind`."""

    code = "resource_error"
    public_message = "Zoom refused the request."

    def __init__(self, status: int, kind: str, detail: str = "") -> None:
        self.status = status
        self.kind = kind
        super().__init__(detail or f"the resource server answered {status} ({kind})")


class ScopesMissing(PeerError):
    """The granted scopes do not contain the required ones (RFC 6749 section 3.3).

    `missing` and `granted` are names of scopes, which are not secret.
    """

    code = "scopes_missing"
    public_message = "Zoom did not grant every permission that the app needs."
    default_remedy = "Install again and leave every permission ticked."

    def __init__(self, missing: Sequence[str], *, granted: Sequence[str] = ()) -> None:
        self.missing = tuple(missing)
        self.granted = tuple(granted)
        super().__init__("not granted: " + ", ".join(self.missing))


class NeedsReauthorization(PeerError):
    """Zoom ended the grant for `reason`, a short text; only a new consent restores it."""

    code = "needs_reauthorization"
    public_message = "Zoom no longer accepts this installation."
    default_remedy = "Let the person install the app again; the installation keeps its id."

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        super().__init__(reason or "Zoom ended the grant")


class BeingDecided(PeerError):
    """A removal was announced and its order to the consent is not known yet."""

    code = "being_decided"
    public_message = "Zoom announced a removal that is being looked into."
    default_remedy = "Try again in a few seconds."


class PeerUnavailable(PeerError):
    """The other side answered 5xx or 429.

    Args:
        status: the HTTP status.
        retry_at: epoch seconds before which a retry is pointless, if the response says so.
    """

    code = "peer_unavailable"
    public_message = "Zoom cannot answer at the moment."
    default_remedy = "Try again in a few minutes."

    def __init__(self, status: int, retry_at: float | None = None) -> None:
        self.status = status
        self.retry_at = retry_at
        super().__init__(f"the other side answered {status}")


class DeliveryRejected(PeerError):
    """A webhook delivery that was not verified. Every kind gets the same response."""

    code = "delivery_rejected"
    public_message = "The delivery was not accepted."


class SignatureMismatch(DeliveryRejected):
    """No secret of the ring produces this signature for these bytes."""

    code = "signature_mismatch"


class StaleTimestamp(DeliveryRejected):
    """The timestamp lies outside the freshness window."""

    code = "stale_timestamp"


class ReplayedDelivery(DeliveryRejected):
    """The same signed bytes were accepted before."""

    code = "replayed_delivery"


class EventInvalid(PeerError):
    """The delivery is signed, but it is not an event."""

    code = "event_invalid"
    public_message = "The body is not an event."


class AppContextRejected(PeerError):
    """An X-Zoom-App-Context header that was not verified."""

    code = "app_context_rejected"
    public_message = "The app context was not accepted."
    default_remedy = "Open the app again in the Zoom client."


class AppContextMalformed(AppContextRejected):
    """The header does not have the layout of an app context."""

    code = "app_context_malformed"


class DecryptionFailed(AppContextRejected):
    """The tag does not verify under this client secret."""

    code = "decryption_failed"


class ContextExpired(AppContextRejected):
    """The context was valid, and has expired."""

    code = "context_expired"


class TransportError(ParaphError):
    """No usable response; `cause` is a value of `paraph.outgoing.failure.Cause`, or ""."""

    code = "transport"
    cause: str = ""
    public_message = "Zoom could not be reached."
    default_remedy = "Try again in a few minutes."


class ResponseTooLarge(TransportError):
    """Zoom's response is larger than the limit for a host."""

    code = "answer_too_large"
    cause = "response_too_large"
    public_message = "Zoom's response is larger than the limit."
    default_remedy = "Request less at once (page_size), or vend an access token and call Zoom."


AnswerTooLarge = ResponseTooLarge  # The former name, until the next minor version.


class Busy(TransportError):
    """paraph's own limit on concurrent work at Zoom is reached."""

    code = "busy"
    public_message = "Too many installations at once."
    default_remedy = "Wait a minute, then load this page again."


class StorageError(ParaphError):
    """The store could not write or read."""

    code = "storage"
    public_message = "The service cannot keep anything at the moment."
    default_remedy = "Try again in a few minutes."


class StorageUnavailable(StorageError):
    """The database cannot be reached, is full or is read-only: no block can be written to it."""


class InboxFull(StorageError):
    """The store cannot keep up; the event was refused before it was queued."""

    code = "inbox_full"
    default_remedy = "Look at the disk or the database; Zoom sends it again."


class UnknownEncryptionKey(StorageError):
    """The ciphertext names a key that the ring does not hold: try later, the grant is not lost."""

    code = "unknown_encryption_key"
    default_remedy = "Put the missing key back into encryption_keys (paraph keys status)."


class SealBroken(StorageError):
    """The ciphertext is damaged, or was sealed for another place."""

    code = "seal_broken"
    default_remedy = "The row was altered outside paraph; restore it from a backup."


class Conflict(StorageError):
    """Another caller was first."""

    code = "conflict"
    public_message = "This was already used."
    default_remedy = "Start again."
