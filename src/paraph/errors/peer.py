"""Errors of the other side: Zoom, or a sender that claims to be Zoom."""

from __future__ import annotations

from collections.abc import Sequence

from paraph.errors.root import ParaphError
from paraph.former_names import warn_former


class PeerError(ParaphError):
    """The other side broke the protocol.

    Example:
        >>> issubclass(NeedsReauthorization, PeerError), issubclass(TransportError, PeerError)
        (True, False)
    """

    code = "peer"
    status = 400
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
    status = 403
    public_message = "Zoom did not grant the installation."
    default_remedy = "Start again if this was not intended."

    def __init__(self, error: str) -> None:
        self.error = error
        super().__init__(f"the authorization server answered {error}")


class TokenErrorResponse(PeerError):
    """The token endpoint refused (RFC 6749 section 5.2); `detail` is its reason, not secret.

    Example:
        >>> TokenErrorResponse("invalid_client").error
        'invalid_client'
    """

    code = "token_error"
    status = 424
    public_message = "Zoom refused the installation."

    def __init__(self, error: str, detail: str = "") -> None:
        self.error = error
        super().__init__(detail or f"the token endpoint answered {error}")


class InvalidGrant(TokenErrorResponse):
    """The code or refresh token no longer works: used, expired, revoked or superseded.

    Example:
        >>> InvalidGrant().error
        'invalid_grant'
    """

    code = "invalid_grant"
    status = 400

    def __init__(self, detail: str = "") -> None:
        super().__init__("invalid_grant", detail)


class ResourceErrorResponse(PeerError):
    """The resource server refused; `kind` is a value of `paraph.zoom.api_errors.ApiErrorKind`.

    Example:
        >>> ResourceErrorResponse(401, "access_token_invalid").peer_status
        401
    """

    code = "resource_error"
    status = 424
    public_message = "Zoom refused the request."

    def __init__(self, status: int, kind: str, detail: str = "") -> None:
        self.peer_status = status
        self.kind = kind
        super().__init__(detail or f"the resource server answered {status} ({kind})")


class ScopesMissing(PeerError):
    """The granted scopes do not contain the required ones (RFC 6749 section 3.3).

    `missing` and `granted` are names of scopes, which are not secret.
    """

    code = "scopes_missing"
    status = 403
    public_message = "Zoom did not grant every permission that the app needs."
    default_remedy = "Install again and leave every permission ticked."

    def __init__(self, missing: Sequence[str], *, granted: Sequence[str] = ()) -> None:
        self.missing = tuple(missing)
        self.granted = tuple(granted)
        super().__init__("not granted: " + ", ".join(self.missing))


class NeedsReauthorization(PeerError):
    """Zoom ended the grant. Only a new consent restores it, and the installation keeps its id.

    Attributes:
        reason: why Zoom ended it, in a few words.
        reauthorize_url: the URL to send the user to.

    Example:
        >>> ended = NeedsReauthorization("revoked", reauthorize_url="https://app.example/install")
        >>> ended.status, ended.reauthorize_url
        (409, 'https://app.example/install')
    """

    code = "needs_reauthorization"
    status = 409
    public_message = "Zoom no longer accepts this installation."
    default_remedy = "Let the person install the app again; the installation keeps its id."

    def __init__(self, reason: str = "", *, reauthorize_url: str = "") -> None:
        self.reason = reason
        self.reauthorize_url = reauthorize_url
        super().__init__(reason or "Zoom ended the grant")

    @property
    def mend_url(self) -> str:
        """The former name of `reauthorize_url`; deprecated."""
        warn_former("mend_url", "reauthorize_url")
        return self.reauthorize_url


class BeingDecided(PeerError):
    """A removal was announced and its order to the consent is not known yet.

    Example:
        >>> BeingDecided().status, BeingDecided().retry_after
        (503, 2)
    """

    code = "being_decided"
    status = 503
    retry_after = 2
    public_message = "Zoom announced a removal that is being looked into."
    default_remedy = "Try again in a few seconds."


class PeerUnavailable(PeerError):
    """The other side answered 5xx or 429.

    Args:
        status: the HTTP status.
        retry_at: epoch seconds before which a retry is pointless, if the response says so.

    Example:
        >>> PeerUnavailable(503, retry_at=1900000000.0).retry_at
        1900000000.0
    """

    code = "peer_unavailable"
    status = 503
    public_message = "Zoom cannot answer at the moment."
    default_remedy = "Try again in a few minutes."

    def __init__(self, status: int, retry_at: float | None = None) -> None:
        self.peer_status = status
        self.retry_at = retry_at
        super().__init__(f"the other side answered {status}")


class DeliveryRejected(PeerError):
    """A webhook delivery that was not verified. Every kind gets the same response."""

    code = "delivery_rejected"
    status = 401
    public_message = "The delivery was not accepted."


class SignatureMismatch(DeliveryRejected):
    """No secret of the ring produces this signature for these bytes."""

    code = "signature_mismatch"
    _detail = "none of the webhook secrets made this signature"


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
