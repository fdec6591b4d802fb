"""The two roles that meet here (RFC 6749 section 1.1)."""

from __future__ import annotations

from dataclasses import dataclass

from paraph.secret import Secret


@dataclass(frozen=True, slots=True)
class Client:
    """Our app as it is registered: a confidential client with one exact redirect URI."""

    client_id: str
    client_secret: Secret
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """Where the authorization server listens.

    `sends_issuer` says whether it promises the `iss` parameter (RFC 9207 section 2.3);
    then a response without it is refused.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    revocation_endpoint: str
    sends_issuer: bool = False
