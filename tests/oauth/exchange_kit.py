"""A client, a server and a request that fit together, to be spoiled one part at a time."""

from __future__ import annotations

from paraph.oauth.authorization_request import AuthorizationRequest, build_authorization_request
from paraph.oauth.authorization_response import (
    ValidatedAuthorizationResponse,
    parse_authorization_response,
    validate_authorization_response,
)
from paraph.oauth.roles import AuthorizationServer, Client
from paraph.secret import Secret

NOW = 1_800_000_000
SERVER = AuthorizationServer(
    "https://zoom.us",
    "https://zoom.us/oauth/authorize",
    "https://zoom.us/oauth/token",
    "https://zoom.us/oauth/revoke",
)
CLIENT = Client("cid", Secret("client-credential"), "https://app.example/oauth/redirect")


def request_at(now: int = NOW) -> AuthorizationRequest:
    """A request whose state is 43 times A."""
    return build_authorization_request(
        SERVER, CLIENT, state=Secret("A" * 43), code_verifier=Secret("v" * 43), now=now
    )


def validated(code: str = "abc") -> ValidatedAuthorizationResponse:
    """A response that fits the request."""
    response = parse_authorization_response(f"code={code}&state={'A' * 43}".encode())
    return validate_authorization_response(response, request_at(), server=SERVER, now=NOW + 100)
