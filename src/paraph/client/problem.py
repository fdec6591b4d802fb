"""Turns the problem documents of the service (RFC 9457) into the exceptions of paraph.

The stable code of a document names the class. So a caller handles the same exceptions, whether the
service runs in its own process or elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from paraph import errors
from paraph.values import Replaced, ZoomIds

# Classes for the statuses of documents without a known code.
_BY_STATUS: Mapping[int, type[errors.ParaphError]] = {
    401: errors.ApiKeyMissing,
    403: errors.NotAllowed,
    404: errors.NotFound,
    409: errors.Conflict,
    424: errors.PeerError,
    429: errors.Busy,
    502: errors.TransportError,
    503: errors.StorageError,
}


def problem_for(
    status: int, document: Mapping[str, Any], *, retry_after: str | None
) -> errors.ParaphError:
    """Build the exception for a problem document.

    Args:
        status: the HTTP status of the response.
        document: the members of the problem document; empty without one.
        retry_after: the header of that name.
    """
    seconds = int(retry_after) if retry_after is not None and retry_after.isdecimal() else None
    known = _BY_CODE.get(str(document.get("code", "")))
    default = errors.ParaphError if status >= 500 else errors.UsageError
    kind = known or _BY_STATUS.get(status, default)
    title = str(document.get("title", f"The service responded with status {status}."))
    problem = _BUILDERS.get(kind, _plain)(kind, title, document, seconds)
    if known is None:
        problem.status = status
    problem.retry_after = seconds if seconds is not None else problem.retry_after
    return problem


_Builder = Callable[
    [type[errors.ParaphError], str, Mapping[str, Any], int | None], errors.ParaphError
]


def _plain(
    kind: type[errors.ParaphError], title: str, document: Mapping[str, Any], _seconds: int | None
) -> errors.ParaphError:
    return kind(title, remedy=str(document.get("remedy", "")))


def _needs_reauthorization(
    _kind: Any, _title: str, document: Mapping[str, Any], _seconds: int | None
) -> errors.NeedsReauthorization:
    # A service of version 0.1 sends the old name of the URL only.
    url = document.get("reauthorize_url", document.get("mend_url", ""))
    return errors.NeedsReauthorization(str(document.get("reason", "")), reauthorize_url=str(url))


def _link_conflict(
    _kind: Any, title: str, document: Mapping[str, Any], _seconds: int | None
) -> errors.LinkConflict:
    replaces = [
        Replaced(
            str(one["installation_id"]),
            str(one["subject"]),
            ZoomIds(str(one["zoom"]["user_id"]), str(one["zoom"]["account_id"])),
        )
        for one in document.get("replaces", ())
    ]
    return errors.LinkConflict(title, replaces=replaces, remedy=str(document.get("remedy", "")))


def _peer_unavailable(
    _kind: Any, _title: str, _document: Mapping[str, Any], seconds: int | None
) -> errors.PeerUnavailable:
    return errors.PeerUnavailable(503, None if seconds is None else time.time() + seconds)


def _token_error(
    kind: Any, title: str, _document: Mapping[str, Any], _seconds: int | None
) -> errors.ParaphError:
    # The document does not say which error of the token endpoint it was.
    error: errors.ParaphError = kind("unknown", title)
    return error


def _resource_error(
    _kind: Any, title: str, _document: Mapping[str, Any], _seconds: int | None
) -> errors.ResourceErrorResponse:
    return errors.ResourceErrorResponse(401, "access_token_invalid", title)


_BUILDERS: Mapping[type[errors.ParaphError], _Builder] = {
    errors.NeedsReauthorization: _needs_reauthorization,
    errors.LinkConflict: _link_conflict,
    errors.PeerUnavailable: _peer_unavailable,
    errors.TokenErrorResponse: _token_error,
    errors.ResourceErrorResponse: _resource_error,
}
# The errors with which a call of the API can end. `malformed` and its like have no class.
_BY_CODE: Mapping[str, type[errors.ParaphError]] = {
    "malformed": errors.UsageError,
    "too_long": errors.UsageError,
    "too_slow": errors.UsageError,
    **{
        kind.code: kind
        for kind in (
            *(errors.UsageError, errors.NotFound, errors.ApiKeyMissing, errors.NotAllowed),
            *(errors.CallRefused, errors.LinkConflict, errors.NeedsReauthorization),
            *(errors.BeingDecided, errors.PeerError, errors.PeerUnavailable),
            *(errors.TokenErrorResponse, errors.ResourceErrorResponse, errors.MessageMalformed),
            *(errors.TransportError, errors.ResponseTooLarge, errors.Busy, errors.Conflict),
            *(errors.StorageError, errors.InboxFull),
            *(errors.UnknownEncryptionKey, errors.SealBroken),
        )
    },
}
