"""Errors of the caller and of its settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from paraph.errors.root import ParaphError

if TYPE_CHECKING:
    # Every program imports the errors, and few of them need the values.
    from paraph.values import Replaced


class UsageError(ParaphError):
    """The caller broke paraph's contract.

    Example:
        >>> UsageError("page_size is 0", remedy="Use a number from 1 to 200.").status
        400
    """

    code = "usage"
    status = 400
    public_message = "The request is not one that this service understands."
    default_remedy = "Compare the call with the documentation."


class NotFound(UsageError):
    """The thing does not exist or is not the caller's; the response does not say which.

    Example:
        try:
            response = await zoom.installation("acct_99").get("/users/me")
        except NotFound:
            response = None  # Show "Connect Zoom".
    """

    code = "not_found"
    status = 404
    public_message = "There is nothing here."
    default_remedy = "Check the identifier, and whether it has expired or was already used."


class ApiKeyMissing(UsageError):
    """No live API key: missing, malformed, unknown and revoked keys get the same response.

    Example:
        >>> ApiKeyMissing().remedy
        'Send it as Authorization: Bearer KEY.'
    """

    code = "api_key_missing"
    status = 401
    public_message = "A live API key is needed."
    default_remedy = "Send it as Authorization: Bearer KEY."


class NotAllowed(UsageError):
    """The credential is valid and lacks the permission.

    Example:
        >>> NotAllowed().status
        403
    """

    code = "not_allowed"
    status = 403
    public_message = "The API key does not cover this."
    default_remedy = "Create a key with the scope: paraph api-keys create --scope NAME."


class CallRefused(NotAllowed):
    """A call of Zoom's API that is not forwarded: its path, its query, or the allow-list.

    Example:
        try:
            await zoom.installation("acct_42").delete("/users/me")
        except CallRefused as refused:
            print(refused, refused.remedy)
    """

    code = "call_refused"
    public_message = "This call is not passed on to Zoom."
    default_remedy = "Compare path and method with the documentation of the proxy."


class LinkConflict(UsageError):
    """The subject or the Zoom user is linked elsewhere.

    Attributes:
        replaces: the installations that a confirmation with `move=True` would move or end, as far
            as the caller may see them.

    Example:
        >>> conflict = LinkConflict("linked elsewhere")
        >>> conflict.status, conflict.replaces
        (409, ())
    """

    code = "link_conflict"
    status = 409
    public_message = "This account is already linked to another one."
    default_remedy = 'Ask the person, then confirm with {"move": true}.'

    def __init__(
        self, detail: str = "", *, replaces: Sequence[Replaced] = (), remedy: str = ""
    ) -> None:
        self.replaces = tuple(replaces)
        super().__init__(detail, remedy=remedy)


class ConfigurationError(ParaphError):
    """The settings do not allow a start; `problems` holds one sentence for each problem.

    Example:
        try:
            zoom = Zoom(public_url="http://product.example")
        except ConfigurationError as wrong:
            for problem in wrong.problems:
                print(problem)
    """

    code = "configuration"
    public_message = "The settings cannot be used."
    default_remedy = "Fix every problem listed above; nothing was started."

    def __init__(self, problems: Sequence[str], *, remedy: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems), remedy=remedy)
