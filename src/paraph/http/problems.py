"""The HTTP status and problem of each exception: one table for all endpoints.

An endpoint shows `problem_of(error)` and no other part of an exception,
so that no detail meant for operators can reach a browser.
"""

from __future__ import annotations

from dataclasses import dataclass

from paraph import errors

# The first matching class counts, so subclasses precede their base classes.
_STATUSES: tuple[tuple[type[errors.ParaphError], int], ...] = (
    (errors.NotFound, 404),
    (errors.ApiKeyMissing, 401),
    (errors.NotAllowed, 403),
    (errors.LinkConflict, 409),
    (errors.UsageError, 400),
    (errors.DeliveryRejected, 401),
    (errors.EventInvalid, 400),
    (errors.AuthorizationResponseInvalid, 400),
    (errors.AuthorizationErrorResponse, 403),
    (errors.ScopesMissing, 403),
    (errors.NeedsReauthorization, 409),
    (errors.BeingDecided, 503),
    (errors.PeerUnavailable, 503),
    (errors.InvalidGrant, 400),
    # A malformed response of the authorization server is not an error of this service.
    (errors.TokenErrorResponse, 424),
    (errors.ResourceErrorResponse, 424),
    (errors.PeerError, 400),
    (errors.ResponseTooLarge, 502),
    (errors.Busy, 429),
    (errors.TransportError, 503),
    (errors.Conflict, 409),
    (errors.StorageError, 503),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """The public part of an error (the members of RFC 9457)."""

    status: int
    code: str
    title: str
    remedy: str


def problem_of(error: errors.ParaphError) -> Problem:
    """Return the public part of an error. One without a row in the table is a 500."""
    return Problem(status_of(type(error)), error.code, error.public_message, error.remedy)


def status_of(kind: type[errors.ParaphError]) -> int:
    """Return the HTTP status of a class of errors."""
    return next((status for row, status in _STATUSES if issubclass(kind, row)), 500)
