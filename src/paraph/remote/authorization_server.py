"""Requests to the authorization server: exchange, refresh, revoke."""

from __future__ import annotations

from dataclasses import dataclass

from paraph.oauth import exchange
from paraph.oauth.authorization_response import ValidatedAuthorizationResponse
from paraph.oauth.roles import AuthorizationServer, Client
from paraph.oauth.token_endpoint import TokenSet
from paraph.remote.transport import Transport
from paraph.secret import Secret


@dataclass(frozen=True, slots=True)
class RemoteAuthorizationServer:
    """The authorization server, reached through the transport, for one client."""

    transport: Transport
    server: AuthorizationServer
    client: Client

    async def exchange(self, validated: ValidatedAuthorizationResponse) -> TokenSet:
        """Exchange the code for a token set (RFC 6749 section 4.1.3).

        Raises:
            InvalidGrant: the code or the refresh token is not valid any more.
            TokenErrorResponse: the server refused for another reason.
            PeerUnavailable: 5xx or 429.
            MessageMalformed: the response is not a valid token response.
            TransportError: the server sent no response.
        """
        return await self.transport.drive(
            exchange.exchange_code(self.server, self.client, validated)
        )

    async def refresh(self, refresh_token: Secret) -> TokenSet:
        """Get the next token set; this uses up the old refresh token (RFC 6749 section 6).

        Raises:
            InvalidGrant: the code or the refresh token is not valid any more.
            TokenErrorResponse: the server refused for another reason.
            PeerUnavailable: 5xx or 429.
            MessageMalformed: the response is not a valid token response.
            TransportError: the server sent no response.
        """
        return await self.transport.drive(exchange.refresh(self.server, self.client, refresh_token))

    async def revoke(self, token: Secret) -> None:
        """Revoke a token at the authorization server (RFC 7009).

        Raises:
            TokenErrorResponse: the server refused.
            PeerUnavailable: 5xx or 429.
            TransportError: the server sent no response.
        """
        await self.transport.drive(exchange.revoke(self.server, self.client, token))
