"""The roles of client and authorization server (RFC 6749 section 1.1)."""

from __future__ import annotations

from dataclasses import dataclass

from paraph.secret import Secret


@dataclass(frozen=True, slots=True)
class Client:
    """The registered app: a confidential client with one exact redirect URI.

    Attributes:
        client_id, client_secret: its credentials (RFC 6749 section 2.3.1).
        redirect_uri: the registered value, compared byte for byte (RFC 9700 section 2.1).
    """

    client_id: str
    client_secret: Secret
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """The endpoints of the authorization server.

    Attributes:
        issuer: its identifier, compared with the `iss` parameter (RFC 9207 section 2.4).
        authorization_endpoint, token_endpoint, revocation_endpoint: URLs.
        sends_issuer: True if the server always sends `iss` (RFC 9207 section 2.3). A response
            without it is then refused.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str
    sends_issuer: bool = False
