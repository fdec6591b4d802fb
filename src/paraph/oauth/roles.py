"""The roles of client and authorization server (RFC 6749 section 1.1)."""

from __future__ import annotations

from dataclasses import dataclass

from paraph.secret import Secret


@dataclass(frozen=True, slots=True)
class Client:
    """The registered app: a confidential client with one exact redirect URI."""

    client_id: str
    client_secret: Secret
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """The endpoints of the authorization server.

    If `sends_issuer` is true, the server always sends the `iss` parameter
    (RFC 9207 section 2.3), and a response without it is refused.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str
    sends_issuer: bool = False
