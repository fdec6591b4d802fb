"""Exceptions for refusals of the service: one class for each reaction of the caller.

::

    ServiceProblem
    ├── Unreachable        no response: the service or the network is down.
    ├── KeyRefused         401: the API key is invalid or revoked.
    ├── NotCovered         403: the key lacks the scope, or the allow-list of the proxy the call.
    ├── Missing            404: it does not exist, or this key may not see it.
    ├── Conflicting        409.
    │   ├── NeedsNewConsent    Zoom ended the grant; send the user to `reauthorize_url`.
    │   └── AlreadyLinked      ask the user, then confirm with `move=True`.
    ├── Refused            any other 4xx: the call is invalid.
    ├── TooMuch            429: wait for `retry_after` seconds.
    └── Unavailable        5xx: try again later.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from paraph.errors import ParaphError


class ServiceProblem(ParaphError):
    """The service refused a call, or did not respond.

    Attributes:
        status: the HTTP status; 0 if there was no response.
        problem_code: the stable code of the problem document.
        title: what happened.
        retry_after: seconds to wait; None if the service did not say.
    """

    code = "service_problem"
    public_message = "The service refused the call."

    def __init__(
        self,
        status: int,
        document: Mapping[str, Any],
        *,
        retry_after: int | None = None,
    ) -> None:
        self.status = status
        self.problem_code = str(document.get("code", "unknown"))
        self.title = str(document.get("title", "The service refused the call."))
        self.retry_after = retry_after
        super().__init__(
            f"{status} {self.problem_code}: {self.title}", remedy=str(document.get("remedy", ""))
        )


class Unreachable(ServiceProblem):
    """No response came: the service or the network is down.

    Attributes:
        cause: a value of `paraph.outgoing.failure.Cause`, like "connection_refused".
    """

    code = "service_unreachable"

    def __init__(
        self, status: int, document: Mapping[str, Any], *, retry_after: int | None = None
    ) -> None:
        super().__init__(status, document, retry_after=retry_after)
        self.cause = str(document.get("cause", ""))


class KeyRefused(ServiceProblem):
    """The API key is invalid or revoked."""

    code = "key_refused"


class NotCovered(ServiceProblem):
    """The key lacks the scope, or the allow-list of the proxy does not contain the call."""

    code = "not_covered"


class Missing(ServiceProblem):
    """The object does not exist, or this key may not see it."""

    code = "missing"


class Conflicting(ServiceProblem):
    """The current state does not allow the call."""

    code = "conflicting"


class NeedsNewConsent(Conflicting):
    """Zoom ended the grant, so the user has to consent again.

    Attributes:
        reason: why Zoom ended it, in a few words.
        reauthorize_url: the URL to send the user to.
    """

    code = "needs_new_consent"

    def __init__(
        self, status: int, document: Mapping[str, Any], *, retry_after: int | None = None
    ) -> None:
        super().__init__(status, document, retry_after=retry_after)
        self.reason = str(document.get("reason", ""))
        # A service of version 0.1 sends the old name only.
        url = document.get("reauthorize_url", document.get("mend_url", ""))
        self.reauthorize_url = str(url)

    @property
    def mend_url(self) -> str:
        """The name of `reauthorize_url` in version 0.1; deprecated."""
        warnings.warn(
            "mend_url is deprecated and will be removed: use reauthorize_url",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.reauthorize_url


class AlreadyLinked(Conflicting):
    """The subject or the Zoom user is linked already: ask the user, then use `move=True`."""

    code = "already_linked"


class Refused(ServiceProblem):
    """The call is invalid; it does not follow the documentation."""

    code = "refused"


class TooMuch(ServiceProblem):
    """The rate limit is reached: wait for `retry_after` seconds."""

    code = "too_much"


class Unavailable(ServiceProblem):
    """The service or Zoom is unavailable at the moment; try again later."""

    code = "unavailable"


_BY_CODE: dict[str, type[ServiceProblem]] = {
    "needs_reauthorization": NeedsNewConsent,
    "link_conflict": AlreadyLinked,
}
_BY_STATUS: dict[int, type[ServiceProblem]] = {
    401: KeyRefused,
    403: NotCovered,
    404: Missing,
    409: Conflicting,
    429: TooMuch,
}


def problem_for(
    status: int, document: Mapping[str, Any], *, retry_after: str | None
) -> ServiceProblem:
    """Build the exception for a problem document (RFC 9457)."""
    kind = _BY_CODE.get(str(document.get("code", "")))
    if kind is None:
        kind = _BY_STATUS.get(status, Unavailable if status >= 500 else Refused)
    seconds = int(retry_after) if retry_after is not None and retry_after.isdecimal() else None
    return kind(status, document, retry_after=seconds)
