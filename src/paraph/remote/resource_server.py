"""Requests to Zoom's REST API: the owner of an access token, and Zoom's time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paraph.remote.transport import Transport
from paraph.secret import Secret
from paraph.zoom.server_metadata import api_server_for
from paraph.zoom.user import ZoomUser, build_time_request, build_user_request, parse_user


@dataclass(frozen=True, slots=True)
class RemoteResourceServer:
    """Zoom's REST API on the allowed hosts."""

    transport: Transport
    allowed: Sequence[str]

    def server_for(self, api_url: str | None) -> str:
        """Return the token response's host if it is allowed, else the first allowed one.

        Raises:
            ConfigurationError: an allowed host is not an origin.
        """
        return api_server_for(api_url, allowed=self.allowed)

    async def ask_time(self) -> None:
        """Get Zoom's time from the refusal of a request without a token.

        Raises:
            TransportError: Zoom sent no response.
        """
        await self.transport.send(build_time_request(self.allowed[0]))

    async def read_user(self, api_server: str, *, access_token: Secret) -> ZoomUser:
        """Return the owner of an access token: the only proof of identity (RFC 6749 section 1.4).

        Raises:
            ResourceErrorResponse: Zoom refused; `kind` says why.
            PeerUnavailable: 5xx or 429.
            MessageMalformed: the response is not a user.
            TransportError: Zoom sent no response.
        """
        return parse_user(
            await self.transport.send(build_user_request(api_server, access_token=access_token))
        )
