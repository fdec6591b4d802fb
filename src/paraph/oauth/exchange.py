"""Exchanges as generators: yield a request, receive the response.

The protocol is written once. The caller sends each request, and tests do so without a network.
"""

from __future__ import annotations

from collections.abc import Generator

from paraph.oauth.authorization_response import ValidatedAuthorizationResponse
from paraph.oauth.messages import Request, Response
from paraph.oauth.roles import AuthorizationServer, Client
from paraph.oauth.token_endpoint import (
    TokenSet,
    build_refresh_request,
    build_revocation_request,
    build_token_request,
    parse_refresh_response,
    parse_revocation_response,
    parse_token_response,
)
from paraph.secret import Secret


def exchange_code(
    server: AuthorizationServer, client: Client, validated: ValidatedAuthorizationResponse
) -> Generator[Request, Response, TokenSet]:
    """Exchange a validated code for a token set (RFC 6749 section 4.1.3). A code is sent only once.

    Yields:
        The request to send; `send` takes its response.

    Raises:
        UsageError: the response was not validated, or belongs to another client.
        InvalidGrant, TokenErrorResponse, PeerUnavailable, MessageMalformed: as for
            `parse_token_response`.
    """
    response = yield build_token_request(server, client, validated)
    return parse_token_response(response)


def refresh(
    server: AuthorizationServer, client: Client, refresh_token: Secret
) -> Generator[Request, Response, TokenSet]:
    """Exchange a refresh token for the next token set (RFC 6749 section 6).

    A refresh token is sent only once.

    Yields:
        The request to send; `send` takes its response.

    Raises:
        InvalidGrant, TokenErrorResponse, PeerUnavailable, MessageMalformed: as for
            `parse_token_response`.
    """
    response = yield build_refresh_request(server, client, refresh_token=refresh_token)
    return parse_refresh_response(response, previous=refresh_token)


def revoke(
    server: AuthorizationServer, client: Client, token: Secret
) -> Generator[Request, Response, None]:
    """Revoke a token (RFC 7009 section 2).

    Yields:
        The request to send; `send` takes its response.

    Raises:
        PeerUnavailable: 5xx or 429.
        TokenErrorResponse: the server refused for another reason.
    """
    response = yield build_revocation_request(server, client, token=token)
    parse_revocation_response(response)
