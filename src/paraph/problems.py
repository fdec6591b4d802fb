"""What an exception becomes outside: the one table of HTTP statuses, for every face.

A face shows `problem_of(error)` and nothing else of an exception,
so that no detail meant for operators can reach a browser.
"""

from __future__ import annotations

from dataclasses import dataclass

from paraph import errors

# The first class that matches counts, so the narrow ones stand before the wide ones.
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
    # The authorization server's nonsense is no fault of ours, and no 5xx that would look like one.
    (errors.TokenErrorResponse, 424),
    (errors.ResourceErrorResponse, 424),
    (errors.PeerError, 400),
    (errors.AnswerTooLarge, 502),
    (errors.Busy, 429),
    (errors.TransportError, 503),
    (errors.Conflict, 409),
    (errors.StorageError, 503),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What may be shown to anybody (the members of RFC 9457)."""

    status: int
    code: str
    title: str
    remedy: str


def problem_of(error: errors.ParaphError) -> Problem:
    """The public face of an error. Anything without a row is our own fault: 500."""
    return Problem(status_of(type(error)), error.code, error.public_message, error.remedy)


def status_of(kind: type[errors.ParaphError]) -> int:
    """The HTTP status of a class of errors."""
    return next((status for row, status in _STATUSES if issubclass(kind, row)), 500)
