"""The authorization request (RFC 6749 section 4.1.1, RFC 7636 section 4.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlencode

from paraph.errors import UsageError
from paraph.oauth.pkce import CODE_CHALLENGE_METHOD, VERIFIER, code_challenge_of
from paraph.oauth.roles import AuthorizationServer, Client
from paraph.secret import Secret

LIFETIME_SECONDS = 600

# 256 bits in base64url: too many to guess, and more would add nothing.
_STATE = re.compile(r"[A-Za-z0-9_-]{43,128}")


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A sent authorization request, which its response must match (RFC 6749 section 4.1.1).

    Attributes:
        client_id, redirect_uri: the client, and the redirect URI that was sent.
        issuer: the authorization server.
        state: the value that the response must repeat.
        code_verifier: sent with the code (RFC 7636 section 4.5).
        issued_at: epoch seconds.
    """

    client_id: str
    redirect_uri: str
    issuer: str
    state: Secret
    code_verifier: Secret
    issued_at: int

    @property
    def expires_at(self) -> int:
        """The time from which its response is refused, in epoch seconds."""
        return self.issued_at + LIFETIME_SECONDS


def build_authorization_request(
    server: AuthorizationServer,
    client: Client,
    *,
    state: Secret,
    code_verifier: Secret,
    now: int,
) -> AuthorizationRequest:
    """Build a request with its own state and verifier (RFC 9700 sections 2.1 and 2.1.1).

    Args:
        server: the authorization server that receives the request.
        client: the app; its registered redirect URI is the one that is sent.
        state: a new random value of 43 to 128 base64url characters.
        code_verifier: a new random value of 43 to 128 characters (RFC 7636 section 4.1).
        now: the current time in epoch seconds.

    Raises:
        UsageError: the state or the verifier has the wrong form.
    """
    if not _STATE.fullmatch(state.reveal()):
        raise UsageError("a state is 43 to 128 base64url characters")
    if not VERIFIER.fullmatch(code_verifier.reveal()):
        raise UsageError("a code verifier is 43 to 128 unreserved characters")
    return AuthorizationRequest(
        client_id=client.client_id,
        redirect_uri=client.redirect_uri,
        issuer=server.issuer,
        state=state,
        code_verifier=code_verifier,
        issued_at=now,
    )


def authorization_request_url(server: AuthorizationServer, request: AuthorizationRequest) -> str:
    """Build the URL that the browser is redirected to (RFC 6749 section 4.1.1).

    It always contains `code_challenge_method` (RFC 7636 section 4.3), because Zoom treats a
    challenge without one as `plain`. It contains no `scope`, because Zoom takes the scopes from the
    app's configuration.

    Raises:
        UsageError: the verifier of the request has the wrong form.
    """
    query = urlencode(
        {
            "response_type": "code",
            "client_id": request.client_id,
            "redirect_uri": request.redirect_uri,
            "state": request.state.reveal(),
            "code_challenge": code_challenge_of(request.code_verifier),
            "code_challenge_method": CODE_CHALLENGE_METHOD,
        }
    )
    return f"{server.authorization_endpoint}?{query}"
