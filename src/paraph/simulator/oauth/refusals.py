"""Errors of the authorization server's JSON endpoints: `{"reason", "error"}`.

The numbers are the ones that Zoom publishes. It is unknown whether its JSON carries them. Here they
are in `reason`, in brackets as on Zoom's pages, except where a live body is known.
"""

from __future__ import annotations

from paraph.simulator.response import ResponseDraft
from paraph.simulator.state.behaviours import behaviour

_MESSAGES = "developers.zoom.us/docs/integrations/oauth-error-messages"
_MAX_REFLECTED = 200


@behaviour(
    "token endpoint",
    'errors are {"reason", "error"}, without error_description, with status 400',
    "seen",
    source="production logs of several clients, 2020 to 2026",
)
class OAuthRefusal(Exception):
    """An error of the token, device or revocation endpoint.

    Args:
        error: the code of RFC 6749 section 5.2.
        reason: Zoom's text.
        status: the HTTP status.
    """

    def __init__(self, error: str, reason: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.reason = reason
        self.status = status

    def response(self) -> ResponseDraft:
        """Return the response."""
        return ResponseDraft.of_json(self.status, {"reason": self.reason, "error": self.error})


@behaviour(
    "token endpoint",
    "a wrong client id or secret is invalid_client with status 400, not 401",
    "seen",
    source="live response in a public repository; number 4702 and 4704 documented",
)
def invalid_client() -> OAuthRefusal:
    """The client is unknown, or its secret is wrong."""
    return OAuthRefusal("invalid_client", "Invalid client_id or client_secret")


@behaviour(
    "authorization code",
    "unknown, used, expired (4733), foreign and unproven codes get the same response",
    "seen",
    source="forum threads 77062 and 137623",
)
def invalid_code(code: str) -> OAuthRefusal:
    """The code is invalid, for any reason."""
    return OAuthRefusal("invalid_grant", f"Invalid authorization code {code[:_MAX_REFLECTED]}")


@behaviour(
    "refresh",
    "a refresh token that is spent, expired or unknown (4737) is invalid_grant, Invalid Token!",
    "seen",
    source="production log of October 2026",
)
def invalid_token() -> OAuthRefusal:
    """The refresh token is invalid."""
    return OAuthRefusal("invalid_grant", "Invalid Token!")


def invalid_request(reason: str) -> OAuthRefusal:
    """A parameter is missing or misplaced."""
    return OAuthRefusal("invalid_request", reason)


def redirect_mismatch() -> OAuthRefusal:
    """The redirect URI differs from the one of the authorization request."""
    return OAuthRefusal("invalid_grant", "Redirect URI mismatch (4,709)")


def app_disabled() -> OAuthRefusal:
    """Zoom has disabled the app."""
    return OAuthRefusal("unauthorized_client", "The app has been disabled (4,717)")


def user_gone() -> OAuthRefusal:
    """The token's owner was deleted."""
    return OAuthRefusal("invalid_grant", "The owner of the token does not exist (4,735)")


def approval_withdrawn() -> OAuthRefusal:
    """The account's administrator has withdrawn the approval."""
    return OAuthRefusal("invalid_grant", "The token has been disabled by the admin (4,738)")


def superseded() -> OAuthRefusal:
    """The user has authorized the app again."""
    return OAuthRefusal("invalid_grant", "Revoked by a later authorization (4,741)")


def scopes_changed() -> OAuthRefusal:
    """The grant has a scope that the app no longer has."""
    return OAuthRefusal("invalid_grant", "The token's scopes are not the client's (4,711)")


for _number, _case in (
    ("4709", "a redirect URI that differs from the authorization request's is refused"),
    ("4711", "a refresh is refused if the grant has a scope that the app no longer has"),
    ("4717", "a disabled app gets no tokens"),
    ("4735", "a refresh is refused if the token's owner was deleted"),
    ("4738", "a refresh is refused if an administrator has withdrawn the approval"),
    ("4741", "a refresh is refused if the user has authorized the app again since"),
):
    behaviour("token endpoint", f"{_case} ({_number})", "documented", source=_MESSAGES)
behaviour(
    "token endpoint",
    "the JSON bodies of 4709, 4711, 4717, 4735, 4738 and 4741: number in brackets in `reason`",
    "inferred",
    source="the same numbers on Zoom's pages",
)
