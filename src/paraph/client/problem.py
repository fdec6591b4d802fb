"""What the service refuses, as exceptions: one class for each thing that a caller does about it.

::

    ServiceProblem
    ├── Unreachable        no answer: the service is away, or something between
    ├── KeyRefused         401: the API key is not live
    ├── NotCovered         403: the key has not the scope, or the proxy's allow-list not the call
    ├── Missing            404: not there, or not this key's to see
    ├── Conflicting        409
    │   ├── NeedsNewConsent    Zoom ended the grant; send the person to `mend_url`
    │   └── AlreadyLinked      ask the person, then confirm with `move=True`
    ├── Refused            any other 4xx: the call is not as documented
    ├── TooMuch            429: wait for `retry_after` seconds
    └── Unavailable        5xx: later
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paraph.errors import ParaphError


class ServiceProblem(ParaphError):
    """The service said no, or nothing.

    Attributes:
        status: the HTTP status; 0 when there was no answer.
        problem_code: the stable code of the problem document.
        title: what happened.
        retry_after: seconds to wait, when the service said so.
    """

    code = "service_problem"
    public_message = "The service did not do what was asked."

    def __init__(
        self,
        status: int,
        document: Mapping[str, Any],
        *,
        retry_after: int | None = None,
    ) -> None:
        self.status = status
        self.problem_code = str(document.get("code", "unknown"))
        self.title = str(document.get("title", "The service refused."))
        self.retry_after = retry_after
        super().__init__(
            f"{status} {self.problem_code}: {self.title}", remedy=str(document.get("remedy", ""))
        )


class Unreachable(ServiceProblem):
    """No answer: the service is away, or something between.

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
    """The API key is not live."""

    code = "key_refused"


class NotCovered(ServiceProblem):
    """The key has not the scope, or the proxy's allow-list does not cover the call."""

    code = "not_covered"


class Missing(ServiceProblem):
    """It is not there, or not this key's to see."""

    code = "missing"


class Conflicting(ServiceProblem):
    """Something stands in the way."""

    code = "conflicting"


class NeedsNewConsent(Conflicting):
    """Zoom ended the grant: send the person to `mend_url`; `reason` says why."""

    code = "needs_new_consent"

    def __init__(
        self, status: int, document: Mapping[str, Any], *, retry_after: int | None = None
    ) -> None:
        super().__init__(status, document, retry_after=retry_after)
        self.reason = str(document.get("reason", ""))
        self.mend_url = str(document.get("mend_url", ""))


class AlreadyLinked(Conflicting):
    """Subject or Zoom user is linked elsewhere: ask the person, then confirm with `move=True`."""

    code = "already_linked"


class Refused(ServiceProblem):
    """The call is not as documented."""

    code = "refused"


class TooMuch(ServiceProblem):
    """Wait for `retry_after` seconds."""

    code = "too_much"


class Unavailable(ServiceProblem):
    """The service or Zoom cannot answer at the moment."""

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
    """The exception that stands for a problem document."""
    kind = _BY_CODE.get(str(document.get("code", "")))
    if kind is None:
        kind = _BY_STATUS.get(status, Unavailable if status >= 500 else Refused)
    seconds = int(retry_after) if retry_after is not None and retry_after.isdecimal() else None
    return kind(status, document, retry_after=seconds)
