"""The simulator's tokens: JWTs that only Zoom can verify, or opaque text."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from paraph.simulator.state.behaviours import behaviour
from paraph.simulator.state.world import App


class Tokens:
    """Makes tokens.

    Args:
        wall: returns epoch seconds of the real world, for the claims.
        random_bytes: returns random bytes for unguessable values.
        lifetime: seconds between issue and expiry in the claims of an access token.
        refresh_lifetime: the same for a refresh token.
    """

    def __init__(
        self,
        wall: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        *,
        lifetime: int,
        refresh_lifetime: int,
    ) -> None:
        self._wall = wall
        self._random_bytes = random_bytes
        self._lifetime = lifetime
        self._refresh_lifetime = refresh_lifetime

    @behaviour(
        "token endpoint",
        "an access token is a JWT with the claims of version 7, signed with a key that no app "
        "has; `token_format` makes it opaque, for apps that read it against advice",
        "seen",
        source="forum threads 7899 and 25064",
    )
    def access(self, app: App, user_id: str, account_id: str, claims: Mapping[str, Any]) -> str:
        """Make an access token.

        Args:
            app: the app that it is issued to; its `token_format` decides the form.
            user_id: the user; "" for a token of the app's own.
            account_id: the account of the user or of the app.
            claims: values that a fault puts in place of the true claims.
        """
        if app.token_format == "opaque":
            return self._text(80)
        return self._signed({**self._claims(app, user_id, account_id, 0), **claims})

    def refresh(self, app: App, user_id: str, account_id: str) -> str:
        """Make a refresh token: the same layout with another `type` (seen)."""
        if app.token_format == "opaque":
            return self._text(80)
        claims = self._claims(app, user_id, account_id, 1)
        return self._signed({**claims, "exp": claims["iat"] + self._refresh_lifetime})

    def _claims(self, app: App, user_id: str, account_id: str, kind: int) -> dict[str, Any]:
        now = int(self._wall())
        return {
            "ver": 7,
            "auid": hashlib.sha256(f"{app.client_id}/{user_id}".encode()).hexdigest()[:32],
            # Zoom's value names the grant; an authorization code in its place would leak.
            "code": self._text(33),
            "iss": f"zm:cid:{app.client_id}",
            "gno": 0,
            "type": kind,
            "tid": 0,
            "aud": "https://oauth.zoom.us",
            "uid": user_id,
            "nbf": now,
            "exp": now + self._lifetime,
            "iat": now,
            "aid": account_id,
            "jti": self._text(22),
        }

    def _signed(self, claims: Mapping[str, Any]) -> str:
        header = {"alg": "HS512", "v": "2.0", "kid": self._text(12)}
        mac = hashlib.sha512(self._random_bytes(32)).digest()
        return f"{_segment(header)}.{_segment(claims)}.{_base64url(mac)}"

    def _text(self, length: int) -> str:
        return random_text(self._random_bytes, length)


def random_text(random_bytes: Callable[[int], bytes], length: int) -> str:
    """Return random characters of Zoom's alphabet for codes and ids: A-Z a-z 0-9 - _."""
    return base64.urlsafe_b64encode(random_bytes(length)).decode("ascii")[:length]


def _segment(content: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(content, separators=(",", ":")).encode())


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
